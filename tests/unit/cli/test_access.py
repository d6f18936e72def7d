"""``dynimo env`` and ``dynimo access``: what a shell can use, secrets once, errors with codes."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynimo.cli import access, env
from dynimo.identity import vault
from dynimo.identity.keyring import Keyring

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "lambda:Get*", "Resource": "*"}],
    }
)
NAMES = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "da ta"


def _access(data: Path, *arguments: str, given: str = "", code: int = 0) -> str:
    ran = CliRunner().invoke(
        access.command, [*arguments, "--data", str(data)], input=given, standalone_mode=False
    )
    exit_code = getattr(ran.exception, "exit_code", ran.return_value)
    assert exit_code == code, (ran.output, ran.exception)
    return str(ran.exception) if ran.exception is not None else ran.stdout


def _json(data: Path, *arguments: str, given: str = "") -> Any:
    return json.loads(_access(data, *arguments, "--json", given=given))


def _env(data: Path, *arguments: str, **environment: str) -> str:
    ran = CliRunner(env=environment).invoke(env.command, ["--data", str(data), *arguments])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_env_prints_four_lines_that_a_shell_takes(data: Path) -> None:
    """Exactly those, the same each time, and of a key that works."""
    told = _env(data, "--port", "4999")
    lines = told.splitlines()

    assert [line.split("=")[0] for line in lines] == [f"export {name}" for name in NAMES]
    assert told == _env(data, "--port", "4999")
    shell = "; ".join(f"echo ${name}" for name in NAMES)
    values = subprocess.run(
        ["/bin/sh", "-c", f"{told}\n{shell}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout.splitlines()  # fmt: skip
    assert values[0] == "http://127.0.0.1:4999"
    assert values[3] == "us-east-1"
    keyring = Keyring(data)
    assert (values[1], values[2]) == keyring.development()
    keyring.close()
    assert json.loads(_env(data, "--port", "4999", "--json")) == dict(
        zip(NAMES, values, strict=True)
    )


@pytest.mark.parametrize(
    ("published", "environment", "address"),
    [
        ("", {}, "http://127.0.0.1:4566"),
        ("", {"DYNIMO_PORT": "4777"}, "http://127.0.0.1:4777"),
        ("", {"DYNIMO_PORT": "0"}, "http://127.0.0.1:4566"),
        ("http://127.0.0.1:4012\n", {"DYNIMO_PORT": "4777"}, "http://127.0.0.1:4012"),
        ("http://0.0.0.0:4012\n", {}, "http://127.0.0.1:4012"),
        ("http://::1:4012\n", {}, "http://[::1]:4012"),
    ],
)
def test_env_finds_the_server(
    data: Path, published: str, environment: dict[str, str], address: str
) -> None:
    """The one that runs on the data folder, else where one would."""
    data.mkdir()
    if published:
        (data / "address").write_text(published)
    (line, *_) = _env(data, **environment).splitlines()
    assert shlex.split(line)[1] == f"AWS_ENDPOINT_URL={address}"


def test_env_tells_the_servers_region(data: Path) -> None:
    """As the server noted it, whatever the shell's own settings are."""
    from dynimo.identity.config import Config

    told = json.loads(_env(data, "--json", DYNIMO_IDENTITY_REGION="eu-west-3"))
    assert told["AWS_DEFAULT_REGION"] == "eu-west-3"
    Keyring(data, Config(region="eu-west-1"), serving=True).close()
    assert json.loads(_env(data, "--json"))["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_a_users_life(data: Path) -> None:
    """Made, given a key and a policy, shown, disabled, removed."""
    assert _json(data, "user", "add", "ada")["Arn"] == "arn:aws:iam::000000000000:user/ada"
    key = _json(data, "key", "add", "ada")
    secret = key["SecretAccessKey"]
    attached = _json(data, "policy", "attach", "--user", "ada", "read", "-", given=POLICY)
    assert attached == {"PolicyName": "read", "Of": "user/ada"}
    (row,) = _json(data, "user", "list")["Users"]
    assert (row["AccessKeys"], row["Policies"]) == ([key["AccessKeyId"]], ["read"])
    shown = _json(data, "policy", "list", "--user", "ada")["Policies"]
    assert shown == {"read": json.loads(POLICY)}

    for arguments in (("user", "list"), ("key", "list"), ("key", "list", "ada"), ("role", "list")):
        assert secret not in _access(data, *arguments)
        assert secret not in _access(data, *arguments, "--json")
    _access(data, "key", "disable", key["AccessKeyId"])
    assert _json(data, "key", "list", "ada")["AccessKeys"][0]["Status"] == "Inactive"
    _access(data, "key", "disable", "--undo", key["AccessKeyId"])
    assert _json(data, "key", "list", "ada")["AccessKeys"][0]["Status"] == "Active"
    _access(data, "policy", "remove", "--user", "ada", "read")
    _access(data, "key", "remove", key["AccessKeyId"])
    assert _json(data, "key", "list")["AccessKeys"] == []
    assert _json(data, "user", "remove", "ada")["AccessKeysRemoved"] == 0
    assert _json(data, "user", "list") == {"Users": []}


def test_a_roles_life(data: Path, tmp_path: Path) -> None:
    """With its account's trust by default, or that of a file."""
    made = _json(data, "role", "add", "worker")
    principal = made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert principal["AWS"] == "arn:aws:iam::000000000000:root"
    trust = tmp_path / "trust.json"
    trust.write_text(
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},'
        '"Action":"sts:AssumeRole"}}'
    )
    other = _json(data, "role", "add", "guest", "--trust", str(trust), "--account", "1" * 12)
    assert other["Arn"] == "arn:aws:iam::111111111111:role/guest"
    _access(data, "policy", "attach", "--role", "worker", "read", "-", given=POLICY)
    assert "worker" in _access(data, "role", "list")
    _access(data, "role", "remove", "worker")
    assert _access(data, "role", "list") == "no roles\n"


