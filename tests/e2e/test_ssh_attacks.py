"""Attacks on the issuing CA from outside: signatures, roles, functions, the KMS, bodies, routes.

Each ends in a refusal, and no certificate is recorded, so none is signed. Those that need no server
are in `apps/bless/tests/test_bless_ca_attacks.py`.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import issuing_kit
from attacked_kit import BY_TOKEN
from dynimo.api.aws.sts import ROLE_SECONDS
from dynimo.identity.keyring import Keyring
from dynimo.identity.sessions import Sessions
from issuing_kit import OWN_NAME, Key
from tests.e2e import people
from tests.e2e.aws import kit
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

CA = "bless-ca"
MAY_ASK = people.may("lambda:InvokeFunction", kit.ARN + CA)
BY_NIGHT = """\
[[rules]]
name = "by night"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:role/night"]
[rules.allow]
principals = ["batch"]
source_addresses = "any"
valid_seconds = 60
"""
DEPUTY = """
import json, os, boto3
def handler(event, context):
    aws = boto3.client("lambda", endpoint_url=event["at"], region_name="us-east-1")
    answer = aws.invoke(FunctionName="bless-ca", Payload=json.dumps(event["asked"]),
                        ClientContext=event["context"])
    return json.loads(answer["Payload"].read())
"""


def asked(name: str, key: Key | None = None) -> dict[str, Any]:
    """An event that is in order, for one's own name."""
    key = key or Key()
    return {"do": "issue"} | key.proved(issuing_kit.asked(key, principals=[name]))


def told(aws: Any, event: Any, function: str = CA, **more: Any) -> Any:
    """What an invocation answers."""
    return kit.call(aws, function, event, **more)[0]


@dataclass
class Lab:
    """A CA in a server, its owner and two users who may ask it."""

    server: Server
    owner: Any
    ada: Any
    eve: Any
    keys: dict[str, str]

    def size(self) -> int:
        return int(told(self.owner, {"do": "audit", "what": "head"})["size"])

    def rows(self) -> list[dict[str, Any]]:
        found = told(self.owner, {"do": "audit", "what": "refusals"})["refusals"]
        return list(found)

    def refused(self, code: str, ask: Callable[[], Any]) -> dict[str, Any]:
        """Ask; the row of the refusal, when nothing was recorded."""
        size, rows = self.size(), len(self.rows())
        answer = ask()
        assert answer.get("error") == code, answer
        assert (self.size(), len(self.rows())) == (size, rows + 1)
        return self.rows()[-1]


