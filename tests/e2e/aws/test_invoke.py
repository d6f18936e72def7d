"""Invoke, through an unmodified boto3: kinds, headers, and every way in which a function fails."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    made = kit.client(shared)
    kit.create(made, "asked")
    return made


def test_the_kinds_of_invocation(aws: Any) -> None:
    """DryRun only asks; no payload is an empty object; None is null."""
    dry = aws.invoke(FunctionName="asked", InvocationType="DryRun")
    empty = aws.invoke(FunctionName="asked")
    kit.create(aws, "nothing", "def handler(e, c): pass")
    nothing = aws.invoke(FunctionName="nothing")

    assert (dry["StatusCode"], dry["Payload"].read()) == (204, b"")
    assert json.loads(empty["Payload"].read())["event"] == {}
    assert (nothing["StatusCode"], nothing["Payload"].read()) == (200, b"null")
    assert "FunctionError" not in nothing


def test_the_client_context_arrives(aws: Any) -> None:
    """What the client says of itself is the context's."""
    kit.create(
        aws, "contexts", "def handler(e, c): return [c.client_context.custom, c.aws_request_id]"
    )
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()

    value, answer = kit.call(aws, "contexts", ClientContext=context)
    with pytest.raises(ClientError) as error:
        aws.invoke(FunctionName="contexts", ClientContext="!!")

    assert value == [{"k": "v"}, answer["ResponseMetadata"]["RequestId"]]
    assert kit.refused(error.value)[:2] == (400, "InvalidRequestContentException")


@pytest.mark.parametrize("payload", [b"{", b"nope", b"[1,]", b'{"a":1} x', b'"\xff"'])
def test_a_payload_that_is_no_json_is_refused(aws: Any, payload: bytes) -> None:
    """The function is not run, and the client is told in AWS's words."""
    with pytest.raises(ClientError) as error:
        aws.invoke(FunctionName="asked", Payload=payload)

    status, code, message = kit.refused(error.value)
    assert (status, code) == (400, "InvalidRequestContentException")
    assert message.startswith(
        "Could not parse request body into json: Could not parse payload into json: "
    )


def test_seven_megabytes_are_too_many(aws: Any) -> None:
    """The payload limit is said clearly, with its number."""
    with pytest.raises(ClientError) as error:
        aws.invoke(FunctionName="asked", Payload=json.dumps("x" * 7 * 1024 * 1024))

    status, code, message = kit.refused(error.value)
    assert (status, code) == (413, "RequestTooLargeException")
    assert "6291456" in message


FAILURES: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("raises", "def handler(e, c): raise KeyError('k')", {}, "KeyError", "'k'"),
    ("no-module", kit.HELLO, {"Handler": "gone.handler"}, "Runtime.ImportModuleError",
     "Unable to import module 'gone': No module named 'gone'"),
    ("no-handler", kit.HELLO, {"Handler": "app.gone"}, "Runtime.HandlerNotFound",
     "Handler 'gone' missing on module 'app'"),
    ("bad-name", kit.HELLO, {"Handler": "app"}, "Runtime.MalformedHandlerName",
     "Bad handler 'app': not enough values to unpack (expected 2, got 1)"),
    ("syntax", "def handler(e, c) return 1", {}, "Runtime.UserCodeSyntaxError",
     "Syntax error in module 'app': "),
    ("init-raises", "raise Exception('starts not')", {}, "Exception", "starts not"),
    ("exits", "import sys\ndef handler(e, c): sys.exit(0)", {}, "Runtime.ExitError",
     "RequestId: {id} Error: Runtime exited without providing a reason"),
    ("exits-in-init", "import sys\nsys.exit(1)\ndef handler(e, c): pass", {}, "Runtime.ExitError",
     "RequestId: {id} Error: Runtime exited with error: exit status 1"),
    ("dies", "import os, signal\ndef handler(e, c): os.kill(os.getpid(), signal.SIGKILL)", {},
     "Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: signal: killed"),
    ("late", "import time\ndef handler(e, c): time.sleep(30)", {"Timeout": 1}, "Sandbox.Timedout",
     "RequestId: {id} Error: Task timed out after 1.00 seconds"),
    ("hungry", "def handler(e, c): return len(bytearray(600_000_000))", {"MemorySize": 128},
     "Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: signal: killed"),
    ("odd", "def handler(e, c): return {1, 2}", {}, "Runtime.MarshalError",
     "Unable to marshal response: Object of type set is not JSON serializable"),
    ("large", "def handler(e, c): return 'x' * 7_000_000", {}, "Function.ResponseSizeTooLarge",
     "Response payload size exceeded maximum allowed payload size (6291556 bytes)."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "code", "settings", "kind", "message"), FAILURES)
def test_a_functions_failure_has_awss_shape(
    aws: Any, name: str, code: str, settings: dict[str, Any], kind: str, message: str
) -> None:
    """A 200 with FunctionError, the error as JSON, and the function serves the next call."""
    kit.create(aws, f"fails-{name}", code, **settings)

    value, answer = kit.call(aws, f"fails-{name}", LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]

    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert value["errorType"] == kind, value
    assert value["errorMessage"].startswith(message.replace("{id}", request_id)), value
    assert f"RequestId: {request_id}" in kit.tail(answer)
    assert kit.call(aws, f"fails-{name}")[0]["errorType"] == kind


