"""The second argument of every handler, as AWS Lambda's Python runtime gives it.

The attributes and methods of AWS's own object, and no reach into the platform. Sources: AWS Lambda
developer guide, "Using the Lambda context object" for Python; awslambdaric 4.2.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class CognitoIdentity:
    """Who called, where a mobile app did; Dynimo has no such callers, so both are None."""

    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


@dataclass(kw_only=True)
class Client:
    """The app that called, as it told."""

    installation_id: Any = None
    app_title: Any = None
    app_version_name: Any = None
    app_version_code: Any = None
    app_package_name: Any = None


@dataclass(kw_only=True)
class ClientContext:
    """What the caller sent along as its context."""

    custom: Any = None
    env: Any = None
    client: Client | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ClientContext:
        """From the JSON object that the caller sent; what is not known is left out."""
        client = told.get("client")
        if isinstance(client, Mapping):
            known = {name: client.get(name) for name in Client.__dataclass_fields__}
            return cls(custom=told.get("custom"), env=told.get("env"), client=Client(**known))
        return cls(custom=told.get("custom"), env=told.get("env"))


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who invoked a function of an app directly, as their signature proved it to the platform.

    ``arn`` is the user's or the assumed-role session's, ``principal`` the ARN of the user or role
    behind it (a function's role may be empty), ``account`` their twelve digits. ``function`` is the
    ARN of the function whose own credentials signed, or empty. ``address`` is the client's IP.
    """

    arn: str
    account: str
    principal: str = ""
    function: str = ""
    address: str = ""


@dataclass(kw_only=True)
class Context:
    """Facts about this one invocation.

    ``memory_limit_in_mb`` is text, as on AWS. ``deadline_ms`` is epoch milliseconds. Ours are
    ``kin``: how many others that share work with this one wait or run (a route's ``kin_after``);
    and ``caller``: None unless an Invoke was waited for and signed, in a function of an app.
    """

    aws_request_id: str
    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    deadline_ms: int
    identity: CognitoIdentity | None = field(default_factory=CognitoIdentity)
    client_context: ClientContext | None = None
    tenant_id: str | None = None
    kin: int = 0
    caller: Caller | None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the platform kills this invocation; never below 0."""
        return max(0, self.deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Write to the function's log, as it is."""
        sys.stdout.write(str(message))