@pytest.fixture(scope="module")
def lab(shared: Server, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("people")
    owner = kit.client(shared)
    key = kit.client(shared, "kms").create_key()["KeyMetadata"]["Arn"]
    policy = OWN_NAME + BY_NIGHT + BY_TOKEN.replace("KEY", key)
    made = told(owner, {"do": "init", "policy": policy, "origin": "lab"})
    assert "user_ca" in made, made
    users = (people.person(shared, folder, name, MAY_ASK) for name in ("ada", "eve"))
    clients = [kit.client(shared, **keys) for keys in users]
    return Lab(shared, owner, *clients, keys=made | {"kmsauth": key})


def test_what_is_attacked_works(lab: Lab) -> None:
    """Or nothing that follows would say anything."""
    assert "certificate" in told(lab.ada, asked("ada"))


def test_another_persons_name(lab: Lab) -> None:
    """Who signed is who asks, whatever stands beside the event."""
    forged = {"custom": {"caller": "arn:aws:iam::000000000000:user/ada"}, "caller": {
        "arn": "arn:aws:iam::000000000000:user/ada"}}  # fmt: skip
    context = base64.b64encode(json.dumps(forged).encode()).decode()
    row = lab.refused("denied", lambda: told(lab.eve, asked("ada"), ClientContext=context))
    assert row["caller"] == "arn:aws:iam::000000000000:user/eve"


def test_a_call_that_nobody_waits_for(lab: Lab, wait_until: Callable[..., None]) -> None:
    """Nobody is known to have made it."""
    size, rows = lab.size(), len(lab.rows())
    told(lab.ada, asked("ada"), InvocationType="Event")
    wait_until(lambda: len(lab.rows()) > rows)
    row = lab.rows()[-1]
    assert (row["code"], row["caller"], lab.size()) == ("denied", "", size)


def test_signatures_roles_and_names_that_the_platform_refuses(lab: Lab, tmp_path: Path) -> None:
    """A wrong secret, a changed session, no right, another qualifier, the CA's own role."""
    may = people.may("kms:*", "arn:aws:kms:*:*:key/no")
    stranger = people.person(lab.server, tmp_path, "mallory", may)
    forged = stranger | {"aws_secret_access_key": "x" * 40}
    sts = kit.client(lab.server, "sts", **stranger)
    size = lab.size()
    attacks = [
        lambda: told(kit.client(lab.server, **forged), asked("mallory")),
        lambda: told(kit.client(lab.server, **stranger), asked("mallory")),
        lambda: told(kit.client(lab.server, **stranger, aws_session_token="x"), asked("mallory")),
        lambda: told(lab.ada, asked("ada"), CA, Qualifier="prod"),
        lambda: told(lab.ada, asked("ada"), CA, Qualifier="7"),
        lambda: told(lab.ada, asked("ada"), "bless-user"),
        lambda: sts.assume_role(
            RoleArn="arn:aws:iam::000000000000:role/apps/bless-ca", RoleSessionName="ada"),
    ]  # fmt: skip
    for attack in attacks:
        with pytest.raises(ClientError) as caught:
            attack()
        assert kit.refused(caught.value)[0] in {403, 404}
    assert lab.size() == size


def test_a_session_that_is_called_as_a_user_is(lab: Lab, tmp_path: Path) -> None:
    """Whoever takes a role names its session."""
    user = {"AWS": "arn:aws:iam::000000000000:user/walter"}
    role = people.role(lab.server, tmp_path, "askers", user, MAY_ASK)
    keys = people.person(lab.server, tmp_path, "walter", people.may("sts:AssumeRole", "*"))
    session = people.session(lab.server, keys, role, "ada")
    row = lab.refused("denied", lambda: told(session, asked("ada")))
    assert row["caller"] == "arn:aws:sts::000000000000:assumed-role/askers/ada"


def test_a_session_that_has_ended_asks_nothing(lab: Lab, tmp_path: Path) -> None:
    """The shortest there is: certified a minute before it ends, refused a minute after.

    STS's own sessions, made as it makes them, by a clock that stood there then.
    """
    person = {"AWS": "arn:aws:iam::000000000000:user/nina"}
    people.role(lab.server, tmp_path, "night", person, MAY_ASK)

    def begun(seconds_ago: int) -> Any:
        keyring = Keyring(lab.server.data)
        try:
            sessions = Sessions(keyring.vault, lambda: time.time() - seconds_ago)
            role = keyring.require("role", "night")
            made, token = sessions.of_role(role, "nina", ROLE_SECONDS[0])
        finally:
            keyring.close()
        return kit.client(
            lab.server, aws_access_key_id=made.access_key, aws_secret_access_key=made.secret,
            aws_session_token=token,
        )  # fmt: skip

    holds, ended = (begun(ROLE_SECONDS[0] + seconds) for seconds in (-60, 60))
    assert told(holds, asked("batch"))["principals"] == ["batch"]
    size, rows = lab.size(), len(lab.rows())
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            told(ended, asked("batch"))
        assert kit.refused(caught.value) == (
            403, "ExpiredTokenException", "The security token included in the request is expired",
        )  # fmt: skip
    assert (lab.size(), len(lab.rows())) == (size, rows)  # it never came to the CA


def test_a_function_that_asks_for_somebody(lab: Lab, tmp_path: Path) -> None:
    """It is itself, with whatever it was handed; and the CA's keys sign for it as for nobody."""
    may = people.may("lambda:InvokeFunction", "*")
    role = people.role(lab.server, tmp_path, "deputy", people.LAMBDA, may)
    kit.create(lab.owner, "deputy", DEPUTY, Timeout=15, Role=role)
    event = {
        "at": f"http://127.0.0.1:{lab.server.port}", "asked": asked("ada"),
        "context": base64.b64encode(b'{"caller": {"arn": "x"}}').decode(),
    }  # fmt: skip
    row = lab.refused("denied", lambda: told(lab.owner, event, "deputy"))
    assert row["caller"].startswith("arn:aws:sts::000000000000:assumed-role/deputy/")


def test_the_kms_signs_for_the_ca_alone(lab: Lab, tmp_path: Path) -> None:
    """Nobody who may ask the CA may ask its keys; nor a user who may use other keys."""
    kms = kit.client(lab.server, "kms")
    keys = [each["KeyId"] for each in kms.list_keys()["Keys"]]
    assert len(keys) >= 3
    other = kms.create_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    may = {"signer": people.may("kms:*", other["Arn"]), "asker": people.may("lambda:*", "*")}
    for name, policy in may.items():
        aws = people.person(lab.server, tmp_path, name, policy)
        for key in keys:
            with pytest.raises(ClientError) as caught:
                kit.client(lab.server, "kms", **aws).sign(
                    KeyId=key, Message=b"x", SigningAlgorithm="ED25519_SHA_512"
                )
            assert kit.refused(caught.value)[1] == "AccessDeniedException"


BODIES = [
    b"\xff", b"{", b"[" * 100_000, b"NaN", b"[]", b"null", b'"x"', b'{"do": NaN}', b"{}",
    b'{"do": "issue", "request": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    b'{"do": "issue", "request": {"principals": ["' + b"a" * 5_000_000 + b'"]}}',
    b'{"do": "issue", "proof": "\\ud800"}', b'{"do": "issue", "do": "init"}',
]  # fmt: skip


def test_no_body_gets_more_than_a_refusal(lab: Lab) -> None:
    """By the platform where it is no JSON, else by the CA; it serves on."""
    size = lab.size()
    for body in BODIES:
        try:
            code = told(lab.ada, body)["error"]
        except ClientError as error:
            code = kit.refused(error)[1]
        assert code in {"invalid", "exists", "InvalidRequestContentException"}, body[:40]
    assert lab.size() == size
    assert "certificate" in told(lab.ada, asked("ada"))


def test_a_member_that_is_twice_counts_once(lab: Lab) -> None:
    """What is proved is what is certified, whichever of the two it is."""
    event = json.dumps(asked("ada"))
    twice = event.replace('"principals": ["ada"]', '"principals": ["root"], "principals": ["ada"]')
    assert told(lab.ada, twice.encode())["principals"] == ["ada"]
    twice = event.replace('"principals": ["ada"]', '"principals": ["ada"], "principals": ["root"]')
    lab.refused("unproved", lambda: told(lab.ada, twice.encode()))


def test_many_at_once_have_serials_of_their_own(lab: Lab) -> None:
    """And of one that comes many times, one is certified."""
    events = [asked("ada") for _ in range(16)]
    same = asked("ada")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda event: told(lab.ada, event), events))
        again = list(threads.map(lambda event: told(lab.ada, event), [same] * 8))
    assert len({each["serial"] for each in answers}) == len(events)
    assert len({each["record"] for each in answers}) == len(events)
    assert sorted("certificate" in each for each in again) == [False] * 7 + [True]
    assert {each["error"] for each in again if "error" in each} == {"used"}


