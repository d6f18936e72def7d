"""Who asks a running server, for tests: users, roles, sessions, kmsauth tokens. No asserts."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.aws import kit
from tests.e2e.serving import Server

SECONDS = 120
LAMBDA = {"Service": "lambda.amazonaws.com"}
"""Whom the role of a function trusts."""


def may(actions: str | list[str], resource: str | list[str], **more: Any) -> str:
    """A policy of one statement that allows."""
    allowed = {"Effect": "Allow", "Action": actions, "Resource": resource} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


def person(server: Server, folder: Path, name: str, policy: str) -> dict[str, str]:
    """A user with one policy and one key: their boto3 keys."""
    _access(server, "user", "add", name)
    _attach(server, folder, "user", name, policy)
    made = json.loads(_access(server, "key", "add", name))
    return {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
    }


def role(server: Server, folder: Path, name: str, trusted: dict[str, str], policy: str) -> str:
    """A role with one policy, that whoever is trusted takes on: its ARN."""
    allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}
    trust = folder / f"{name}.trust.json"
    trust.write_text(json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    _access(server, "role", "add", name, "--trust", str(trust))
    _attach(server, folder, "role", name, policy)
    return f"arn:aws:iam::000000000000:role/{name}"


def session(server: Server, keys: dict[str, str], role: str, name: str) -> Any:
    """boto3's client of a role that a user took on."""
    sts = kit.client(server, "sts", **keys)
    given = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
    return kit.client(
        server, aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"], aws_session_token=given["SessionToken"],
    )  # fmt: skip


def kmsauth(kms: Any, key: str, user: str, to: str) -> str:
    """A token for a service, good from 3 minutes ago for 10, as kmsauth's client makes it."""
    now = datetime.now(UTC)
    times = {
        name: (now + timedelta(minutes=minutes)).strftime("%Y%m%dT%H%M%SZ")
        for name, minutes in (("not_before", -3), ("not_after", 7))
    }
    blob = kms.encrypt(
        KeyId=key, Plaintext=json.dumps(times),
        EncryptionContext={"to": to, "from": user, "user_type": "user"},
    )["CiphertextBlob"]  # fmt: skip
    return base64.b64encode(blob).decode()


def _attach(server: Server, folder: Path, sort: str, name: str, policy: str) -> None:
    path = folder / f"{name}.json"
    path.write_text(policy)
    _access(server, "policy", "attach", f"--{sort}", name, "only", str(path))


def _access(server: Server, *words: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "dynimo", "access", *words, "--json", "--data", str(server.data)],
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    return ran.stdout
