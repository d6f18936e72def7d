"""The environment variables that a function sees. Pure; the order of precedence is here only.

Names are AWS's (Lambda developer guide, "Defined runtime environment variables").
"""

from __future__ import annotations

from collections.abc import Mapping

from dynimo.model.function import REGION, Version


def variables(version: Version, own: Mapping[str, str]) -> dict[str, str]:
    """All that this version's environments see: the app's, then the deployment's, then AWS's.

    Later ones win, so that neither an app nor a deployment can pretend to be another function.
    """
    return {
        **(version.declared.environment or {}),
        **own,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": version.function,
        "AWS_LAMBDA_FUNCTION_VERSION": str(version.number),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.declared.memory_mib),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{version.function}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"[{version.number}]{version.sha256[:32]}",
    }
