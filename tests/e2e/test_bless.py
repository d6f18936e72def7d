"""BLESS as its users have it: a zip, boto3's invoke, the bastion's role, and a real sshd."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from bless_kit import (
    ANY_HOST,
    CA_ED25519,
    CA_P256,
    CA_RSA,
    PASSWORD,
    Context,
    FakeCloud,
    pem,
    public,
)
from contract import options
from contract.authority import Authority
from contract.issuing import Issuer
from sshca.public_key import parse
from tests.e2e import people, sshds
from tests.e2e.aws import kit
from tests.e2e.serving import Server
from tests.e2e.sshds import Sshd

pytestmark = pytest.mark.e2e

APP = Path(__file__).parents[2] / "apps" / "bless"
FUNCTION = "bless"
HANDLER = "bless_lambda.lambda_handler"
FROM_HERE = "127.0.0.0/8"


@dataclass
class Bastion:
    """A machine between people and hosts: its role may invoke the CA, and nothing else."""

    server: Server
    aws: Any

    def ask(
        self, line: str, user: str, *, function: str = FUNCTION, **changed: str
    ) -> dict[str, str]:
        """What bless_client.py does, in its own words."""
        payload = {
            "bastion_user": "ada", "bastion_user_ip": "192.0.2.7", "remote_usernames": user,
            "bastion_ips": FROM_HERE, "command": "ssh host", "public_key_to_sign": line,
        } | changed  # fmt: skip
        answer = self.aws.invoke(
            FunctionName=function, InvocationType="RequestResponse", LogType="None",
            Payload=json.dumps(payload),
        )  # fmt: skip
        assert answer["StatusCode"] == 200
        told: dict[str, str] = json.loads(answer["Payload"].read())
        return told


def _zip(password: str) -> bytes:
    """The app's folder as a zip, with configuration and key at its top, as BLESS's is."""
    cfg = f"[Bless CA]\nus-east-1_password = {password}\nca_private_key_file = ca.pem\n"
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for path in sorted(APP.rglob("*.py")):
            if "tests" not in path.parts:
                archive.write(path, path.relative_to(APP))
        archive.writestr("bless_deploy.cfg", cfg)
        archive.writestr("ca.pem", pem(CA_RSA))
    return written.getvalue()


@dataclass
class Deployed:
    """The CA as functions, without kmsauth and with it, and the KMS key of both."""

    key: str
    kmsauth: str = "bless-kmsauth"


@pytest.fixture(scope="module")
def deployed(shared: Server, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Its role may decrypt, and that is all."""
    folder = tmp_path_factory.mktemp("ca")
    kms = kit.client(shared, "kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=PASSWORD)["CiphertextBlob"]
    may = people.may("kms:De*", "*")  # Decrypt and DescribeKey
    role = people.role(shared, folder, "bless", people.LAMBDA, may)
    made = Deployed(key)
    asked = {
        "kms_auth_use_kmsauth": "True", "kms_auth_kmsauth_key_id": key,
        "kms_auth_kmsauth_serviceid": "bless-prod",
    }  # fmt: skip
    for name, variables in ((FUNCTION, {}), (made.kmsauth, asked)):
        kit.create(
            kit.client(shared), name, _zip(base64.b64encode(blob).decode()), Handler=HANDLER,
            Role=role, Timeout=15, MemorySize=256,
            Environment={"Variables": variables},
        )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def bastion(
    shared: Server, deployed: Deployed, tmp_path_factory: pytest.TempPathFactory
) -> Bastion:
    """The role that may invoke the CA, taken on by the bastion's own user."""
    folder = tmp_path_factory.mktemp("bastion")
    user = {"AWS": "arn:aws:iam::000000000000:user/bastion-host"}
    both = [kit.ARN + each for each in (FUNCTION, deployed.kmsauth)]
    role = people.role(shared, folder, "bastion", user, people.may("lambda:InvokeFunction", both))
    keys = people.person(shared, folder, "bastion-host", people.may("sts:AssumeRole", "*"))
    return Bastion(shared, people.session(shared, keys, role, "ssh"))


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that trusts the CA."""
    with sshds.running(tmp_path_factory.mktemp("sshd"), public(CA_RSA)) as started:
        yield started


def test_the_bastion_gets_a_certificate_and_its_user_is_let_in(
    bastion: Bastion, sshd: Sshd, tmp_path: Path
) -> None:
    """bless_client's invoke, unchanged, as the bastion's role; then ssh."""
    key = tmp_path / "id"
    told = bastion.ask(sshds.keygen(key), sshd.user)
    assert list(told) == ["certificate"]
    came = sshd.login(key, told["certificate"])
    assert came.stdout == "inside\n", came.stderr + sshd.log
    assert "for[ada] from[192.0.2.7] command[ssh host]" in sshd.log
    assert f"ca[{kit.ARN}{FUNCTION}]" in sshd.log


def test_a_bad_request_is_an_answer_not_an_error(bastion: Bastion) -> None:
    """Status 200, in BLESS's shape."""
    told = bastion.ask("ssh-dss AAAA", "ada")
    assert told["errorType"] == "InputValidationError"
    assert told["errorMessage"] == "{'public_key_to_sign': ['Invalid SSH Public Key.']}"


def test_a_kmsauth_token_of_the_platforms_kms_is_believed(
    bastion: Bastion, deployed: Deployed, tmp_path: Path
) -> None:
    """Only ada can encrypt as ada; what she encrypts proves nothing of another."""
    own = {"StringEquals": {"kms:EncryptionContext:from": "ada"}}
    policy = people.may("kms:Encrypt", "*", Condition=own)
    keys = people.person(bastion.server, tmp_path, "ada", policy)
    kms = kit.client(bastion.server, "kms", **keys)
    line, function = sshds.keygen(tmp_path / "id"), deployed.kmsauth
    token = people.kmsauth(kms, deployed.key, "ada", "bless-prod")
    assert "certificate" in bastion.ask(line, "ada", function=function, kmsauth_token=token)
    stolen = bastion.ask(line, "eve", function=function, kmsauth_token=token, bastion_user="eve")
    assert stolen["errorType"] == "KMSAuthValidationError"
    assert "missing kmsauth token" in bastion.ask(line, "ada", function=function)["errorMessage"]
    with pytest.raises(ClientError):
        people.kmsauth(kms, deployed.key, "eve", "bless-prod")


def test_no_secret_is_in_an_environment_a_log_or_an_error(
    bastion: Bastion, deployed: Deployed, tmp_path: Path
) -> None:
    """The key's password, the key and tokens, after certificates and refusals of each sort."""
    kms, line = kit.client(bastion.server, "kms"), sshds.keygen(tmp_path / "id")
    function, token = deployed.kmsauth, people.kmsauth(kms, deployed.key, "ada", "bless-prod")
    clear = pem(CA_RSA, "pkcs8", None).decode()
    told = [
        bastion.ask(line, "ada", function=function, kmsauth_token=token),
        bastion.ask(line, "eve", function=function, kmsauth_token=token, bastion_user="eve"),
        bastion.ask(line, "ada", function=function, kmsauth_token=token[:-8] + "AAAAAAA="),
        bastion.ask(line, "ada", function=function, kmsauth_token="!" + token),
        bastion.ask(line, "root", function=function, kmsauth_token=token),
        bastion.ask(clear, "ada", kmsauth_token=token),
    ]
    assert ["certificate" in each for each in told] == [True, False, False, False, False, False]

    prime = CA_RSA.private_numbers().p
    secrets = {
        "password": PASSWORD, "token": token[:64].encode(),
        "token's bytes": base64.b64decode(token)[:48],
        "a line of the key": clear.split("\n")[3].encode(), "prime": prime.to_bytes(128, "big"),
        "prime in hexadecimal": b"%x" % prime, "prime in digits": b"%d" % prime,
    }  # fmt: skip
    held = bastion.server.held() | {"answers": json.dumps(told[1:]).encode()}
    for known in (parse(line).sha256.encode(), b"PATH=", b"public_key_to_sign"):
        assert any(known in data for data in held.values())  # what may be there is seen
    assert [(secret, place) for secret, what in secrets.items() for place, data in held.items()
            if what in data] == []  # fmt: skip


def test_a_ca_key_that_never_leaves_the_kms(bastion: Bastion, tmp_path: Path) -> None:
    """The function has no secret and asks for each signature; only its role may."""
    kms = kit.client(bastion.server, "kms")
    made = kms.create_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    key = made["KeyMetadata"]["Arn"]
    der = kms.get_public_key(KeyId=key)["PublicKey"]
    trusted = load_der_public_key(der).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    may = people.may(["kms:Sign", "kms:GetPublicKey"], key)
    role = people.role(bastion.server, tmp_path, "keyless", people.LAMBDA, may)
    owner = kit.client(bastion.server)
    kit.create(
        owner, "bless-keyless", _zip(""), Handler=HANDLER, Timeout=15, MemorySize=256, Role=role,
        Environment={"Variables": {"bless_ca_ca_kms_key_id": key}},
    )  # fmt: skip
    line = sshds.keygen(tmp_path / "id")
    with sshds.running(tmp_path, trusted.decode()) as sshd:
        told = Bastion(bastion.server, owner).ask(line, sshd.user, function="bless-keyless")
        assert sshd.login(tmp_path / "id", told["certificate"]).stdout == "inside\n", sshd.log
    stranger = people.person(bastion.server, tmp_path, "signer", people.may("lambda:*", "*"))
    with pytest.raises(ClientError) as caught:
        kit.client(bastion.server, "kms", **stranger).sign(
            KeyId=key, Message=b"x", SigningAlgorithm="ED25519_SHA_512"
        )
    assert kit.refused(caught.value)[1] == "AccessDeniedException"


def test_nobody_but_the_bastion_may_ask(bastion: Bastion, tmp_path: Path) -> None:
    """The platform refuses whoever has other rights; and the bastion, elsewhere."""
    reader = people.person(bastion.server, tmp_path, "reader", people.may("lambda:Get*", "*"))
    for aws, function in ((kit.client(bastion.server, **reader), FUNCTION), (bastion.aws, "other")):
        with pytest.raises(ClientError) as caught:
            aws.invoke(FunctionName=function, Payload=b"{}")
        assert kit.refused(caught.value)[:2] == (403, "AccessDeniedException")


def _issuer(key: Any = CA_RSA, **option: str) -> Issuer:
    """The same CA in this process, with other options."""
    given = {
        **ANY_HOST,
        "bless_ca_default_password": "eA==",
        "bless_ca_ca_private_key": base64.b64encode(pem(key, "pkcs8", None)).decode(),
        **{f"bless_options_{name}": value for name, value in option.items()},
    }
    read = options.load(Path("nosuch.cfg"), kit.REGION, given)
    return Issuer(Authority(read, FakeCloud(), PASSWORD))


def _certificate(issuer: Issuer, line: str, user: str, ips: str = FROM_HERE) -> str:
    asked = {
        "bastion_user": "ada", "bastion_user_ip": "192.0.2.7", "remote_usernames": user,
        "bastion_ips": ips, "command": "", "public_key_to_sign": line,
    }  # fmt: skip
    return issuer.user(asked, Context())["certificate"]


EXPIRED = {"certificate_validity_before_seconds": "60", "certificate_validity_after_seconds": "-1"}
FUTURE = {"certificate_validity_before_seconds": "-60"}


@pytest.mark.parametrize(
    ("issuer", "user", "ips", "said"),
    [
        (_issuer(), "nobody-here", FROM_HERE, "name is not a listed principal"),
        (_issuer(**EXPIRED), "", FROM_HERE, "Certificate invalid: expired"),
        (_issuer(**FUTURE), "", FROM_HERE, "Certificate invalid: not yet valid"),
        (_issuer(test_user="ada"), "", FROM_HERE, "Certificate invalid: "),
        (_issuer(), "", "192.0.2.0/24", "not from a permitted source address"),
        (_issuer(CA_ED25519), "", FROM_HERE, "Failed publickey for"),
    ],
    ids=["principal", "expired", "not yet valid", "canary", "address", "another CA"],
)
def test_what_sshd_refuses(
    sshd: Sshd, tmp_path: Path, issuer: Issuer, user: str, ips: str, said: str
) -> None:
    """Each for its own reason, by the log of the real one."""
    key = tmp_path / "id"
    line = sshds.keygen(key)
    before = len(sshd.log)
    came = sshd.login(key, _certificate(issuer, line, user or sshd.user, ips))
    assert (came.returncode, came.stdout) == (255, "")
    assert said in sshd.log[before:]


@pytest.mark.parametrize(("ca", "kind"), [(CA_ED25519, "ecdsa"), (CA_P256, "rsa")])
def test_sshd_takes_every_kind_of_ca_and_key(tmp_path: Path, ca: Any, kind: str) -> None:
    """Ed25519 and ECDSA sign too, for keys that the deployment allows."""
    issuer = _issuer(ca, public_key_types="ssh-rsa,ecdsa-sha2-nistp256")
    line = sshds.keygen(tmp_path / "id", kind)
    with sshds.running(tmp_path, public(ca)) as sshd:
        came = sshd.login(tmp_path / "id", _certificate(issuer, line, sshd.user))
        assert came.stdout == "inside\n", came.stderr + sshd.log


BODIES = [
    b"\xff", b"{", b"[" * 100_000, b"NaN", b"[]", b"null", b'"x"', b'{"a": NaN}',
    b'{"remote_usernames": "' + b"a," * 1_000_000 + b'"}', b'{"bastion_user": "\\ud800"}',
]  # fmt: skip


def test_no_body_gets_more_than_a_refusal(bastion: Bastion) -> None:
    """By the platform where it is no JSON, else by the CA."""
    for body in BODIES:
        try:
            answer = bastion.aws.invoke(FunctionName=FUNCTION, Payload=body)
            told = json.loads(answer["Payload"].read())["errorType"]
        except ClientError as error:
            told = kit.refused(error)[1]
        assert told in {"InvalidRequestContentException", "InputValidationError"}


def test_a_certificate_without_its_key_is_worth_nothing(sshd: Sshd, tmp_path: Path) -> None:
    """Whoever steals the certificate alone is not let in."""
    told = _certificate(_issuer(), sshds.keygen(tmp_path / "own"), sshd.user)
    sshds.keygen(tmp_path / "thief")
    assert sshd.login(tmp_path / "thief", told).returncode == 255
    assert sshd.login(tmp_path / "own", told).stdout == "inside\n"


def test_a_host_is_known_by_its_certificate(tmp_path: Path) -> None:
    """With strict checking, and nothing known but the CA; a host of another name is not."""
    issuer, key = _issuer(), tmp_path / "id"
    line = sshds.keygen(tmp_path / "host")
    asked = {"hostnames": "127.0.0.1,localhost", "public_key_to_sign": line}
    (tmp_path / "host-cert.pub").write_text(issuer.host(asked, Context())["certificate"] + "\n")
    known = tmp_path / "known"
    known.write_text(f"@cert-authority * {public(CA_RSA)}\n")
    strict = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}")
    with sshds.running(
        tmp_path, public(CA_RSA), f"HostCertificate {tmp_path / 'host-cert.pub'}"
    ) as sshd:
        told = _certificate(issuer, sshds.keygen(key), sshd.user)
        assert sshd.login(key, told, *strict).stdout == "inside\n", sshd.log
        assert sshd.login(key, told, *strict, "HostKeyAlias=other.example").returncode == 255


def test_the_built_in_app_signs_only_where_its_table_is(
    shared: Server, serve: Callable[..., Server], tmp_path: Path
) -> None:
    """It reads its files, and says which service did not help; without the table it refuses."""
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "ca.pem").write_bytes(pem(CA_RSA))
    cfg = "[Bless CA]\ndefault_password = eA==\nca_private_key_file = ca.pem\n"
    (tmp_path / "ca" / "bless_deploy.cfg").write_text(cfg)
    (tmp_path / "dynimo.toml").write_text('[apps.bless]\nconfig = "ca/bless_deploy.cfg"\n')
    server = serve("--config", str(tmp_path / "dynimo.toml"))
    there = Bastion(server, kit.client(server))
    line = public(CA_ED25519)

    assert there.ask(line, "a b", function="bless-user")["errorType"] == "InputValidationError"
    assert there.ask(line, "ada", function="bless-user")["errorType"] == "ClientError"
    host, _ = kit.call(there.aws, "bless-host", {"hostnames": "*", "public_key_to_sign": line})
    assert host["errorType"] == "InputValidationError"
    without = Bastion(shared, kit.client(shared))
    assert without.ask(line, "ada", function="bless-user")["errorType"] == "ValueError"
