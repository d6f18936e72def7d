"""The KMS through an unmodified boto3, over a real server: what keys do, and what is refused.

Answers are held against botocore's service model; moto is no measure here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.kms_kit import ACCOUNT, REGION, Platform, made

COMMON = {"ValidationException", "SerializationException", "AccessDeniedException"}
DAY = 86_400


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    served = Platform(tmp_path_factory.mktemp("kms"))
    yield served
    served.stop()


@pytest.fixture
def kms(platform: Platform) -> Any:
    platform.clock = None
    return platform.root


def refused(call: Callable[..., Any], **asked: Any) -> str:
    """The code of a refusal, which the service model knows for that operation."""
    with pytest.raises(ClientError) as caught:
        call(**asked)
    code = str(caught.value.response["Error"]["Code"])
    client = call.__self__  # type: ignore[attr-defined]
    operation = client.meta.method_to_api_mapping[call.__name__]
    model = client.meta.service_model.operation_model(operation)
    assert code in {shape.name for shape in model.error_shapes} | COMMON
    return code


def arn(key: str) -> str:
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"


def test_a_secret_comes_back_with_its_context(kms: Any) -> None:
    """Encrypt and Decrypt, by id, ARN, alias and alias's ARN; the ciphertext names its key."""
    key = made(kms)
    kms.create_alias(AliasName="alias/names", TargetKeyId=key)
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/names"
    for name in (key, arn(key), "alias/names", alias):
        sealed = kms.encrypt(KeyId=name, Plaintext=b"secret", EncryptionContext={"to": "b"})
        asked = {"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": {"to": "b"}}
        assert kms.decrypt(**asked)["Plaintext"] == b"secret"
        assert kms.decrypt(KeyId=name, **asked)["KeyId"] == sealed["KeyId"] == arn(key)


def test_another_context_is_an_invalid_ciphertext(kms: Any) -> None:
    """A missing one, another value, one more pair; the order does not matter."""
    key = made(kms)
    context = {"from": "a", "to": "b"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"s", EncryptionContext=context)["CiphertextBlob"]

    for other in ({}, {"from": "a"}, context | {"to": "c"}, context | {"x": ""}):
        code = refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=other)
        assert code == "InvalidCiphertextException"
    turned = {"to": "b", "from": "a"}
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=turned)["Plaintext"] == b"s"


def test_a_ciphertext_that_was_touched_is_invalid(kms: Any) -> None:
    """One bit in every byte, header included (the engines' suite flips each bit), and cut ones."""
    blob = kms.encrypt(KeyId=made(kms), Plaintext=b"s")["CiphertextBlob"]
    changed = [
        blob[:at] + bytes([blob[at] ^ 1 << at % 8]) + blob[at + 1 :] for at in range(len(blob))
    ]

    for each in [*changed, blob[:-1], blob + b"\0", blob[:17], b"x"]:
        assert refused(kms.decrypt, CiphertextBlob=each) == "InvalidCiphertextException"


def test_a_key_does_not_open_what_another_sealed(kms: Any) -> None:
    """With KeyId the key has to be that one; with another's id in the header it does not open."""
    first, second = made(kms), made(kms)
    blob = kms.encrypt(KeyId=first, Plaintext=b"s")["CiphertextBlob"]
    other = kms.encrypt(KeyId=second, Plaintext=b"s")["CiphertextBlob"]

    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=second) == "IncorrectKeyException"
    mixed = other[:17] + blob[17:]
    assert refused(kms.decrypt, CiphertextBlob=mixed) == "InvalidCiphertextException"


