"""Unmodified boto3 against the real server, door and gatekeeper: who is let in, and who is not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.door import Door
from dynimo.api.aws.lambda_permissions import Permissions, policy_of
from dynimo.api.aws.names import function_arn
from dynimo.api.aws.sts import Sts
from dynimo.cli import exits
from dynimo.cli.connecting import Refused, connected
from dynimo.identity.entities import FULL_RIGHTS
from dynimo.identity.gatekeeper import Gatekeeper
from dynimo.identity.keyring import Keyring
from dynimo.model.function import Configuration
from dynimo.model.names import Place
from dynimo.registry.config import Config as RegistryConfig
from dynimo.registry.records import Code
from dynimo.registry.registry import Registry
from dynimo.web.message import Request, Response
from dynimo.web.server import Server

pytestmark = pytest.mark.e2e

F_ANYWHERE = "arn:aws:lambda:*:*:function:f"
ALLOW_GET = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "lambda:Get*", "Resource": "*"}],
    }
)
DENY_INVOKE = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "lambda:InvokeFunction", "Resource": F_ANYWHERE},
        ],
    }
)


class Platform:
    """A server with a door, two trivial operations, and the real ones of policies and STS."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self._run(self._assemble(folder))
        self.port = self._run(self.server.start("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.port}"

    async def _assemble(self, folder: Path) -> None:
        self.registry = Registry(folder / "registry", RegistryConfig())
        self.registry.create(
            Place(), "f", Configuration(handler="f.handler"), Code(sha256="0" * 64, size=1)
        )
        self.keyring = Keyring(folder, serving=True)
        gatekeeper = Gatekeeper(
            self.keyring, policy_of=lambda arn: policy_of(self.registry.documents, arn)
        )
        self.sessions = gatekeeper.sessions
        path = "/2015-03-31/functions/{FunctionName}"
        operations = [
            Operation(name="Invoke", method="POST", path=f"{path}/invocations", run=_invoke,
                      resource=function_arn, action="lambda:InvokeFunction"),
            Operation(name="GetFunctionConfiguration", method="GET", path=f"{path}/configuration",
                      run=_configuration, resource=function_arn),
            *Permissions(self.registry).operations(),
        ]  # fmt: skip
        sts = Sts(self.keyring, gatekeeper.sessions, gatekeeper)
        services = {"lambda": operations, "sts": sts.operations()}
        self.server = Server(Door(services, gatekeeper, _elsewhere, region="us-east-1"))

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def stop(self) -> None:
        """Stop it all."""
        self._run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _close(self) -> None:
        await self.server.stop(1)
        self.keyring.close()
        self.registry.close()

    def client(self, service: str, key: str, secret: str, token: str | None = None) -> Any:
        """boto3's own client."""
        return boto3.client(
            service,
            endpoint_url=self.address,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=BotoConfig(retries={"total_max_attempts": 1}),
        )

    def user(self, name: str, policy: str, account: str = "") -> tuple[str, str]:
        """A user with one policy and one key."""
        self.keyring.add("user", name, account=account)
        self.keyring.attach("user", name, "p", policy, account)
        key, secret = self.keyring.add_key(name, account)
        return key.id, secret


async def _invoke(call: Call) -> Answer:
    return Answer(
        document={"arn": call.caller.arn, "account": call.place.account,
                  "length": len(call.request.body)}
    )  # fmt: skip


async def _configuration(call: Call) -> Answer:
    return Answer(document={"FunctionName": call.parameters["FunctionName"], "Timeout": 3})


async def _elsewhere(request: Request) -> Response:
    return Response(status=418)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    made = Platform(tmp_path)
    yield made
    made.stop()


def _refused(call: Callable[[], Any]) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    told = caught.value.response
    status: int = told["ResponseMetadata"]["HTTPStatusCode"]
    return status, told["Error"]["Code"], told["Error"]["Message"]


def test_the_right_key_passes_and_the_wrong_ones_do_not(platform: Platform) -> None:
    """Lambda's and STS's names for each refusal."""
    key, secret = platform.keyring.development()
    right = platform.client("lambda", key, secret)
    told = json.load(right.invoke(FunctionName="f", Payload=b'{"a": "\xc3\xa9"}')["Payload"])
    assert told["arn"] == "arn:aws:iam::000000000000:user/development"
    assert right.get_function_configuration(FunctionName="f", Qualifier="$LATEST")["Timeout"] == 3

    wrong = platform.client("lambda", key, secret[:-1])
    status, code, text = _refused(lambda: wrong.get_function_configuration(FunctionName="f"))
    assert (status, code) == (403, "InvalidSignatureException")
    assert text.startswith("The request signature we calculated does not match")
    unknown = platform.client("lambda", "AKIAUNKNOWN", secret)
    status, code, text = _refused(lambda: unknown.get_function_configuration(FunctionName="f"))
    assert (status, code) == (403, "UnrecognizedClientException")
    assert text == "The security token included in the request is invalid."
    sts = platform.client("sts", key, "wrong")
    assert _refused(sts.get_caller_identity)[:2] == (403, "SignatureDoesNotMatch")
    stranger = platform.client("sts", "AKIAUNKNOWN", "x")
    assert _refused(stranger.get_caller_identity)[:2] == (403, "InvalidClientTokenId")


def test_a_large_body_is_hashed_beside_the_loop(platform: Platform) -> None:
    """And as strictly: a mebibyte goes through, a changed one does not."""
    key, secret = platform.keyring.development()
    client = platform.client("lambda", key, secret)
    payload = b'"' + b"x" * 1_048_576 + b'"'
    told = json.load(client.invoke(FunctionName="f", Payload=payload)["Payload"])
    assert told["length"] == len(payload)

    wrong = platform.client("lambda", key, "wrong")
    assert _refused(lambda: wrong.invoke(FunctionName="f", Payload=payload))[1] == (
        "InvalidSignatureException"
    )


@pytest.mark.parametrize(
    ("minutes", "words"), [(-20, "Signature expired: "), (20, "Signature not yet current: ")]
)
def test_a_clock_that_is_off_is_refused(platform: Platform, minutes: int, words: str) -> None:
    """A client whose clock is twenty minutes off is told so."""
    key, secret = platform.keyring.development()
    client = platform.client("lambda", key, secret)
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        status, code, text = _refused(lambda: client.get_function_configuration(FunctionName="f"))

    assert (status, code) == (403, "InvalidSignatureException")
    assert text.startswith(words)
    assert "15 min.)" in text


def test_policies_decide_and_a_deny_wins(platform: Platform) -> None:
    """As soon as a command has changed them."""
    reader = platform.client("lambda", *platform.user("reader", ALLOW_GET))
    assert reader.get_function_configuration(FunctionName="f")["FunctionName"] == "f"
    status, code, text = _refused(lambda: reader.invoke(FunctionName="f"))
    assert (status, code) == (403, "AccessDeniedException")
    assert text == (
        "User: arn:aws:iam::000000000000:user/reader is not authorized to perform:"
        " lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:f"
        " because no identity-based policy allows the lambda:InvokeFunction action"
    )

    denied = platform.client("lambda", *platform.user("denied", DENY_INVOKE))
    assert denied.get_function_configuration(FunctionName="f")["Timeout"] == 3
    assert denied.invoke(FunctionName="g")["StatusCode"] == 200
    assert "explicit deny" in _refused(lambda: denied.invoke(FunctionName="f"))[2]


def test_a_role_is_taken_on_and_its_session_works(platform: Platform) -> None:
    """AssumeRole, GetCallerIdentity, GetSessionToken: boto3 reads their XML."""
    trust = {"AWS": "arn:aws:iam::000000000000:user/ada"}
    statement = {"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    ada = platform.user("ada", ALLOW_GET)
    platform.keyring.add("role", "invoker", trust=document)
    platform.keyring.attach("role", "invoker", "all", FULL_RIGHTS)
    role = "arn:aws:iam::000000000000:role/invoker"
    sts = platform.client("sts", *ada)

    given = sts.assume_role(RoleArn=role, RoleSessionName="s1", DurationSeconds=900)
    session = given["Credentials"]
    assert given["AssumedRoleUser"]["Arn"] == ("arn:aws:sts::000000000000:assumed-role/invoker/s1")
    assert abs(session["Expiration"] - datetime.now(UTC) - timedelta(seconds=900)) < (
        timedelta(seconds=60)
    )
    keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    identity = platform.client("sts", *keys).get_caller_identity()
    assert identity["Arn"] == given["AssumedRoleUser"]["Arn"]
    assert identity["Account"] == "000000000000"
    invoked = json.load(platform.client("lambda", *keys).invoke(FunctionName="f")["Payload"])
    assert invoked["arn"] == given["AssumedRoleUser"]["Arn"]

    reader = sts.assume_role(RoleArn=role, RoleSessionName="s2", Policy=ALLOW_GET)["Credentials"]
    narrow = platform.client(
        "lambda", reader["AccessKeyId"], reader["SecretAccessKey"], reader["SessionToken"]
    )
    assert narrow.get_function_configuration(FunctionName="f")["Timeout"] == 3
    assert "no session policy" in _refused(lambda: narrow.invoke(FunctionName="f"))[2]

    chained = platform.client("sts", *keys)
    status, code, text = _refused(
        lambda: chained.assume_role(RoleArn=role, RoleSessionName="s4", DurationSeconds=3601)
    )
    assert (status, code) == (400, "ValidationError")
    assert "role chaining" in text

    own = sts.get_session_token()["Credentials"]
    same = platform.client("sts", own["AccessKeyId"], own["SecretAccessKey"], own["SessionToken"])
    assert same.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:user/ada"
    assert _refused(same.get_session_token)[:2] == (403, "AccessDenied")

    bob = platform.client("sts", *platform.user("bob", FULL_RIGHTS))
    status, code, text = _refused(lambda: bob.assume_role(RoleArn=role, RoleSessionName="s3"))
    assert (status, code) == (403, "AccessDenied")
    assert "not authorized to perform: sts:AssumeRole" in text
    nowhere = role.replace("invoker", "nosuch")
    assert _refused(lambda: sts.assume_role(RoleArn=nowhere, RoleSessionName="s3"))[0] == 403


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 43_201}, "ValidationError"),
        ({"RoleSessionName": "a b"}, "ValidationError"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"Policy": json.dumps({"x": "y" * 2048})}, "PackedPolicyTooLarge"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "ValidationError"),
        ({"SerialNumber": "arn:aws:iam::1:mfa/x", "TokenCode": "123456"}, "ValidationError"),
    ],
)
def test_what_assume_role_does_not_take(
    platform: Platform, parameters: dict[str, Any], code: str
) -> None:
    """Bounds, forms, and what is not served is not ignored."""
    sts = platform.client("sts", *platform.keyring.development())
    role = "arn:aws:iam::000000000000:role/invoker"
    asked = {"RoleArn": role, "RoleSessionName": "ss", **parameters}
    with mock.patch("botocore.validate.ParamValidator.validate") as validator:
        validator.return_value.has_errors.return_value = False
        assert _refused(lambda: sts.assume_role(**asked))[:2] == (400, code)


