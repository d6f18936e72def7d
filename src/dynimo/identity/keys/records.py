"""A key as the platform knows it, and what its state allows. Pure; nothing secret is in clear here.

``kept`` is what the engine needs to find or open the key; only the engine can read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from dynimo.identity.keys.refusals import InvalidKeyUsage, InvalidState, KeyDisabled
from dynimo.identity.keys.specs import SPECS, Spec
from dynimo.model.names import Place
from dynimo.ports import KeyMaterial


class State(Enum):
    """Of a key, in the words of the service model."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKey:
    """One key. Times are epoch seconds; ``deletion`` is when it is erased, or 0."""

    id: str
    account: str
    region: str
    spec: str
    usage: str
    created: float
    engine: str
    kept: bytes = field(repr=False)
    public: bytes = b""
    policy: str = ""
    description: str = ""
    state: State = State.ENABLED
    deletion: float = 0.0
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def arn(self) -> str:
        """Its ARN."""
        return Place(self.account, self.region).arn("kms", f"key/{self.id}")

    @property
    def kind(self) -> Spec:
        """What keys of its kind can do."""
        return SPECS[self.spec]

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What it can do in its usage."""
        return self.kind.algorithms(self.usage)

    @property
    def material(self) -> KeyMaterial:
        """What the engine is handed."""
        return KeyMaterial(key_id=self.id, spec=self.spec, kept=self.kept, public=self.public)

    def gone(self, now: float) -> bool:
        """Whether its time has come: from then on nobody sees or uses it."""
        return self.state is State.PENDING_DELETION and now >= self.deletion

    def check_enabled(self) -> None:
        """Raise unless it may be used. Raises KeyDisabled, InvalidState."""
        self.check_staying()
        if self.state is State.DISABLED:
            raise KeyDisabled(self.arn)

    def check_staying(self) -> None:
        """Raise if it waits for its deletion. Raises InvalidState."""
        if self.state is State.PENDING_DELETION:
            raise InvalidState(f"{self.arn} is pending deletion.")

    def check_use(self, usage: str, operation: str, algorithm: str) -> None:
        """Raise unless it is for ``usage`` by ``algorithm``. Raises InvalidKeyUsage."""
        if self.usage != usage:
            raise InvalidKeyUsage(
                f"{self.arn} key usage is {self.usage} which is not valid for {operation}."
            )
        if algorithm not in self.algorithms:
            raise InvalidKeyUsage(
                f"Algorithm {algorithm} is incompatible with key spec {self.spec}."
            )


def default_policy(account: str) -> str:
    """The policy of a key that was made without one: the account's own policies decide."""
    return (
        '{\n  "Version" : "2012-10-17",\n  "Id" : "key-default-1",\n  "Statement" : [ {\n'
        '    "Sid" : "Enable IAM User Permissions",\n    "Effect" : "Allow",\n'
        f'    "Principal" : {{\n      "AWS" : "arn:aws:iam::{account}:root"\n    }},\n'
        '    "Action" : "kms:*",\n    "Resource" : "*"\n  } ]\n}'
    )