def test_limits_are_those_of_the_model(kms: Any) -> None:
    """4096 bytes of plaintext or message, 6144 of ciphertext, 8192 of context."""
    key, signer = made(kms), made(kms, "ECC_NIST_EDWARDS25519")
    sign = {"KeyId": signer, "SigningAlgorithm": "ED25519_SHA_512"}
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x" * 4096, EncryptionContext={"k": "v" * 8191})[
        "CiphertextBlob"
    ]

    assert len(sealed) <= 6144
    assert kms.sign(Message=b"x" * 4096, **sign)["Signature"]
    for call, asked in (
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x" * 4097}),
        (kms.encrypt, {"KeyId": key, "Plaintext": b""}),
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x", "EncryptionContext": {"k": "v" * 8192}}),
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x", "EncryptionContext": {"k": "", "K": ""}}),
        (kms.decrypt, {"CiphertextBlob": b"x" * 6145}),
        (kms.sign, {"Message": b"x" * 4097, **sign}),
        (kms.generate_random, {"NumberOfBytes": 1025}),
        (kms.generate_random, {}),
        (kms.generate_data_key, {"KeyId": key}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256", "NumberOfBytes": 3}),
        (kms.schedule_key_deletion, {"KeyId": key, "PendingWindowInDays": 6}),
        (kms.list_keys, {"Limit": 1001}),
    ):
        assert refused(call, **asked) == "ValidationException"


def test_data_keys_open_to_themselves(kms: Any) -> None:
    """GenerateDataKey, with and without plaintext; GenerateRandom."""
    key = made(kms)
    context = {"a": "b"}
    given = kms.generate_data_key(KeyId=key, KeySpec="AES_128", EncryptionContext=context)
    hidden = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=100)

    blob = given["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]
    assert opened == given["Plaintext"]
    assert len(opened) == 16
    assert "Plaintext" not in hidden
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 100
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024


def test_a_ciphertext_moves_to_another_key(kms: Any) -> None:
    """ReEncrypt: the plaintext is not told, context and key change."""
    old, new = made(kms), made(kms)
    blob = kms.encrypt(KeyId=old, Plaintext=b"s", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=new,
        DestinationEncryptionContext={"a": "2"},
    )
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "2"})

    assert (moved["SourceKeyId"], moved["KeyId"]) == (arn(old), arn(new))
    assert (opened["Plaintext"], opened["KeyId"]) == (b"s", arn(new))


