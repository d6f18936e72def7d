"""The KMS of the real program: a function's role, restarts, kill -9, and what reaches the disk."""

from __future__ import annotations

import base64
import contextlib
import re
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

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "encrypt-a-secret.md"


def blocks(language: str) -> list[str]:
    """What the how-to page shows in one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    yield
    while kit.OPEN:
        kit.OPEN.pop().close()


def grant(data: Path, role: str, policy: str) -> None:
    """What the page's `dynimo access role add` and `policy attach` do."""
    keyring = Keyring(data)
    keyring.add("role", role, trust=blocks("json")[1])
    keyring.attach("role", role, "open", policy)
    keyring.close()


def test_a_function_opens_a_secret_if_its_role_may(serve: Serve) -> None:
    """The how-to page: its policy, its trust, its code; boto3 inside comes here by itself."""
    server = serve()
    aws, kms = kit.client(server), kit.client(server, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/mail", TargetKeyId=key)
    sealed = kms.encrypt(
        KeyId="alias/mail", Plaintext=b"pass-word-1", EncryptionContext={"app": "mail"}
    )
    policy = blocks("json")[0].replace("KEY_ID", key)
    grant(server.data, "mailer", policy)
    grant(server.data, "other", policy.replace('": "mail"', '": "other"'))
    code = blocks("python")[0].replace("login(password())", "return password()")
    variables = {"PASSWORD": base64.b64encode(sealed["CiphertextBlob"]).decode()}
    for role in ("mailer", "other"):
        kit.create(
            aws, role, code, Role=f"arn:aws:iam::000000000000:role/{role}", Timeout=30,
            MemorySize=512, Environment={"Variables": variables},
        )  # fmt: skip

    assert kit.call(aws, "mailer")[0] == "pass-word-1"
    refused, _ = kit.call(aws, "other")
    assert "AccessDeniedException" in refused["errorMessage"]
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