def test_a_key_that_the_kms_does_not_use_signs_nothing(lab: Lab) -> None:
    """Recorded, refused, and after it as before."""
    kms = kit.client(lab.server, "kms")
    line = lab.keys["user_ca"].split(" ")[1]
    key = next(
        each["KeyId"] for each in kms.list_keys()["Keys"]
        if kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]["KeyUsage"] == "SIGN_VERIFY"
        and base64.b64decode(line)[-32:] in kms.get_public_key(KeyId=each["KeyId"])["PublicKey"]
    )  # fmt: skip
    kms.disable_key(KeyId=key)
    try:
        size, rows = lab.size(), len(lab.rows())
        answer = told(lab.ada, asked("ada"))
        assert answer["error"] == "unavailable", answer
        assert (lab.size(), len(lab.rows())) == (size + 1, rows + 1)
    finally:
        kms.enable_key(KeyId=key)
    assert "certificate" in told(lab.ada, asked("ada"))


@pytest.mark.parametrize("path", [
    "/ssh/ca/known_hosts?domains=*%0Aevil.example.org%20ssh-rsa",
    "/ssh/ca/known_hosts?domains=a%20b", "/ssh/ca/known_hosts?domains=%00",
    "/ssh/../ssh/krl", "/ssh/ca/user%00", "/ssh/ca.db", "/ssh/audit.db", "/ssh/%2e%2e/ca.db",
])  # fmt: skip
def test_what_is_public_is_only_what_is_public(lab: Lab, path: str) -> None:
    """No file of the state, and no line that somebody else wrote."""
    assert lab.server.get("/ssh/krl").body.startswith(b"SSHKRL")
    answer = lab.server.get(path)
    assert answer.status in {400, 404}, answer.body[:200]
    assert b"SQLite" not in answer.body


def test_no_token_is_kept_anywhere(lab: Lab) -> None:
    """Neither one that was believed nor one that was refused: no log, file or answer has it."""
    kms = kit.client(lab.server, "kms")
    token = people.kmsauth(kms, lab.keys["kmsauth"], "walter", "ssh")

    def tried(user: str, text: str, key: Key) -> Any:
        more = {"token": {"kmsauth": {"user": user, "token": text}}}
        return told(lab.ada, asked("walter", key) | more)

    key = Key()
    assert "certificate" in tried("walter", token, key)
    codes = [
        tried("walter", token, Key()),
        tried("ada", token, Key()),
        tried("walter", "!" + token, key),
    ]
    assert [each["error"] for each in codes] == ["used", "unproved", "unproved"]

    blob = base64.b64decode(token)
    held = lab.server.held() | {"answers": json.dumps(codes).encode()}
    assert any(key.public.sha256.encode() in data for data in held.values())  # what may be is seen
    for secret in (token[:64].encode(), blob[:48], blob[:48].hex().encode()):
        assert [place for place, data in held.items() if secret in data] == []
