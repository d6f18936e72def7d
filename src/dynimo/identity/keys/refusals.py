"""What the KMS answers when it will not: errors in AWS's words. No secret is ever in one.

Statuses are those of AWS KMS's API reference; all that is not named there is 400.
"""

from __future__ import annotations

from dynimo.model.errors import AwsError


class KmsError(AwsError):
    """The KMS will not do that."""

    status = 400
    kind = ""


class KeyNotFound(KmsError):
    """There is no such key or alias."""

    code = "NotFoundException"


class InvalidArn(KmsError):
    """The ARN is none of a key or alias."""

    code = "InvalidArnException"


class KeyDisabled(KmsError):
    """The key is disabled."""

    code = "DisabledException"

    def __init__(self, arn: str) -> None:
        super().__init__(f"{arn} is disabled.")


class InvalidState(KmsError):
    """The key's state does not allow it."""

    code = "KMSInvalidStateException"


class InvalidKeyUsage(KmsError):
    """The key is not for that."""

    code = "InvalidKeyUsageException"


class InvalidCiphertext(KmsError):
    """It cannot be decrypted; why is not said, for that would help who guesses."""

    code = "InvalidCiphertextException"

    def __init__(self) -> None:
        super().__init__("")


class IncorrectKey(KmsError):
    """The key that was named is not the one that encrypted it."""

    code = "IncorrectKeyException"

    def __init__(self) -> None:
        super().__init__(
            "The key ID in the request does not identify a CMK that can perform this operation."
        )


class InvalidKmsSignature(KmsError):
    """The signature is not of this message and key."""

    code = "KMSInvalidSignatureException"

    def __init__(self) -> None:
        super().__init__("")


class KeyUnavailable(KmsError):
    """The engine cannot use the key now."""

    status = 500
    code = "KeyUnavailableException"


class AlreadyThere(KmsError):
    """There is such an alias."""

    code = "AlreadyExistsException"


class InvalidAliasName(KmsError):
    """The alias's name cannot be used."""

    code = "InvalidAliasNameException"


class TooManyOfThem(KmsError):
    """A limit is reached."""

    code = "LimitExceededException"


class InvalidTag(KmsError):
    """A tag cannot be used."""

    code = "TagException"


class InvalidMarker(KmsError):
    """The marker is none that was given out."""

    code = "InvalidMarkerException"


class InvalidGrantToken(KmsError):
    """There are no grants here."""

    code = "InvalidGrantTokenException"


class UnsupportedOperation(KmsError):
    """It is not served."""

    code = "UnsupportedOperationException"


class DryRun(KmsError):
    """It would have succeeded, but it was asked not to be done."""

    status = 412
    code = "DryRunOperationException"

    def __init__(self) -> None:
        super().__init__("The request would have succeeded, but the DryRun option is set.")
