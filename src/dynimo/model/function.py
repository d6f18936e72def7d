"""What a function is once it is published: a numbered version that never changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dynimo.sdk import app

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One immutable version of one function.

    ``sha256`` is the content hash of the app's folder (hex); ``code`` is where that content lies.
    """

    function: str
    number: int
    sha256: str
    code: Path
    declared: app.Function

    @property
    def arn(self) -> str:
        """The qualified name, in AWS's form."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function}:{self.number}"

    def __str__(self) -> str:
        return f"{self.function}:{self.number}"