def test_a_function_lets_another_account_in(platform: Platform) -> None:
    """AddPermission, then the call; RemovePermission, and it is over."""
    owner = platform.client("lambda", *platform.keyring.development())
    guest = platform.client("lambda", *platform.user("eve", FULL_RIGHTS, "333333333333"))
    function = "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert "no resource-based policy" in _refused(lambda: guest.invoke(FunctionName=function))[2]

    owner.add_permission(
        FunctionName="f", StatementId="s1", Action="lambda:InvokeFunction",
        Principal="333333333333",
    )  # fmt: skip
    assert guest.invoke(FunctionName=function)["StatusCode"] == 200
    assert _refused(lambda: guest.get_function_configuration(FunctionName=function))[0] == 403
    owner.remove_permission(FunctionName="f", StatementId="s1")
    assert _refused(lambda: guest.invoke(FunctionName=function))[0] == 403


def test_presigned_addresses_of_sts_work(platform: Platform) -> None:
    """As tools use them to prove who they are to a third."""
    client = platform.client("sts", *platform.keyring.development())
    address = client.generate_presigned_url("get_caller_identity", HttpMethod="GET")
    with urlopen(address, timeout=20) as answer:
        assert b"user/development" in answer.read()
        assert answer.headers["content-type"] == "text/xml"

    with pytest.raises(OSError, match="403"):
        urlopen(address.replace("GetCallerIdentity", "GetSessionToken"), timeout=20)


