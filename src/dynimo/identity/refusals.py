"""What AWS answers to those who cannot be believed or may not do it: errors and their words.

The Query protocol (STS) has names of its own for some of them; ``api.aws.wire`` knows those.
"""

from __future__ import annotations

from dynimo.model.errors import AwsError, DynimoError

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your"
    " AWS Secret Access Key and signing method. Consult the service documentation for details."
)


class _Unproved(AwsError):
    """The request is not proved."""

    status = 403
    kind = ""


class InvalidSignature(_Unproved):
    """The signature is not of this request, this key or this time."""

    code = "InvalidSignatureException"


class UnrecognizedClient(_Unproved):
    """There is no such key, or it is not active, or its token is not ours."""

    code = "UnrecognizedClientException"

    def __init__(self) -> None:
        super().__init__("The security token included in the request is invalid.")


class ExpiredToken(_Unproved):
    """The session is over."""

    code = "ExpiredTokenException"

    def __init__(self) -> None:
        super().__init__("The security token included in the request is expired")


class IncompleteSignature(_Unproved):
    """The signature's form is wrong."""

    status = 400
    code = "IncompleteSignatureException"


class MissingToken(_Unproved):
    """There is no signature at all."""

    code = "MissingAuthenticationTokenException"

    def __init__(self, hint: str = "") -> None:
        super().__init__("Missing Authentication Token" + (f". {hint}" if hint else ""))


class MalformedPolicy(AwsError):
    """The policy document cannot be used; the message says where."""

    code = "MalformedPolicyDocumentException"
    kind = ""


class IdentityError(DynimoError):
    """The command about users, roles or keys cannot be done; the message is whole."""

    status = 400
    code = "InvalidParameterValueException"

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)


class NoSuchIdentity(IdentityError):
    """There is no such user, role, key or policy."""

    status = 404
    code = "ResourceNotFoundException"
