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
    """It cannot be deployed."""

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


class AwsError(DynimoError):
    """An answer in AWS's own words; ``str()`` is the message exactly as a client shall see it.

    ``status`` is the HTTP status, ``code`` the name in ``x-amzn-ErrorType``. ``message_key`` is the
    member that holds the text, whose case differs between errors (botocore's service model).
    ``kind`` becomes ``Type``, which some errors do not have.
    """

    status = 400
    message_key = "message"
    kind = "User"

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)


class InvalidParameterValue(AwsError):
    """A parameter cannot be used."""

    code = "InvalidParameterValueException"


class ValidationFailed(AwsError):
    """A parameter breaks the service model's own constraint."""

    code = "ValidationException"
    kind = ""


class ResourceNotFound(AwsError):
    """There is no such thing."""

    status = 404
    code = "ResourceNotFoundException"
    message_key = "Message"


class ResourceConflict(AwsError):
    """It exists already, or something else is being done to it."""

    status = 409
    code = "ResourceConflictException"


class ResourceInUse(AwsError):
    """It cannot go while it is at work."""

    status = 400
    code = "ResourceInUseException"
    message_key = "Message"


class PreconditionFailed(AwsError):
    """The revision given is not the latest."""

    status = 412
    code = "PreconditionFailedException"


class RequestTooLarge(AwsError):
    """The payload is over the limit."""

    status = 413
    code = "RequestTooLargeException"


class RequestEntityTooLarge(AwsError):
    """The whole request is over the limit."""

    status = 413
    code = "RequestEntityTooLargeException"


class InvalidRequestContent(AwsError):
    """The payload is no JSON."""

    code = "InvalidRequestContentException"


class SerializationFailed(AwsError):
    """A member of the request is of another type."""

    code = "SerializationException"
    kind = ""


class UnsupportedMediaType(AwsError):
    """The payload is of a kind that is not taken."""

    status = 415
    code = "UnsupportedMediaTypeException"


class CodeStorageExceeded(AwsError):
    """There is too much code."""

    code = "CodeStorageExceededException"


class PolicyLengthExceeded(AwsError):
    """The policy is over the limit."""

    code = "PolicyLengthExceededException"


class RecursiveInvocation(AwsError):
    """The chain of invocations is too long."""

    code = "RecursiveInvocationException"
    message_key = "Message"


class ProvisionedConcurrencyNotFound(AwsError):
    """No provisioned concurrency is configured there."""

    status = 404
    code = "ProvisionedConcurrencyConfigNotFoundException"


class AccessDenied(AwsError):
    """The caller may not do that."""

    status = 403
    code = "AccessDeniedException"
    message_key = "Message"
    kind = ""


class TooManyRequests(AwsError):
    """A concurrency or rate limit was reached. ``reason`` is AWS's ThrottleReason."""

    status = 429
    code = "TooManyRequestsException"

    def __init__(self, reason: str, message: str = "Rate Exceeded.") -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_seconds = 1