def test_what_is_not_aws_goes_on(platform: Platform) -> None:
    """Other paths, and function addresses by host, are not the door's."""
    platform.keyring.development()
    for path, headers in (("/x", {}), ("/2015-03-31/x", {"Host": "abc.lambda-url.localhost"})):
        with pytest.raises(OSError, match="418"):
            urlopen(HttpRequest(platform.address + path, headers=headers), timeout=20)
    with pytest.raises(OSError, match="403"):
        urlopen(platform.address + "/2015-03-31/functions/", timeout=20)


def test_a_signature_for_another_service_is_refused(platform: Platform) -> None:
    """The scope names the service; a key for one call is none for another."""
    key, secret = platform.keyring.development()
    client = platform.client("lambda", key, secret)
    client.meta.events.register("choose-signer.lambda.*", lambda **_: "v4")
    client.meta.events.register(
        "before-sign.lambda.*",
        lambda request, **_: request.context.setdefault("signing", {}).update(signing_name="s3"),
    )
    status, code, _ = _refused(lambda: client.get_function_configuration(FunctionName="f"))
    assert (status, code) == (403, "InvalidSignatureException")


def test_the_command_line_signs_as_well(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the data folder's development key, or with the variables of AWS's tools."""
    (tmp_path / "address").write_text(platform.address + "\n")
    path = "/2015-03-31/functions/f/configuration"
    with connected(str(tmp_path)) as client:
        assert client.call("GET", path, query={"Qualifier": "$LATEST"})["Timeout"] == 3

    key, secret = platform.user("reader", ALLOW_GET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", platform.address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    with connected("/nowhere") as client:
        assert client.call("GET", path)["Timeout"] == 3
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.setenv(name, "wrong")
        with pytest.raises(Refused) as caught, connected("/nowhere") as client:
            client.call("GET", path)
        assert caught.value.exit_code == exits.DENIED


def test_the_aws_command_line_works_with_what_env_prints(
    platform: Platform, tmp_path: Path
) -> None:
    """Unmodified, from a shell."""
    port = str(platform.port)
    run = [sys.executable, "-m", "dynimo", "env", "--port", port, "--data", str(tmp_path), "--json"]
    told = json.loads(subprocess.run(run, capture_output=True, check=True, timeout=60).stdout)
    asked = subprocess.run(
        [sys.executable, "-m", "awscli", "sts", "get-caller-identity"],
        capture_output=True, text=True, timeout=60, env={**os.environ, **told},
    )  # fmt: skip
    assert json.loads(asked.stdout)["Arn"] == "arn:aws:iam::000000000000:user/development"
    refused = subprocess.run(
        [sys.executable, "-m", "awscli", "lambda", "get-policy", "--function-name", "f"],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, **told, "AWS_SECRET_ACCESS_KEY": "wrong"},
    )  # fmt: skip
    assert "InvalidSignatureException" in refused.stderr
