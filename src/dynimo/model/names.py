"""Names as AWS writes them: accounts, regions, ARNs. Pure; no lookup happens here."""

from __future__ import annotations

from dataclasses import dataclass

LATEST = "$LATEST"
ACCOUNT_DEFAULT = "000000000000"
REGION_DEFAULT = "us-east-1"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose, and where: the two parts of an ARN that every resource of one caller shares."""

    account: str = ACCOUNT_DEFAULT
    region: str = REGION_DEFAULT

    def arn(self, service: str, resource: str) -> str:
        """``arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE``."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def function(self, name: str, qualifier: str = "") -> str:
        """The ARN of a function, or of one of its versions or aliases."""
        tail = f":{qualifier}" if qualifier else ""
        return self.arn("lambda", f"function:{name}{tail}")

    def layer(self, name: str, number: int | None = None) -> str:
        """The ARN of a layer, or of one of its versions."""
        return self.arn("lambda", f"layer:{name}" + (f":{number}" if number is not None else ""))
