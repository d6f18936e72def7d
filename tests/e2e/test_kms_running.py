"""The KMS of the real program: a function's role, restarts, kill -9, and what reaches the disk."""

from __future__ import annotations

import base64
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from dynimo.identity.keyring import Keyring
from tests.e2e.aws import kit
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e
Serve = Callable[..., Server]

OPENS = """
import base64, boto3
def handler(event, context):
    kms = boto3.client("kms")
    blob = base64.b64decode(event["blob"])
    try:
        opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"app": "mail"})
        return opened["Plaintext"].decode()
    except kms.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
"""


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    yield
    while kit.OPEN:
        kit.OPEN.pop().close()


def grant(data: Path, role: str, policy: str) -> None:
    """What `dynimo access role add` and `policy attach` do."""
    trust = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",'
        '"Principal":{"Service":"lambda.amazonaws.com"}}}'
    )
    keyring = Keyring(data)
    keyring.add("role", role, trust=trust)
    keyring.attach("role", role, "p", policy)
    keyring.close()


def test_a_function_opens_a_secret_if_its_role_may(serve: Serve) -> None:
    """An unmodified boto3 inside comes here with the role's keys; the how-to page, end to end."""
    server = serve()
    aws, kms = kit.client(server), kit.client(server, "kms")
    key = kms.create_key()["KeyMetadata"]
    sealed = kms.encrypt(
        KeyId=key["KeyId"], Plaintext=b"pass-word-1", EncryptionContext={"app": "mail"}
    )
    event = {"blob": base64.b64encode(sealed["CiphertextBlob"]).decode()}
    allow = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"%s",'
        '"Condition":{"StringEquals":{"kms:EncryptionContext:app":"%s"}}}}'
    )
    grant(server.data, "mailer", allow % (key["Arn"], "mail"))
    grant(server.data, "other", allow % (key["Arn"], "other"))
    for role in ("mailer", "other"):
        kit.create(
            aws, role, OPENS, Role=f"arn:aws:iam::000000000000:role/{role}", Timeout=30,
            MemorySize=512,
        )  # fmt: skip

    assert kit.call(aws, "mailer", event)[0] == "pass-word-1"
    assert kit.call(aws, "other", event)[0] == "AccessDeniedException"
    assert "kms:Decrypt" in server.words()
    assert "assumed-role/mailer" in server.words()
    assert "pass-word-1" not in server.words()


def test_killed_while_it_makes_keys_it_has_every_key_that_it_said(serve: Serve) -> None:
    """After kill -9 each key that was answered is there and works; there is no half of one."""
    server = serve()
    before = kit.client(server, "kms")
    key = before.create_key()["KeyMetadata"]["KeyId"]
    blob = before.encrypt(KeyId=key, Plaintext=b"s")["CiphertextBlob"]
    answered: list[str] = []
    enough = threading.Event()

    def make(client: Any) -> None:
        with contextlib.suppress(ClientError, BotoCoreError):
            while True:
                made = client.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
                answered.append(made["KeyMetadata"]["KeyId"])
                if len(answered) >= 20:
                    enough.set()

    threads = [threading.Thread(target=make, args=(kit.client(server, "kms"),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    enough.wait(60)
    server.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()

    after = kit.client(serve(data=server.data), "kms")
    assert after.decrypt(CiphertextBlob=blob)["Plaintext"] == b"s"
    listed = {each["KeyId"] for each in after.list_keys(Limit=1000)["Keys"]}
    assert len(answered) >= 20
    assert set(answered) <= listed
    for each in listed - {key}:
        asked = {"KeyId": each, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
        signature = after.sign(**asked)["Signature"]
        assert after.verify(**asked, Signature=signature)["SignatureValid"]
