"""BLESS's first handler, kept by its name for deployments that have it configured."""

from __future__ import annotations

from bless_lambda_user import lambda_handler_user
from contract.issuing import Answer, Context


def lambda_handler(event: object, context: Context) -> Answer:
    """Certify a user's key, as ``bless_lambda_user.lambda_handler_user`` does."""
    return lambda_handler_user(event, context)
