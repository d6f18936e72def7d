"""The one exception tree. The docstring is the message's first half; details follow.

Each error knows the HTTP status it becomes and the name AWS gives it, if AWS has one.
"""

from __future__ import annotations

from typing import Any


class DynimoError(Exception):
    """Something Dynimo did failed."""

    status = 500
    code = "ServiceException"

    def __init__(self, detail: str = "") -> None:
        message = (self.__doc__ or "").strip()
        super().__init__(f"{message} {detail}".strip() if detail else message)


class ConfigError(DynimoError):
    """The configuration cannot be used."""

    status = 500
    code = "InvalidParameterValueException"


class DeployError(DynimoError):
    """The app cannot be deployed."""

    status = 400
    code = "InvalidParameterValueException"


class FunctionNotFound(DynimoError):
    """There is no such function."""

    status = 404
    code = "ResourceNotFoundException"


class Throttled(DynimoError):
    """Every environment is busy and the queue is full, or waiting took too long."""

    status = 429
    code = "TooManyRequestsException"


class Stopping(DynimoError):
    """The platform is stopping and takes no new work."""

    status = 503
    code = "ServiceException"


class InitError(DynimoError):
    """The function's code could not be started."""

    status = 502
    code = "Runtime.InitError"

    def __init__(self, detail: str = "", error: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.error = error or {"errorType": self.code, "errorMessage": detail}
        """AWS-shaped: errorType, errorMessage, stackTrace."""


class PayloadTooLarge(DynimoError):
    """The payload is larger than the limit."""

    status = 413
    code = "RequestTooLargeException"
