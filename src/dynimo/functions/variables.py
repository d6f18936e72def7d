"""The environment variables that a function sees. Pure; the order of precedence is here only.

Names are AWS's (Lambda developer guide, "Defined runtime environment variables"). Those of a single
environment (its log stream, its credentials) are added when it begins.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynimo.model.function import Version


def variables(
    version: Version, own: Mapping[str, str], *, provisioned: bool = False
) -> dict[str, str]:
    """All that this version's environments see: the app's, then the deployment's, then AWS's.

    Later ones win, so that neither an app nor a deployment can pretend to be another function.
    """
    declared = version.configuration
    seen = {
        **(declared.environment or {}),
        **own,
        "AWS_REGION": version.place.region,
        "AWS_DEFAULT_REGION": version.place.region,
        "AWS_LAMBDA_FUNCTION_NAME": version.function,
        "AWS_LAMBDA_FUNCTION_VERSION": version.label,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(declared.memory_mib),
        "AWS_LAMBDA_INITIALIZATION_TYPE": (
            "provisioned-concurrency" if provisioned else "on-demand"
        ),
        "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    }
    if declared.logging.form == "JSON":
        seen["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        seen["AWS_LAMBDA_LOG_LEVEL"] = declared.logging.application_level or "INFO"
    return seen
