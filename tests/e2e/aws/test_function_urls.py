"""Function URLs: made with boto3, called over plain HTTP, by path and by host."""

from __future__ import annotations

import functools
import http.client
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from botocore.exceptions import ClientError

from tests.e2e import packages
from tests.e2e.aws import kit
from tests.e2e.serving import Answer, Server

EXAMPLES = Path(__file__).parents[3] / "examples"
MIRROR = """
def handler(event, context):
    kind = event.get("queryStringParameters", {}).get("kind", "")
    if kind == "raise":
        raise ValueError("inside")
    if kind == "text":
        return "plain"
    if kind == "whole":
        return {"statusCode": 418, "headers": {"X-A": "1", "content-type": "text/tea"},
                "cookies": ["a=1", "b=2; Path=/"], "body": "dGVh", "isBase64Encoded": True}
    return event
"""


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    return kit.client(shared)


def made(aws: Any, name: str, code: str | bytes = MIRROR, **settings: Any) -> str:
    """Make a function with a public URL; the path of that URL."""
    asked = {key: settings.pop(key) for key in ("Cors", "InvokeMode") if key in settings}
    auth = settings.pop("AuthType", "NONE")
    kit.create(aws, name, code, **settings)
    url: str = aws.create_function_url_config(FunctionName=name, AuthType=auth, **asked)[
        "FunctionUrl"
    ]
    if auth == "NONE":
        aws.add_permission(
            FunctionName=name, StatementId="public", Principal="*",
            Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE",
        )  # fmt: skip
    return url.partition("/lambda-url/")[2].rstrip("/")


@functools.cache
def vendored(example: str, *names: str) -> bytes:
    """An example's folder zipped with what it imports, as ``pip install --target`` would lay it."""
    code = (EXAMPLES / example / "main.py").read_bytes()
    return kit.zipped({"main.py": code, **packages.files(*names)})


def test_a_request_becomes_an_event_and_back(shared: Server, aws: Any) -> None:
    """Payload format 2.0: what the function sees."""
    url = made(aws, "mirror")

    answer = shared.get(
        f"/lambda-url/{url}/a%20b/c?x=1&x=2&y=%C3%BC",
        {"Cookie": "k=v; l=w", "X-Two": "2", "Content-Type": "text/plain",
         "X-Forwarded-For": "6.6.6.6"},
        method="POST",
        body="hällo".encode(),
    )  # fmt: skip
    event = answer.json

    assert answer.status == 200
    assert event["version"] == "2.0"
    assert event["rawPath"] == "/a%20b/c"
    assert event["rawQueryString"] == "x=1&x=2&y=%C3%BC"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "ü"}
    assert event["cookies"] == ["k=v", "l=w"]
    assert event["headers"]["x-two"] == "2"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert (event["body"], event["isBase64Encoded"]) == ("hällo", False)
    context = event["requestContext"]
    assert context["apiId"] == url
    assert context["accountId"] == "anonymous"
    assert context["http"]["method"] == "POST"
    assert context["http"]["sourceIp"] == "127.0.0.1"


def test_answers_of_every_kind(shared: Server, aws: Any) -> None:
    """Plain returns, whole responses with cookies and base64, and failures."""
    url = made(aws, "kinds")

    text = shared.get(f"/lambda-url/{url}/?kind=text")
    connection = http.client.HTTPConnection("127.0.0.1", shared.port)
    connection.request("GET", f"/lambda-url/{url}/?kind=whole")
    whole = connection.getresponse()
    cookies, body = whole.msg.get_all("set-cookie"), whole.read()
    connection.close()
    failed = shared.get(f"/lambda-url/{url}/?kind=raise")

    assert (text.status, text.body, text.headers["content-type"]) == (
        200, b"plain", "application/json",
    )  # fmt: skip
    assert (whole.status, body, whole.getheader("content-type")) == (418, b"tea", "text/tea")
    assert cookies == ["a=1", "b=2; Path=/"]
    assert (failed.status, failed.body) == (502, b"Internal Server Error")


def test_the_host_names_the_function_too(shared: Server, aws: Any) -> None:
    """``ID.lambda-url.REGION.anything`` leads to it, with every path its own."""
    url = made(aws, "hosted")

    answer = shared.get("/x", {"Host": f"{url}.lambda-url.us-east-1.localhost:{shared.port}"})

    assert answer.json["rawPath"] == "/x"
    assert answer.json["requestContext"]["domainPrefix"] == url


def test_without_permission_it_is_forbidden(shared: Server, aws: Any) -> None:
    """A URL is public only when the function's policy says so; the unknown looks the same."""
    url = made(aws, "closed")
    aws.remove_permission(FunctionName="closed", StatementId="public")

    closed = shared.get(f"/lambda-url/{url}/")
    unknown = shared.get(f"/lambda-url/{'a' * 32}/")

    for answer in (closed, unknown):
        assert answer.status == 403
        assert answer.json["Message"].startswith("Forbidden. For troubleshooting Function URL")
        assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_iam_lets_only_the_signed_in(shared: Server, aws: Any) -> None:
    """AuthType AWS_IAM takes botocore's signature and shows who it is."""
    url = made(aws, "signed", AuthType="AWS_IAM")
    address = f"http://127.0.0.1:{shared.port}/lambda-url/{url}/p"
    request = botocore.awsrequest.AWSRequest("GET", address)
    keys = botocore.credentials.Credentials(*kit.development_key(shared.data))
    botocore.auth.SigV4Auth(keys, "lambda", kit.REGION).add_auth(request)

    unsigned = shared.get(f"/lambda-url/{url}/p")
    signed = shared.get(f"/lambda-url/{url}/p", dict(request.headers))
    forged = dict(request.headers)
    forged["Authorization"] = forged["Authorization"][:-4] + "0000"

    assert unsigned.status == 403
    assert signed.status == 200
    iam = signed.json["requestContext"]["authorizer"]["iam"]
    assert iam["userArn"] == "arn:aws:iam::000000000000:user/development"
    assert shared.get(f"/lambda-url/{url}/p", forged).status == 403


