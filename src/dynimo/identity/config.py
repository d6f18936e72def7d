"""The settings of this part, with their units. Read by assembly; nothing here reads a file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dynimo.model.names import ACCOUNT_DEFAULT, REGION_DEFAULT

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Whose platform it is, and what its door takes.

    ``account`` (12 digits) and ``region`` are the parts of every ARN. A signature may be
    ``skew_seconds`` older or newer than now; one in an address holds ``presigned_seconds_max`` at
    most. With ``key_module`` (the path of a PKCS#11 module) new keys of the KMS are made in its
    token ``key_token``, whose PIN is in ``key_pin_file``; with ``key_region`` in AWS's KMS of that
    region, or at ``key_endpoint``. Those made before stay where they are.
    """

    account: str = ACCOUNT_DEFAULT
    region: str = REGION_DEFAULT
    skew_seconds: float = 900.0
    presigned_seconds_max: int = 604_800
    key_module: str = ""
    key_token: str = ""
    key_pin_file: str = ""
    key_region: str = ""
    key_endpoint: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{12}", self.account):
            raise ValueError(f"identity.account = {self.account!r} must be 12 digits")
        if not _REGION.fullmatch(self.region):
            raise ValueError(f"identity.region = {self.region!r} must be like us-east-1")
        if self.key_module and not (self.key_token and self.key_pin_file):
            raise ValueError("identity.key_module needs identity.key_token and key_pin_file")
        if self.key_region and (self.key_module or not _REGION.fullmatch(self.key_region)):
            raise ValueError("identity.key_region must be a region, and key_module empty")
        if self.key_endpoint and not self.key_region:
            raise ValueError("identity.key_endpoint needs identity.key_region")
        if not 1 <= self.skew_seconds <= 3600:
            raise ValueError(f"identity.skew_seconds = {self.skew_seconds} must be 1 to 3600")
