"""The second argument of every handler, as AWS Lambda's Python runtime gives it.

Only the attributes and the one method that AWS documents; no reach into the platform.
Source: AWS Lambda developer guide, "Using the Lambda context object" for Python.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Facts about this one invocation.

    ``memory_limit_in_mb`` is text, as on AWS. ``deadline_ms`` is epoch milliseconds.
    """

    aws_request_id: str
    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    deadline_ms: int
    identity: Any = None
    client_context: Any = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the platform kills this invocation; never below 0."""
        return max(0, self.deadline_ms - int(time.time() * 1000))
