"""BLESS's handler for user certificates, by its own name and with its own hooks for tests."""

from __future__ import annotations

from contract.handling import issuer
from contract.issuing import Answer, Context


def lambda_handler_user(
    event: object,
    context: Context,
    ca_private_key_password: bytes | None = None,
    entropy_check: bool = True,  # noqa: ARG001, FBT001, FBT002 - BLESS's; a kernel needs no seed now
    config_file: str | None = None,
) -> Answer:
    """Certify a user's key: ``{"certificate": …}``, or ``{"errorType": …, "errorMessage": …}``."""
    return issuer(ca_private_key_password, config_file).user(event, context)