@pytest.mark.parametrize(
    ("arguments", "given", "code", "said"),
    [
        (("user", "remove", "nobody"), "", 3, "cannot be found"),
        (("key", "add", "nobody"), "", 3, "cannot be found"),
        (("key", "remove", "AKIANONE"), "", 3, "There is no access key"),
        (("user", "add", "a b"), "", 1, "is no name of a user"),
        (("user", "add", "a", "--account", "12"), "", 1, "it has 12 digits"),
        (("policy", "attach", "--user", "nobody", "p", "-"), POLICY, 3, "cannot be found"),
        (("policy", "attach", "--user", "nobody", "p", "-"), "{", 1, "cannot be used"),
        (("policy", "attach", "--user", "nobody", "p", "/no/such"), "", 3, "No such file"),
        (("policy", "list"), "", 2, "name --user or --role"),
        (("role", "add", "r", "--trust", "-"), POLICY, 1, "prohibited field Resource"),
    ],
)
def test_mistakes_have_words_and_codes(
    data: Path, arguments: tuple[str, ...], given: str, code: int, said: str
) -> None:
    """Never a traceback."""
    assert said in _access(data, *arguments, given=given, code=code)


def test_another_users_keys_are_not_allowed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4, as the manual says of the rights on a file; it is no wrong configuration."""

    def denied(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(vault, "_make", denied)

    assert "master.key: Permission denied. Keys are for whoever" in _access(
        data, "user", "list", code=4
    )


def test_the_verbs_are_in_the_list(data: Path) -> None:
    """From the real program; the first key is announced, on standard error."""
    run = [sys.executable, "-m", "dynimo"]
    helped = subprocess.run([*run, "--help"], capture_output=True, text=True, timeout=60)
    assert "env " in helped.stdout
    assert "access " in helped.stdout
    subprocess.run(
        [*run, "access", "user", "add", "ada", "--everything", "--data", str(data)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    added = subprocess.run(
        [*run, "access", "key", "add", "ada", "--data", str(data)],
        capture_output=True, text=True, timeout=60, env={**os.environ},
    )  # fmt: skip
    assert added.returncode == 0
    assert "(shown once)" in added.stdout
    assert "From now on every request needs a key." in added.stderr
