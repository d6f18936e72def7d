"""Who may do what: the keyring, the gatekeeper, and the credentials that functions get."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dynimo.api.aws import lambda_permissions
from dynimo.api.aws.calls import Operation
from dynimo.api.aws.kms import Kms
from dynimo.api.aws.kms_access import KmsAccess
from dynimo.api.aws.kms_aliases import KmsAliases
from dynimo.api.aws.kms_using import KmsUsing
from dynimo.api.aws.sts import Sts
from dynimo.datafolder import DataFolder
from dynimo.functions.specs import of_app
from dynimo.identity import app_roles
from dynimo.identity.gatekeeper import Gatekeeper
from dynimo.identity.keyring import Keyring
from dynimo.identity.keys.engines import engines
from dynimo.identity.keys.keys import Keys
from dynimo.model.function import Version
from dynimo.registry.registry import Registry
from dynimo.settings import Settings

SERVED = ("LAMBDA", "STS", "LOGS", "KMS")
"""The services whose clients inside functions are led here."""


class Trust:
    """Identity, over the registry's policies. Close it last."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        registry: Registry,
        address: Callable[[], str],
    ) -> None:
        self.keyring = Keyring(folder.path, settings.identity, serving=True)
        self.keyring.development()  # from here on nobody is believed without a signature
        self.gatekeeper = Gatekeeper(
            self.keyring,
            config=settings.identity,
            policy_of=lambda arn: lambda_permissions.policy_of(registry.documents, arn),
        )
        engine, *others = engines(settings.identity, self.keyring.vault)
        self.keys = Keys(folder.path, engine, others=others)
        self._address = address

    def operations(self) -> list[Operation]:
        """Those of STS."""
        return Sts(self.keyring, self.gatekeeper.sessions, self.gatekeeper).operations()

    def key_operations(self) -> list[Operation]:
        """Those of KMS."""
        access = KmsAccess(self.keys, self.gatekeeper)
        parts = (
            Kms(self.keys, access), KmsAliases(self.keys, access), KmsUsing(self.keys, access)
        )  # fmt: skip
        return [operation for part in parts for operation in part.operations()]

    def close(self) -> None:
        """Close the files."""
        self.keys.close()
        self.keyring.close()

    def credentials(self, version: Version, app_role: str = "") -> Mapping[str, str]:
        """What a function's code signs its own calls with, and where they go.

        One of an app has none, unless it has a role (``app_role``, a name). Until the platform
        listens it has none either: its calls would go to AWS.
        """
        address = self._address()
        role = version.configuration.role
        if of_app(version):
            if not app_role or not address:
                return {}
            role = f"arn:aws:iam::{self.keyring.account}:role/{app_role}"
        elif app_roles.is_one(role):
            role = ""
        key, secret, token = self.gatekeeper.sessions.issue(role, version.function_arn)
        given = {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": token,
        }
        chosen = version.configuration.environment or {}
        for service in SERVED:
            name = f"AWS_ENDPOINT_URL_{service}"
            if address and not {name, "AWS_ENDPOINT_URL"} & chosen.keys():
                given[name] = address
        return given