def test_printing_much_and_without_an_end(aws: Any) -> None:
    """A line without its end is a line; the tail is the last 4 KB."""
    kit.create(aws, "talks", "def handler(e, c):\n    print('a' * 9000)\n    print('end', end='')")

    _, answer = kit.call(aws, "talks", LogType="Tail")
    text = kit.tail(answer)

    assert len(text.encode()) <= 4096
    assert "\nend\nEND RequestId: " in text


def test_what_code_sees_of_its_place(aws: Any) -> None:
    """AWS's variables, folders and context."""
    kit.create(
        aws,
        "place",
        "import os\n"
        "def handler(e, c):\n"
        "    open(os.path.join(os.environ.get('TMPDIR', '/tmp'), 'x'), 'w').write('y')\n"
        "    return {'file': __file__, 'cwd': os.getcwd(), 'env': dict(os.environ),\n"
        "            'left': c.get_remaining_time_in_millis(), 'memory': c.memory_limit_in_mb,\n"
        "            'group': c.log_group_name, 'stream': c.log_stream_name}",
        MemorySize=256,
        Timeout=7,
    )

    value, _ = kit.call(aws, "place")

    assert value["file"] == "/var/task/app.py"
    assert value["cwd"] == "/var/task"
    assert 5000 < value["left"] <= 7000
    assert value["memory"] == "256"
    assert value["group"] == "/aws/lambda/place"
    assert "/[$LATEST]" in value["stream"]
    environment = value["env"]
    for name, expected in {
        "AWS_LAMBDA_FUNCTION_NAME": "place",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": "/var/task",
        "_HANDLER": "app.handler",
        "TZ": ":UTC",
        "AWS_LAMBDA_LOG_STREAM_NAME": value["stream"],
    }.items():
        assert environment[name] == expected, name
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def test_a_functions_own_key_is_its_roles(aws: Any, shared: Server) -> None:
    """Its credentials prove who it is, and let it do nothing that its role may not."""
    kit.create(aws, "keys", "import os\ndef handler(e, c): return dict(os.environ)")
    seen, _ = kit.call(aws, "keys")
    keys = {
        "aws_access_key_id": seen["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": seen["AWS_SECRET_ACCESS_KEY"],
        "aws_session_token": seen["AWS_SESSION_TOKEN"],
    }

    who = kit.client(shared, "sts", **keys).get_caller_identity()
    with pytest.raises(ClientError) as error:
        kit.client(shared, **keys).list_functions()

    assert who["Arn"].startswith("arn:aws:sts::000000000000:assumed-role/runner/")
    assert kit.refused(error.value)[:2] == (403, "AccessDeniedException")


def test_a_function_that_calls_itself_is_cut(aws: Any, shared: Server) -> None:
    """After sixteen hops the chain ends with RecursiveInvocationException; Allow lets it on."""
    key, secret = kit.development_key(shared.data)
    kit.create(
        aws,
        "goes-round",
        "import json, os, urllib.request\n"
        "from botocore.auth import SigV4Auth\n"
        "from botocore.awsrequest import AWSRequest\n"
        "from botocore.credentials import Credentials\n"
        "def handler(e, c):\n"
        "    n = e.get('n', 1)\n"
        "    if n >= e['most']: return n\n"
        "    url = os.environ['AWS_ENDPOINT_URL_LAMBDA']\n"
        "    url += '/2015-03-31/functions/goes-round/invocations'\n"
        "    body = json.dumps({'n': n + 1, 'most': e['most']})\n"
        "    headers = {'x-amzn-trace-id': os.environ['_X_AMZN_TRACE_ID']}\n"
        "    asked = AWSRequest('POST', url, data=body, headers=headers)\n"
        "    keys = Credentials(os.environ['KEY'], os.environ['SECRET'])\n"
        "    SigV4Auth(keys, 'lambda', 'us-east-1').add_auth(asked)\n"
        "    sent = urllib.request.Request(url, body.encode(), dict(asked.headers))\n"
        "    try:\n"
        "        with urllib.request.urlopen(sent) as got: return json.loads(got.read())\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return [n, error.code, error.headers['x-amzn-errortype']]\n",
        Timeout=60,
        Environment={"Variables": {"KEY": key, "SECRET": secret}},
    )

    cut, _ = kit.call(aws, "goes-round", {"most": 30})
    aws.put_function_recursion_config(FunctionName="goes-round", RecursiveLoop="Allow")
    allowed, _ = kit.call(aws, "goes-round", {"most": 20})

    assert cut == [16, 400, "RecursiveInvocationException"]
    assert allowed == 20


def test_boto3_is_there_and_reaches_this_platform(aws: Any) -> None:
    """As on AWS a handler just imports it; its clients of Lambda, STS and Logs come here."""
    kit.create(
        aws,
        "brings-nothing",
        "import boto3\ndef handler(e, c): return boto3.client('sts').get_caller_identity()['Arn']",
        Timeout=20,
        MemorySize=512,
    )

    value, _ = kit.call(aws, "brings-nothing")

    assert value.startswith("arn:aws:sts::000000000000:assumed-role/runner/"), value
