"""The environment variables that a function sees. Pure; the order of precedence is here only.

Names are AWS's (Lambda developer guide, "Defined runtime environment variables").
"""

from __future__ import annotations

from collections.abc import Mapping

from dynimo.model.function import Version


def variables(version: Version, own: Mapping[str, str]) -> dict[str, str]:
    """All that this version's environments see: the app's, then the deployment's, then AWS's.

    Later ones win, so that neither an app nor a deployment can pretend to be another function.
    """
    return {
        **(version.configuration.environment or {}),
        **own,
        "AWS_REGION": version.place.region,
        "AWS_DEFAULT_REGION": version.place.region,
        "AWS_LAMBDA_FUNCTION_NAME": version.function,
        "AWS_LAMBDA_FUNCTION_VERSION": version.label,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.configuration.memory_mib),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": f"[{version.label}]{version.sha256[:32]}",
    }