def test_rsa_keys_encrypt_too(kms: Any) -> None:
    """With the algorithm that is named, up to what fits, without a context."""
    key = made(kms, "RSA_2048", "ENCRYPT_DECRYPT")
    named = {"KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = kms.encrypt(Plaintext=b"s", **named)["CiphertextBlob"]

    assert kms.decrypt(CiphertextBlob=blob, **named)["Plaintext"] == b"s"
    changed = {"CiphertextBlob": blob[:-1] + bytes([blob[-1] ^ 1]), **named}
    assert refused(kms.decrypt, **changed) == "InvalidCiphertextException"
    assert refused(kms.encrypt, Plaintext=b"x" * 191, **named) == "ValidationException"
    context = {"EncryptionContext": {"a": "b"}}
    assert refused(kms.encrypt, Plaintext=b"x", **named, **context) == "ValidationException"
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == "InvalidKeyUsageException"


def _checked(key: Any, signature: bytes, message: bytes, algorithm: str) -> None:
    """Verify by ``cryptography`` alone; raises if it does not hold."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, message)
        return
    hashed = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[
        algorithm[-3:]
    ]
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(hashed))
        return
    assert isinstance(key, rsa.RSAPublicKey)
    pss = padding.PSS(mgf=padding.MGF1(hashed), salt_length=hashed.digest_size)
    key.verify(signature, message, pss if "_PSS_" in algorithm else padding.PKCS1v15(), hashed)


@pytest.mark.parametrize(
    "spec",
    ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519"],
)
def test_signatures_hold_outside(kms: Any, spec: str) -> None:
    """By every algorithm, of the message and of its digest, checked by another hand and Verify."""
    key = made(kms, spec)
    told = kms.get_public_key(KeyId=key)
    public = load_der_public_key(told["PublicKey"])
    for algorithm in told["SigningAlgorithms"]:
        named = {"KeyId": key, "SigningAlgorithm": algorithm}
        given = [{"Message": b"hello", "MessageType": "RAW"}]
        if spec != "ECC_NIST_EDWARDS25519":
            digest = hashlib.new(f"sha{algorithm[-3:]}", b"hello").digest()
            given.append({"Message": digest, "MessageType": "DIGEST"})
        for each in given:
            signature = kms.sign(**named, **each)["Signature"]
            _checked(public, signature, b"hello", algorithm)
            assert kms.verify(**named, **each, Signature=signature)["SignatureValid"] is True
            wrong = {**each, "Message": each["Message"][:-1] + b"?"}
            code = refused(kms.verify, **named, **wrong, Signature=signature)
            assert code == "KMSInvalidSignatureException"


def test_the_longest_key_signs(kms: Any) -> None:
    """RSA_4096, which is made in a thread."""
    key = made(kms, "RSA_4096")
    asked = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_512"}

    assert len(kms.sign(**asked)["Signature"]) == 512


def test_a_key_is_for_what_it_was_made_for(kms: Any) -> None:
    """Usage, algorithm and message type have to fit."""
    key, p256, ed = made(kms), made(kms, "ECC_NIST_P256"), made(kms, "ECC_NIST_EDWARDS25519")

    def sign(key: str, algorithm: str, **asked: Any) -> str:
        asked = {"Message": b"x", **asked}
        return refused(kms.sign, KeyId=key, SigningAlgorithm=algorithm, **asked)

    assert sign(key, "ECDSA_SHA_256") == "InvalidKeyUsageException"
    assert sign(p256, "ECDSA_SHA_384") == "InvalidKeyUsageException"
    assert sign(p256, "NONSENSE") == "InvalidKeyUsageException"
    assert sign(ed, "ED25519_PH_SHA_512") == "InvalidKeyUsageException"
    digest = {"MessageType": "DIGEST", "Message": b"x" * 64}
    assert sign(ed, "ED25519_SHA_512", **digest) == "ValidationException"
    assert sign(p256, "ECDSA_SHA_256", **digest) == "ValidationException"
    assert refused(kms.encrypt, KeyId=p256, Plaintext=b"x") == "InvalidKeyUsageException"
    assert refused(kms.generate_data_key, KeyId=ed, KeySpec="AES_256") == "InvalidKeyUsageException"
    assert refused(kms.get_public_key, KeyId=key) == "UnsupportedOperationException"


def test_what_cannot_be_made_is_refused(kms: Any) -> None:
    """Kinds that are not served, other origins, several regions, a policy that locks out."""
    unsupported: tuple[dict[str, Any], ...] = (
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"},
        {"Origin": "EXTERNAL"},
        {"CustomKeyStoreId": "x"},
        {"MultiRegion": True},
    )
    for asked in unsupported:
        assert refused(kms.create_key, **asked) == "UnsupportedOperationException"
    assert refused(kms.create_key, KeySpec="ECC_NIST_P256") == "ValidationException"
    locked = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":'
        '"arn:aws:iam::000000000000:user/nobody"},"Action":"kms:*","Resource":"*"}}'
    )
    for policy in (locked, "{}", "nonsense"):
        assert refused(kms.create_key, Policy=policy) == "MalformedPolicyDocumentException"
    assert kms.create_key(Policy=locked, BypassPolicyLockoutSafetyCheck=True)


def test_a_disabled_key_does_nothing_until_it_is_enabled(kms: Any) -> None:
    """It is told, but not used."""
    key, signer = made(kms), made(kms, "ECC_NIST_P256")
    blob = kms.encrypt(KeyId=key, Plaintext=b"s")["CiphertextBlob"]
    for each in (key, signer):
        kms.disable_key(KeyId=each)

    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"s") == "DisabledException"
    assert refused(kms.decrypt, CiphertextBlob=blob) == "DisabledException"
    assert refused(kms.generate_data_key, KeyId=key, KeySpec="AES_256") == "DisabledException"
    sign = {"KeyId": signer, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    assert refused(kms.sign, **sign) == "DisabledException"
    assert refused(kms.get_public_key, KeyId=signer) == "DisabledException"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"s"


def test_a_key_waits_for_its_deletion_and_is_then_gone(platform: Platform, kms: Any) -> None:
    """Unusable at once, saved by CancelKeyDeletion, erased with its aliases when its time comes."""
    key = made(kms)
    kms.create_alias(AliasName="alias/ending", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"s")["CiphertextBlob"]
    platform.clock = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"].timestamp()
    told = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

    assert told["DeletionDate"].timestamp() == pytest.approx(platform.clock + 7 * DAY, abs=1)
    for call, asked in (
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.enable_key, {"KeyId": key}),
        (kms.schedule_key_deletion, {"KeyId": key}),
        (kms.create_alias, {"AliasName": "alias/late", "TargetKeyId": key}),
    ):
        assert refused(call, **asked) == "KMSInvalidStateException"
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == arn(key)
    assert refused(kms.cancel_key_deletion, KeyId=key) == "KMSInvalidStateException"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"s"

    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    platform.clock += 7 * DAY + 1
    assert refused(kms.describe_key, KeyId=key) == "NotFoundException"
    assert refused(kms.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"
    assert key not in {each["KeyId"] for each in kms.list_keys(Limit=1000)["Keys"]}
    assert platform.keys.alias(ACCOUNT, "alias/ending") is None


def test_keys_and_aliases_are_listed_in_pages(kms: Any) -> None:
    """boto3's paginators see every one once."""
    wanted = {made(kms) for _ in range(5)}
    for number, key in enumerate(sorted(wanted)):
        kms.create_alias(AliasName=f"alias/page/{number}", TargetKeyId=key)

    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    listed = [each["KeyId"] for page in pages for each in page["Keys"]]
    assert len(listed) == len(set(listed))
    assert wanted <= set(listed)
    aliases = kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 2})
    named = [each for page in aliases for each in page["Aliases"]]
    assert {each["TargetKeyId"] for each in named} >= wanted
    of_one = kms.list_aliases(KeyId=sorted(wanted)[3])["Aliases"]
    assert [each["AliasName"] for each in of_one] == ["alias/page/3"]