def test_cross_origin_requests_follow_the_configuration(shared: Server, aws: Any) -> None:
    """A preflight is answered by the platform; other origins get no leave."""
    cors = {"AllowOrigins": ["https://*.example.org"], "AllowMethods": ["GET"], "MaxAge": 60,
            "AllowHeaders": ["x-a"], "ExposeHeaders": ["x-b"]}  # fmt: skip
    url = made(aws, "cors", Cors=cors)
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-a"}

    good = {"Origin": "https://app.example.org"}
    preflight = shared.get(f"/lambda-url/{url}/", {**good, **asked}, method="OPTIONS")
    allowed = shared.get(f"/lambda-url/{url}/", good)
    other = shared.get(f"/lambda-url/{url}/", {"Origin": "https://evil.test"})

    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == good["Origin"]
    assert preflight.headers["access-control-allow-methods"] == "GET"
    assert preflight.headers["access-control-max-age"] == "60"
    assert allowed.headers["access-control-allow-origin"] == good["Origin"]
    assert allowed.headers["access-control-expose-headers"] == "x-b"
    assert "access-control-allow-origin" not in other.headers


def test_the_life_of_a_configuration(aws: Any) -> None:
    """Create, get, update, list, delete, with AWS's words for what is wrong."""
    kit.create(aws, "configured")
    created = aws.create_function_url_config(FunctionName="configured", AuthType="NONE")
    with pytest.raises(ClientError) as again:
        aws.create_function_url_config(FunctionName="configured", AuthType="NONE")
    updated = aws.update_function_url_config(FunctionName="configured", AuthType="AWS_IAM")
    listed = aws.list_function_url_configs(FunctionName="configured")["FunctionUrlConfigs"]
    aws.delete_function_url_config(FunctionName="configured")
    with pytest.raises(ClientError) as gone:
        aws.get_function_url_config(FunctionName="configured")
    with pytest.raises(ClientError) as numbered:
        aws.create_function_url_config(FunctionName="configured", AuthType="NONE", Qualifier="1")

    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert created["InvokeMode"] == "BUFFERED"
    assert kit.refused(again.value)[:2] == (409, "ResourceConflictException")
    assert (updated["AuthType"], updated["FunctionUrl"]) == ("AWS_IAM", created["FunctionUrl"])
    assert [each["FunctionUrl"] for each in listed] == [created["FunctionUrl"]]
    assert kit.refused(gone.value) == (
        404, "ResourceNotFoundException", "The resource you requested does not exist.",
    )  # fmt: skip
    assert "'qualifier' failed to satisfy constraint" in kit.refused(numbered.value)[2]


@pytest.mark.parametrize(
    ("example", "handler", "names"),
    [
        ("fastapi-mangum", "main.handler", ("fastapi", "mangum")),
        ("fastapi-native", "main.app", ("fastapi",)),
        ("fastapi-native", "main:app", ("fastapi",)),
    ],
)
def test_fastapi_just_works(
    shared: Server, aws: Any, example: str, handler: str, names: tuple[str, ...]
) -> None:
    """Through Mangum, and as the application itself: paths, queries, bodies, cookies, errors."""
    name = example + ("-colon" if ":" in handler else "")
    url = made(aws, name, vendored(example, *names), Handler=handler, MemorySize=512, Timeout=20)

    def get(path: str, **asked: Any) -> Answer:
        return shared.get(f"/lambda-url/{url}{path}", **asked)

    item, again = get("/items/7?tag=a%20b"), get("/items/8")
    echoed = get(
        "/echo", method="POST", body=b"\x00\xff", headers={"content-type": "application/zip"}
    )
    wrong, missing, login = get("/items/x"), get("/nowhere"), get("/login")

    assert item.status == 200, shared.words()[-2000:]
    assert (item.json["number"], item.json["tag"]) == (7, "a b")
    assert again.json["number"] == 8
    assert again.json.get("started", 1) == 1, "the lifespan ran once"
    assert (echoed.body, echoed.headers["content-type"]) == (b"\x00\xff", "application/zip")
    assert wrong.status == 422
    assert missing.status == 404
    assert "session=s1" in login.headers["set-cookie"] or "theme" in login.headers["set-cookie"]


def test_a_native_application_streams(shared: Server, aws: Any) -> None:
    """Each line leaves when it is made."""
    url = made(
        aws, "native-stream", vendored("fastapi-native", "fastapi"), Handler="main.app",
        MemorySize=512, Timeout=20, InvokeMode="RESPONSE_STREAM",
    )  # fmt: skip

    connection = http.client.HTTPConnection("127.0.0.1", shared.port)
    connection.request("GET", f"/lambda-url/{url}/count?to=3")
    answer = connection.getresponse()
    first = answer.readline()
    rest = answer.read()
    connection.close()

    assert answer.getheader("transfer-encoding") == "chunked"
    assert (first, rest) == (b"0\n", b"1\n2\n")
    assert answer.status == 200


def test_an_event_that_is_no_request_is_told_apart(aws: Any) -> None:
    """An ASGI application invoked directly says what it is for."""
    kit.create(aws, "app-only", "async def app(scope, receive, send): pass", Handler="app.app")

    value, answer = kit.call(aws, "app-only", {"a": 1})

    assert answer["FunctionError"] == "Unhandled"
    assert value["errorMessage"].startswith("The handler is an ASGI application")
