"""A KMS behind a real server with real policies, for boto3: what its tests share. No asserts."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config as BotoConfig

from dynimo.api.aws.door import Door
from dynimo.api.aws.kms import Kms
from dynimo.api.aws.kms_access import KmsAccess
from dynimo.api.aws.kms_aliases import KmsAliases
from dynimo.api.aws.kms_using import KmsUsing
from dynimo.api.aws.sts import Sts
from dynimo.identity.gatekeeper import Gatekeeper
from dynimo.identity.keyring import Keyring
from dynimo.identity.keys.embedded import Embedded
from dynimo.identity.keys.keys import Keys
from dynimo.web.message import Request, Response
from dynimo.web.server import Server

REGION = "us-east-1"
ACCOUNT = "000000000000"
OTHER = "111111111111"
EVERYTHING = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'


class Platform:
    """A server whose door knows KMS and STS. ``clock`` is what the keys believe the time to be."""

    def __init__(self, folder: Path) -> None:
        self.clock: float | None = None
        self.keyring = Keyring(folder, serving=True)
        gatekeeper = Gatekeeper(self.keyring)
        self.engine = Embedded(self.keyring.vault)
        self.keys = Keys(folder, self.engine, now=self._now)
        access = KmsAccess(self.keys, gatekeeper)
        kms = [
            *Kms(self.keys, access, self._now).operations(),
            *KmsAliases(self.keys, access).operations(),
            *KmsUsing(self.keys, access).operations(),
        ]
        self.operations = [operation.name for operation in kms]
        sts = Sts(self.keyring, gatekeeper.sessions, gatekeeper).operations()
        door = Door({"kms": kms, "sts": sts}, gatekeeper, _elsewhere, region=REGION)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.port = self._run(self._start(door))
        self.clients: list[Any] = []
        self.root = self.user("root", EVERYTHING)

    def user(self, name: str, policy: str = "", account: str = "", service: str = "kms") -> Any:
        """boto3's own client of a new user with one policy."""
        self.keyring.add("user", name, account=account)
        if policy:
            self.keyring.attach("user", name, "p", policy, account)
        key, secret = self.keyring.add_key(name, account)
        return self.client(key.id, secret, service=service)

    def client(
        self, key: str, secret: str, token: str | None = None, *, service: str = "kms"
    ) -> Any:
        """boto3's own client, which sends what its own model would refuse too."""
        made = boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=BotoConfig(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        made.meta.events.register(f"before-parse.{service}.*", _unknown_members)
        self.clients.append(made)
        return made

    def stop(self) -> None:
        """Stop it all."""
        for client in self.clients:
            client.close()
        self._run(self.server.stop(1))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.keys.close()
        self.keyring.close()

    async def _start(self, door: Door) -> int:
        self.server = Server(door)
        return await self.server.start("127.0.0.1", 0)

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def _now(self) -> float:
        return time.time() if self.clock is None else self.clock


def _unknown_members(operation_model: Any, response_dict: Any, **_: Any) -> None:
    """Fail on what the service model does not know; botocore would drop it unseen."""
    shape = operation_model.output_shape
    body = response_dict["body"]
    if operation_model.metadata["protocol"] != "json" or response_dict["status_code"] != 200:
        return
    unknown = set(json.loads(body) if body else {}) - set(shape.members if shape else ())
    if unknown:
        raise ValueError(f"{operation_model.name} answers {unknown}")


async def _elsewhere(request: Request) -> Response:
    return Response(status=418)


def made(kms: Any, spec: str = "SYMMETRIC_DEFAULT", usage: str = "", **asked: Any) -> str:
    """The id of a new key; asymmetric ones sign unless told."""
    usage = usage or ("ENCRYPT_DECRYPT" if spec == "SYMMETRIC_DEFAULT" else "SIGN_VERIFY")
    answer = kms.create_key(KeySpec=spec, KeyUsage=usage, **asked)
    return str(answer["KeyMetadata"]["KeyId"])
