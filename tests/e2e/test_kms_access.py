"""Who may use which key, through boto3: the caller's policies, the key's policy, its conditions."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.kms_kit import ACCOUNT, EVERYTHING, OTHER, REGION, Platform, made

DENIED = "AccessDeniedException"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    served = Platform(tmp_path_factory.mktemp("kms"))
    yield served
    served.stop()


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    """What the KMS logs, as the members of its lines."""
    lines: list[dict[str, Any]] = []

    class Listening(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            lines.append({**vars(record), "message": record.getMessage()})
            return True

    logger, handler = logging.getLogger("dynimo.kms"), Listening()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate


def code(call: Callable[..., Any], **asked: Any) -> str:
    """How it ended: the code of a refusal, or ok."""
    try:
        call(**asked)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def arn(key: str) -> str:
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def to(principal: str, action: str = "kms:*", **more: Any) -> dict[str, Any]:
    return allow(action, Principal={"AWS": principal}, **more)


def user(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:user/{name}"


def root(account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:root"


def test_nobody_may_do_anything_unless_a_policy_says_so(platform: Platform) -> None:
    """Every single operation that is served, whether the key is there or not."""
    nobody = platform.user("nobody")
    blob = platform.root.encrypt(KeyId=made(platform.root), Plaintext=b"s")["CiphertextBlob"]
    missing = "00000000-0000-4000-8000-000000000000"
    absent = blob[:1] + bytes(16) + blob[17:]
    assert code(nobody.decrypt, CiphertextBlob=absent) == DENIED
    names = {api: name for name, api in nobody.meta.method_to_api_mapping.items()}
    for key in (made(platform.root), missing):
        asked = {
            "KeyId": key, "TargetKeyId": key, "DestinationKeyId": key, "AliasName": "alias/x",
            "Plaintext": b"x", "Message": b"x", "Signature": b"x", "TagKeys": ["x"], "Tags": [],
            "SigningAlgorithm": "ECDSA_SHA_256", "NumberOfBytes": 1, "CiphertextBlob": blob,
            "Policy": EVERYTHING,
        }  # fmt: skip
        for operation in platform.operations:
            model = nobody.meta.service_model.operation_model(operation)
            given = {name: asked[name] for name in model.input_shape.members if name in asked}
            if operation == "CreateKey":
                del given["Policy"]
            assert code(getattr(nobody, names[operation]), **given) == DENIED, operation


def test_a_user_may_what_his_policy_says_and_no_more(platform: Platform) -> None:
    """One action on one key; the default key policy leaves it to the account's policies."""
    key, other = made(platform.root), made(platform.root)
    reader = platform.user("reader", policy(allow(["kms:Encrypt"], arn(key))))

    assert code(reader.encrypt, KeyId=key, Plaintext=b"s") == "ok"
    assert code(reader.encrypt, KeyId=other, Plaintext=b"s") == DENIED
    assert code(reader.disable_key, KeyId=key) == DENIED
    blob = platform.root.encrypt(KeyId=key, Plaintext=b"s")["CiphertextBlob"]
    assert code(reader.decrypt, CiphertextBlob=blob) == DENIED


def test_the_key_policy_has_the_last_word(platform: Platform) -> None:
    """Without the account in it, its own users' policies count for nothing; it names who may."""
    platform.user("plain", EVERYTHING)
    boss = platform.user("boss", EVERYTHING)
    named = platform.user("named")
    key = made(boss, Policy=policy(to(user("boss")), to(user("named"), "kms:Encrypt")))

    assert code(platform.root.encrypt, KeyId=key, Plaintext=b"s") == DENIED
    assert code(platform.root.put_key_policy, KeyId=key, Policy=policy(to(root()))) == DENIED
    assert code(named.encrypt, KeyId=key, Plaintext=b"s") == "ok"
    assert code(named.describe_key, KeyId=key) == DENIED
    boss.put_key_policy(KeyId=key, Policy=policy(to(root()), to(user("named"), "kms:Encrypt")))
    assert code(platform.root.encrypt, KeyId=key, Plaintext=b"s") == "ok"


def test_a_deny_wins_wherever_it_stands(platform: Platform) -> None:
    """In the key's policy, or in the caller's."""
    key = made(platform.root)
    deny = {**to(user("denied"), "kms:Decrypt"), "Effect": "Deny"}
    platform.root.put_key_policy(KeyId=key, Policy=policy(to(root()), deny))
    blob = platform.root.encrypt(KeyId=key, Plaintext=b"s")["CiphertextBlob"]
    denied = platform.user("denied", EVERYTHING)
    own = policy(allow("*"), {**allow("kms:Encrypt", arn(key)), "Effect": "Deny"})
    other = platform.user("other", own)

    assert code(denied.decrypt, CiphertextBlob=blob) == DENIED
    assert code(denied.encrypt, KeyId=key, Plaintext=b"s") == "ok"
    assert code(other.encrypt, KeyId=key, Plaintext=b"s") == DENIED