def test_an_alias_comes_to_name_another_key(kms: Any) -> None:
    """What the old one sealed still opens; an alias never moves to a key of another use."""
    old, new, signer = made(kms), made(kms), made(kms, "ECC_NIST_P256")
    kms.create_alias(AliasName="alias/moving", TargetKeyId=old)
    blob = kms.encrypt(KeyId="alias/moving", Plaintext=b"s")["CiphertextBlob"]
    taken = {"AliasName": "alias/moving", "TargetKeyId": new}
    assert refused(kms.create_alias, **taken) == "AlreadyExistsException"
    other = {"AliasName": "alias/moving", "TargetKeyId": signer}
    assert refused(kms.update_alias, **other) == "ValidationException"
    kms.update_alias(AliasName="alias/moving", TargetKeyId=new)

    assert kms.encrypt(KeyId="alias/moving", Plaintext=b"s")["KeyId"] == arn(new)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"s"
    kms.delete_alias(AliasName="alias/moving")
    assert refused(kms.delete_alias, AliasName="alias/moving") == "NotFoundException"
    assert refused(kms.encrypt, KeyId="alias/moving", Plaintext=b"s") == "NotFoundException"


@pytest.mark.parametrize("name", ["moving", "alias/", "alias/a b", "alias/é", "alias/aws/s3"])
def test_an_alias_has_a_name_that_can_be_used(kms: Any, name: str) -> None:
    """The form, and what is reserved."""
    code = refused(kms.create_alias, AliasName=name, TargetKeyId=made(kms))

    assert code in {"ValidationException", "InvalidAliasNameException"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("00000000-0000-4000-8000-000000000000", "NotFoundException"),
        ("alias/none", "NotFoundException"),
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/none", "NotFoundException"),
        (f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/none", "NotFoundException"),
        ("arn:aws:s3:::bucket", "InvalidArnException"),
        ("", "ValidationException"),
        ("x" * 2049, "ValidationException"),
    ],
)
def test_a_key_that_is_not_there_is_said_so(kms: Any, name: str, code: str) -> None:
    """By id, alias and ARN."""
    assert refused(kms.describe_key, KeyId=name) == code


def test_descriptions_policies_and_tags_are_kept(kms: Any) -> None:
    """What can be changed of a key."""
    key = made(kms, Description="first", Tags=[{"TagKey": "a", "TagValue": "1"}])
    kms.update_key_description(KeyId=key, Description="second")
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "b", "TagValue": "2"}])
    kms.untag_resource(KeyId=key, TagKeys=["a"])
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy.replace("\n", ""))

    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "second"
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "b", "TagValue": "2"}]
    assert kms.get_key_policy(KeyId=key)["Policy"] == policy.replace("\n", "")
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    tags = [{"TagKey": "aws:x", "TagValue": "1"}]
    assert refused(kms.tag_resource, KeyId=key, Tags=tags) == "TagException"


def test_what_would_change_the_meaning_is_never_ignored(kms: Any) -> None:
    """Grants, enclaves and dry runs are refused by name."""
    key = made(kms)
    asked = {"KeyId": key, "Plaintext": b"s"}

    assert refused(kms.encrypt, **asked, GrantTokens=["x"]) == "InvalidGrantTokenException"
    assert refused(kms.encrypt, **asked, DryRun=True) == "DryRunOperationException"
    with pytest.raises(ClientError, match="Recipient"):
        kms.generate_random(NumberOfBytes=3, Recipient={"AttestationDocument": b"x"})