def test_another_account_needs_both_sides(platform: Platform) -> None:
    """Its own policy and the key's; whether a closed key is there, it does not learn."""
    stranger = platform.user("stranger", EVERYTHING, account=OTHER)
    key, alias = made(platform.root), f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/shared"
    platform.root.create_alias(AliasName="alias/shared", TargetKeyId=key)
    blob = platform.root.encrypt(KeyId=key, Plaintext=b"s")["CiphertextBlob"]

    assert code(stranger.decrypt, CiphertextBlob=blob) == DENIED
    for name in (arn(key), alias, arn("none"), alias + "none"):
        assert code(stranger.encrypt, KeyId=name, Plaintext=b"s") == DENIED
    assert code(stranger.describe_key, KeyId=key) == "NotFoundException"
    platform.root.put_key_policy(KeyId=key, Policy=policy(to(root()), to(root(OTHER), "kms:*")))
    assert code(stranger.decrypt, CiphertextBlob=blob) == "ok"
    assert code(stranger.encrypt, KeyId=alias, Plaintext=b"s") == "ok"
    weak = platform.user("weak", account=OTHER)
    assert code(weak.decrypt, CiphertextBlob=blob) == DENIED
    for call in (stranger.disable_key, stranger.get_key_policy, stranger.schedule_key_deletion):
        assert code(call, KeyId=arn(key)) == DENIED
    assert stranger.list_keys()["Keys"] == []


def test_conditions_on_the_encryption_context_hold(platform: Platform) -> None:
    """In both kinds of policies, by value and by the names that are there."""
    key = made(platform.root)
    condition = {
        "StringEquals": {"kms:EncryptionContext:to": "ssh", "kms:CallerAccount": ACCOUNT},
        "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["to", "from"]},
    }
    bound = platform.user("bound", policy(allow("kms:*", arn(key), Condition=condition)))

    def encrypt(**context: str) -> str:
        return code(bound.encrypt, KeyId=key, Plaintext=b"s", EncryptionContext=context)

    assert encrypt(to="ssh") == "ok"
    assert encrypt(to="ssh", **{"from": "a"}) == "ok"
    assert encrypt(to="other") == DENIED
    assert encrypt() == DENIED
    assert encrypt(to="ssh", more="x") == DENIED
    assert encrypt(TO="other", to="ssh") == "ValidationException"


def test_conditions_on_the_algorithm_alias_and_tags_hold(platform: Platform) -> None:
    """kms:SigningAlgorithm, kms:MessageType, kms:RequestAlias, kms:ResourceAliases, tags."""
    key = made(platform.root, "ECC_NIST_P256", Tags=[{"TagKey": "team", "TagValue": "a"}])
    platform.root.create_alias(AliasName="alias/signer", TargetKeyId=key)
    conditions = {
        "algorithm": {"kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "RAW"},
        "alias": {"kms:RequestAlias": "alias/signer"},
        "aliases": {"kms:ResourceAliases": "alias/signer"},
        "tag": {"aws:ResourceTag/team": "a", "kms:KeySpec": "ECC_NIST_P256"},
        "wrong": {"aws:ResourceTag/team": "b"},
    }
    clients = {
        name: platform.user(
            f"by-{name}", policy(allow("kms:Sign", Condition={"StringEquals": each}))
        )
        for name, each in conditions.items()
    }
    raw = {"Message": b"x" * 32, "SigningAlgorithm": "ECDSA_SHA_256"}

    def sign(name: str, key_id: str, **more: str) -> str:
        return code(clients[name].sign, KeyId=key_id, **raw, **more)

    assert sign("algorithm", key) == "ok"
    assert sign("algorithm", key, MessageType="DIGEST") == DENIED
    assert (sign("alias", "alias/signer"), sign("alias", key)) == ("ok", DENIED)
    assert (sign("aliases", key), sign("tag", key), sign("wrong", key)) == ("ok", "ok", DENIED)


def test_who_changes_an_alias_needs_it_and_the_keys(platform: Platform) -> None:
    """The alias's ARN in his own policies, and both keys."""
    first, second = made(platform.root), made(platform.root)
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/held"
    only_alias = platform.user("only-alias", policy(allow("kms:*", alias)))
    only_key = platform.user("only-key", policy(allow("kms:*", arn(first))))
    both = platform.user("both", policy(allow("kms:*", [alias, arn(first)])))
    create = {"AliasName": "alias/held", "TargetKeyId": first}

    assert code(only_alias.create_alias, **create) == DENIED
    assert code(only_key.create_alias, **create) == DENIED
    assert code(both.create_alias, **create) == "ok"
    assert code(both.update_alias, AliasName="alias/held", TargetKeyId=second) == DENIED
    assert code(only_alias.delete_alias, AliasName="alias/held") == DENIED
    assert code(both.delete_alias, AliasName="alias/held") == "ok"


def test_a_role_and_its_session_policy_count(platform: Platform) -> None:
    """A key policy may name a role; a session's policy narrows what the role may."""
    trust = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": root()}})
    platform.keyring.add("role", "signer", trust=trust)
    role = f"arn:aws:iam::{ACCOUNT}:role/signer"
    key = made(platform.root, Policy=policy(to(root()), to(role, "kms:Encrypt")))
    sts = platform.user("sts", EVERYTHING, service="sts")

    def session(**narrowed: str) -> Any:
        given = sts.assume_role(RoleArn=role, RoleSessionName="one", **narrowed)["Credentials"]
        return platform.client(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
        )

    assert code(session().encrypt, KeyId=key, Plaintext=b"s") == "ok"
    assert code(session().disable_key, KeyId=key) == DENIED
    narrow = session(Policy=policy(allow("kms:Decrypt")))
    assert code(narrow.encrypt, KeyId=key, Plaintext=b"s") == DENIED


def test_a_wrong_secret_or_another_services_scope_is_refused(platform: Platform) -> None:
    """The door proves who asks before anything else."""
    key = platform.root._request_signer._credentials.access_key
    assert code(platform.client(key, "x" * 40).list_keys) == "InvalidSignatureException"
    assert code(platform.client("AKIANOBODY", "x" * 40).list_keys) == "UnrecognizedClientException"


def test_every_call_leaves_a_line_without_what_is_secret(
    platform: Platform, heard: list[dict[str, Any]]
) -> None:
    """Who, what, which key, how it ended; refused ones too. No plaintext, no context's value."""
    key = made(platform.root)
    mute = platform.user("mute")
    heard.clear()
    context = {"EncryptionContext": {"name": "context-value"}}
    platform.root.encrypt(KeyId=key, Plaintext=b"top-secret", **context)
    code(mute.encrypt, KeyId=key, Plaintext=b"top-secret", **context)
    code(mute.encrypt, KeyId="a\nkms:Encrypt b by c: ok", Plaintext=b"top-secret")

    named = [(each["operation"], each["key"], each["caller"], each["result"]) for each in heard]
    forged = arn("a?kms:Encrypt b by c: ok")
    assert named == [
        ("kms:Encrypt", arn(key), user("root"), "ok"),
        ("kms:Encrypt", arn(key), user("mute"), DENIED),
        ("kms:Encrypt", forged, user("mute"), DENIED),
    ]
    assert all(each["request"] for each in heard)
    assert "\n" not in "".join(each["message"] for each in heard)
    for hidden in ("top-secret", "dG9wLXNlY3JldA", "context-value"):
        assert hidden not in str(heard)


def test_a_change_of_either_policy_counts_at_the_next_call(platform: Platform) -> None:
    """What was allowed before is remembered only as long as both policies are what they were."""
    key = made(platform.root)
    platform.user("changing")
    given = policy(allow("kms:Encrypt", arn(key)))
    platform.keyring.attach("user", "changing", "p", given)
    access, secret = platform.keyring.add_key("changing")
    kms = platform.client(access.id, secret)

    def encrypt() -> str:
        return code(kms.encrypt, KeyId=key, Plaintext=b"s")

    assert [encrypt(), encrypt()] == ["ok", "ok"]
    platform.root.put_key_policy(KeyId=key, Policy=policy(to(user("root"))))
    assert encrypt() == DENIED
    platform.root.put_key_policy(KeyId=key, Policy=policy(to(root())))
    assert [encrypt(), encrypt()] == ["ok", "ok"]
    platform.keyring.detach("user", "changing", "p")
    assert encrypt() == DENIED
    conditional = policy(
        allow("kms:Encrypt", arn(key), Condition={"StringEquals": {"kms:EncryptionContext:a": "1"}})
    )
    platform.keyring.attach("user", "changing", "p", conditional)
    right = {"KeyId": key, "Plaintext": b"s", "EncryptionContext": {"a": "1"}}
    assert code(kms.encrypt, **right) == "ok"
    assert encrypt() == DENIED


def test_a_condition_of_the_key_policy_is_asked_every_time(platform: Platform) -> None:
    """That it held once is nothing."""
    condition = {"StringEquals": {"kms:EncryptionContext:a": "1"}}
    named = to(user("once"), "kms:Encrypt", Condition=condition)
    key = made(platform.root, Policy=policy(to(root()), named))
    once = platform.user("once")
    asked = {"KeyId": key, "Plaintext": b"s"}

    assert code(once.encrypt, **asked, EncryptionContext={"a": "1"}) == "ok"
    assert code(once.encrypt, **asked, EncryptionContext={"a": "2"}) == DENIED
    assert code(once.encrypt, **asked) == DENIED
