"""Python functions behave the same both ways: forked, and by AWS's client on our Runtime API.

Every test runs twice, and what it expects is what AWS's runtime interface client does.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dynimo import ports
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.model import errors
from dynimo.runtime import handler as handlers
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import Environment, code, zygote

OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"
VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "f",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
    "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_REGION": "us-east-1",
}
PYTHON = Path(sys.executable).resolve()
WAYS = ("forked", "client")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


@dataclass
class Seen:
    """What came of invocations: an answer each, the log, and the end if there was one."""

    answers: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    ended: str = ""

    @property
    def error(self) -> dict[str, Any]:
        """The last answer, which is an error."""
        assert isinstance(self.answers[-1], dict), self
        return self.answers[-1]


class Way:
    """One of the two ways to run a Python function."""

    def __init__(self, sandbox: ProcessSandbox, folder: Path, name: str) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.name = name

    async def run(
        self,
        source: str,
        *events: Any,
        handler: str = "app.handler",
        variables: dict[str, str] | None = None,
        **meta: Any,
    ) -> Seen:
        """Put ``source`` into app.py and send ``events`` to one environment."""
        folder = code(self.folder, source)
        seen = Seen()
        own = {**VARIABLES, **(variables or {})}
        more: dict[str, Any] = {"runtime": OWN, "variables": own}
        if self.name == "client":
            packages = next(path for path in sys.path if path.endswith("site-packages"))
            bootstrap = folder / "bootstrap"
            bootstrap.write_text(f"#!/bin/sh\nexec {PYTHON} -m awslambdaric {handler}\n")
            bootstrap.chmod(0o755)
            own["PYTHONPATH"] = packages
            more |= {"runtime": "provided.al2023", "readable": (Path(packages),)}
        try:
            async with zygote(self.sandbox, folder, handler, **more) as started:
                await self._invoke(Environment(started), events or ({},), meta, seen)
        except errors.InitError as failed:
            if failed.error["errorType"] == "Runtime.ExitError":
                seen.ended = failed.error["errorMessage"]
            seen.answers.append(failed.error)
        return seen

    async def _invoke(
        self, environment: Environment, events: tuple[Any, ...], meta: dict[str, Any], seen: Seen
    ) -> None:
        soon = int((time.time() + 60) * 1000)
        for event in events:
            if isinstance(event, bytes):
                frame = {"type": "invoke", "id": "r-1", "deadline_ms": soon}
                environment.process.send(frame, event)
            else:
                environment.send(event, **{"deadline_ms": soon, **meta})
            try:
                await self._answer(environment, seen)
            except AssertionError:
                ended: ports.Exit = environment.watcher.exit.result()
                seen.ended = handlers.exit_text(ended.status)
                break
        environment.process.flush()
        environment.process.kill()
        await environment.watcher.ended()
        seen.lines = [TIME.sub("TIME", line) for line in environment.watcher.lines]

    async def _answer(self, environment: Environment, seen: Seen) -> None:
        while True:
            frame, body = await environment.frame()
            if frame["type"] == "outcome":
                break
        seen.bodies.append(body)
        seen.answers.append(frame["error"] if "error" in frame else body.decode("utf-8", "replace"))


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    sandbox = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch"))
    yield sandbox
    await sandbox.close()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, opened: ProcessSandbox, tmp_path: Path) -> Way:
    if request.param == "client":
        pytest.importorskip("awslambdaric")
    return Way(opened, tmp_path / "code", request.param)


EVAL = """
    import collections, datetime, decimal, enum, math
    Point = collections.namedtuple("Point", "x y")
    class Number(enum.IntEnum):
        ONE = 1
    class Text(str, enum.Enum):
        A = "a"
    class Tree(dict): pass
    circle = []; circle.append(circle)
    def handler(event, context):
        return eval(event)
"""

VALUES = {
    "None": "null",
    "[True, False, 1, -2.5, 1e100, 10**30]": "[true, false, 1, -2.5, 1e+100, "
    "1000000000000000000000000000000]",
    "'\\u00fc\\u20ac\\U0001f600\\\"\\n'": r'"\u00fc\u20ac\ud83d\ude00\"\n"',
    "'\\ud800'": r'"\ud800"',
    "(1, (2,), [])": "[1, [2], []]",
    "{1: 2, None: 3, 1.5: 4, 'k': {}}": '{"1": 2, "null": 3, "1.5": 4, "k": {}}',
    "[math.nan, math.inf, -math.inf]": "[NaN, Infinity, -Infinity]",
    "[decimal.Decimal('1.10'), decimal.Decimal('NaN'), decimal.Decimal('1E+3')]": "[1.10, NaN, "
    "1E+3]",
    "Point(1, [Point(2, 3)])": '{"x": 1, "y": [{"x": 2, "y": 3}]}',
    "b'raw \\xff'": b"raw \xff",
    "[b'text', {b'k': 1}]": '["text", {"k": 1}]',
    "[Number.ONE, Text.A, Tree(a=1)]": '[1, "a", {"a": 1}]',
    "collections.OrderedDict(b=1, a=[])": '{"b": 1, "a": []}',
    "{'a': {'b': [decimal.Decimal(1)]}, 'c': True}": '{"a": {"b": [1]}, "c": true}',
}


async def test_values_come_out_byte_for_byte(way: Way) -> None:
    """Escapes, separators, numbers, named tuples, bytes: as AWS's encoder writes them."""
    expected = [text if isinstance(text, bytes) else text.encode() for text in VALUES.values()]
    if sys.version_info >= (3, 12) and way.name == "forked":
        pytest.skip("from Python 3.12 on nothing is escaped; the client asks a managed runtime")
    seen = await way.run(EVAL, *VALUES)
    assert dict(zip(VALUES, expected, strict=True)) == dict(zip(VALUES, seen.bodies, strict=True))


UNSAID = {
    "{1, 2}": "Object of type set is not JSON serializable",
    "datetime.datetime(2026, 1, 1)": "Object of type datetime is not JSON serializable",
    "[object]": "Object of type type is not JSON serializable",
    "{(1, 2): 3}": "keys must be str, int, float, bool or None, not tuple",
    "1j": "Object of type complex is not JSON serializable",
    "circle": "Circular reference detected",
}


async def test_values_that_json_cannot_say(way: Way) -> None:
    """They become Runtime.MarshalError with the encoder's words, and the environment lives on."""
    seen = await way.run(EVAL, *UNSAID, "1")
    expected = [
        {
            "errorMessage": f"Unable to marshal response: {text}",
            "errorType": "Runtime.MarshalError",
            "requestId": "r-1",
            "stackTrace": [],
        }
        for text in UNSAID.values()
    ]
    assert [*expected, "1"] == seen.answers


async def test_a_raised_error_is_told_as_aws_tells_it(way: Way) -> None:
    """Type, message, request id, stack; in that order of members; the log has it in one line."""
    seen = await way.run("def handler(event, context):\n    raise ValueError('no \u00fc luck')\n")
    line = "    raise ValueError('no \u00fc luck')"
    expected = {
        "errorMessage": "no \u00fc luck",
        "errorType": "ValueError",
        "requestId": "r-1",
        "stackTrace": [f'  File "/var/task/app.py", line 2, in handler\n{line}\n'],
    }
    assert expected == seen.error
    assert list(expected) == list(seen.error)
    space = "\u00a0"
    logged = [
        "[ERROR] ValueError: no \u00fc luck",
        "Traceback (most recent call last):",
        f'{space * 2}File "/var/task/app.py", line 2, in handler',
        f"{space * 4}raise ValueError('no \u00fc luck')",
    ]
    assert seen.lines == ["\r".join(logged)]


RAISES = {
    "chained": "try:\n        {}['a']\n    except KeyError as e:\n        raise OSError(5) from e",
    "plain": "raise Exception",
    "own": "class Own(Exception): pass\n    raise Own('a', 1)",
    "exec": "exec('1/0')",
    "library": "import json; json.loads('{')",
    "nested": "(lambda: [][1])()",
    "group": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])",
}


@pytest.mark.parametrize("name", RAISES)
async def test_errors_are_the_same_by_both_ways(
    opened: ProcessSandbox, tmp_path: Path, name: str
) -> None:
    """Whatever is raised, wherever: the caller is told the same, and so is the log."""
    pytest.importorskip("awslambdaric")
    source = f"def handler(event, context):\n    {RAISES[name]}\n"
    forked, client = [
        await Way(opened, tmp_path / each, each).run(source) for each in WAYS
    ]  # fmt: skip
    assert forked.error == client.error
    assert forked.lines == client.lines


async def test_deep_recursion(way: Way) -> None:
    """Repeated frames are told once, with how often."""
    source = "def f(): return f()\ndef handler(event, context): return f()\n"
    seen = await way.run(source)
    repeated = re.sub(r"\d+", "N", seen.error["stackTrace"][-1])
    assert seen.error["errorType"] == "RecursionError"
    assert repeated == "  [Previous line repeated N more times]\n"


STARTS = {
    "missing module": ("", "nothing.handler", "Runtime.ImportModuleError",
        "Unable to import module 'nothing': No module named 'nothing'"),
    "missing in a folder": ("", "a/b.handler", "Runtime.ImportModuleError",
        "Unable to import module 'a/b': No module named 'a'"),
    "import inside": ("import nothing", "app.handler", "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'nothing'"),
    "no handler": ("", "app.handler", "Runtime.HandlerNotFound",
        "Handler 'handler' missing on module 'app'"),
    "malformed": ("", "handler", "Runtime.MalformedHandlerName",
        "Bad handler 'handler': not enough values to unpack (expected 2, got 1)"),
    "built in": ("", "time.sleep", "Runtime.BuiltInModuleConflict",
        "Cannot use built-in module time as a handler module"),
}  # fmt: skip


@pytest.mark.parametrize("name", STARTS)
async def test_a_handler_that_cannot_be_had(way: Way, name: str) -> None:
    """AWS's type and words for each way, no request id, no stack."""
    source, handler, kind, text = STARTS[name]
    seen = await way.run(source, handler=handler)
    told = {"errorMessage": text, "errorType": kind, "requestId": "", "stackTrace": []}
    assert told == seen.error


async def test_a_syntax_error(way: Way) -> None:
    """The line is shown as it stands in the file."""
    seen = await way.run("def handler(event, context):\n    return (\n")
    assert seen.error == {
        "errorMessage": "Syntax error in module 'app': '(' was never closed (app.py, line 2)",
        "errorType": "Runtime.UserCodeSyntaxError",
        "requestId": "",
        "stackTrace": ['  File "/var/task/app.py" Line 2\n        return (\n'],
    }


async def test_an_import_that_raises(way: Way) -> None:
    """The stack begins in importlib and ends in the module."""
    seen = await way.run("raise Exception('Runtime startup fails')\n")
    error = seen.error
    assert (error["errorType"], error["errorMessage"]) == ("Exception", "Runtime startup fails")
    assert error["requestId"] == ""
    assert "in import_module" in error["stackTrace"][0]
    last = "    raise Exception('Runtime startup fails')\n"
    assert error["stackTrace"][-1] == f'  File "/var/task/app.py", line 1, in <module>\n{last}'


@pytest.mark.parametrize("exits", ["sys.exit()", "sys.exit(3)", "sys.exit('bye')", "os._exit(7)"])
@pytest.mark.parametrize("where", ["import", "handler"])
async def test_a_function_that_exits(way: Way, exits: str, where: str) -> None:
    """The environment is gone, and how is told by its exit status."""
    body = f"import os, sys\n{exits}\n" if where == "import" else ""
    source = f"{body}import os, sys\ndef handler(event, context):\n    {exits}\n"
    seen = await way.run(source)
    assert (
        seen.ended
        == {
            "sys.exit()": "Runtime exited without providing a reason",
            "sys.exit(3)": "Runtime exited with error: exit status 3",
            "sys.exit('bye')": "Runtime exited with error: exit status 1",
            "os._exit(7)": "Runtime exited with error: exit status 7",
        }[exits]
    )


@pytest.mark.parametrize(
    ("dies", "word"), [("kill(getpid(), 9)", "killed"), ("abort()", "aborted")]
)  # fmt: skip
async def test_a_function_that_is_killed(way: Way, dies: str, word: str) -> None:
    """A signal is told by its name."""
    seen = await way.run(f"from os import *\ndef handler(event, context):\n    {dies}\n")
    assert seen.ended == f"Runtime exited with error: signal: {word}"


async def test_only_exceptions_are_answers(way: Way) -> None:
    """What is no Exception ends the process, as Python ends."""
    source = "class Stop(BaseException): pass\ndef handler(event, context):\n    raise Stop('x')\n"
    seen = await way.run(source)
    assert seen.ended == "Runtime exited with error: exit status 1"


async def test_the_context(way: Way) -> None:
    """Every attribute of AWS's context, and what may be asked of it."""
    source = """
        def handler(event, c):
            told = c.client_context
            c.mine = 1
            return [c.aws_request_id, c.function_name, c.function_version, c.memory_limit_in_mb,
                    c.invoked_function_arn, c.log_group_name, c.log_stream_name, c.tenant_id,
                    c.identity.cognito_identity_id, c.identity.cognito_identity_pool_id,
                    told and [told.custom, told.env,
                      told.client.app_title, told.client.app_package_name],
                    50_000 < c.get_remaining_time_in_millis() <= 60_000, c.mine]
    """
    told = json.dumps({"custom": {"k": "\u00fc"}, "client": {"app_title": "t", "more": 1}})
    facts = ["r-1", "f", "$LATEST", "128", "arn:x", "/aws/lambda/f", "stream", None, None, None]
    seen = await way.run(source, client_context=told)
    assert json.loads(seen.answers[0]) == [*facts, [{"k": "\u00fc"}, None, "t", None], True, 1]
    seen = await way.run(source)
    assert json.loads(seen.answers[0])[10] is None


async def test_the_environment(opened: ProcessSandbox, tmp_path: Path) -> None:
    """Both ways see the same variables, but for what one of them does not have or need."""
    pytest.importorskip("awslambdaric")
    source = "import os\ndef handler(event, context): return dict(os.environ)\n"
    forked, client = [
        json.loads((await Way(opened, tmp_path / each, each).run(source)).answers[0])
        for each in WAYS
    ]
    assert re.fullmatch(r"127\.\d+\.\d+\.\d+:\d+", client["AWS_LAMBDA_RUNTIME_API"])
    assert forked["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{OWN}"
    apart = {"AWS_LAMBDA_RUNTIME_API", "AWS_EXECUTION_ENV", "TMPDIR", "PYTHONPATH",
             "OPENBLAS_NUM_THREADS", "_", "OLDPWD"}  # fmt: skip
    assert {name: forked[name] for name in forked.keys() - apart} == {
        name: client[name] for name in client.keys() - apart
    }
    assert forked["LAMBDA_TASK_ROOT"] == "/var/task"
    assert forked["_HANDLER"] == "app.handler"


async def test_the_trace_id_lasts_as_long_as_its_invocation(way: Way) -> None:
    """_X_AMZN_TRACE_ID is set when there is one, and gone when there is none."""
    source = "import os\ndef handler(event, context): return os.environ.get('_X_AMZN_TRACE_ID')\n"
    assert (await way.run(source, trace="Root=1-a")).answers == ['"Root=1-a"']
    assert (await way.run(source)).answers == ["null"]


async def test_what_is_printed(way: Way) -> None:
    """Without a newline, in other scripts, by both streams; and nothing is lost by a hard end."""
    source = """
        import os, sys
        def handler(event, context):
            print("one"); sys.stderr.write("two\\n"); print("\u00fc\u20ac", end="")
            if event: os._exit(1)
    """
    assert (await way.run(source)).lines == ["one", "two", "\u00fc\u20ac"]
    assert (await way.run(source, 1)).lines == ["one", "two", "\u00fc\u20ac"]


async def test_the_logging_module(way: Way) -> None:
    """Level, time, request id and text between tabs; below WARNING nothing, unless asked for."""
    source = """
        import logging
        log = logging.getLogger("mine")
        logging.warning("at import")
        def handler(event, context):
            log.info("hidden"); log.warning("a %s", "b"); log.error("two\\nlines")
    """
    seen = await way.run(source)
    expected = ["[WARNING]\tTIME\tr-1\ta b", "[ERROR]\tTIME\tr-1\ttwo", "lines"]
    assert [line for line in seen.lines if "import" not in line] == expected
    seen = await way.run(source, variables={"AWS_LAMBDA_LOG_LEVEL": "INFO"})
    assert "[INFO]\tTIME\tr-1\thidden" in seen.lines


async def test_logging_in_json(way: Way) -> None:
    """One object a record, with what was given as extra; errors of the handler too."""
    source = """
        import logging
        log = logging.getLogger("mine")
        def handler(event, context):
            log.warning("a %s", "b", extra={"order": 7})
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception({"what": "division"})
            raise OSError("end")
    """
    seen = await way.run(source, variables={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
    first, second, third = [json.loads(line) for line in seen.lines]
    assert first == {
        "timestamp": "TIME", "level": "WARNING", "message": "a b", "logger": "mine",
        "requestId": "r-1", "order": 7,
    }  # fmt: skip
    assert second["message"] == {"what": "division"}
    assert second["errorType"] == "ZeroDivisionError"
    assert second["location"].endswith("app.py:handler:9")
    assert {"timestamp": "TIME", "level": "ERROR", **seen.error} == third


async def test_large_payloads(way: Way) -> None:
    """Almost six megabytes go in and come out."""
    text = "x" * (6 * 1024 * 1024 - 100)
    seen = await way.run("def handler(event, context): return event\n", text)
    assert seen.answers == [json.dumps(text)]


async def test_state_stays_and_events_are_their_own(way: Way) -> None:
    """Module globals live on between invocations of one environment."""
    source = "seen = []\ndef handler(event, context):\n    seen.append(event)\n    return seen\n"
    assert (await way.run(source, 1, "b", None)).answers[-1] == '[1, "b", null]'


async def test_handlers_in_folders(way: Way) -> None:
    """A slash names a folder; so does a dot."""
    code(way.folder / "pkg", "def handler(event, context): return __name__\n", name="mod")
    assert (await way.run("", handler="pkg/mod.handler")).answers == ['"pkg.mod"']
    assert (await way.run("", handler="pkg.mod.handler")).answers == ['"pkg.mod"']


async def test_a_handler_that_cannot_be_called(way: Way) -> None:
    """That is found out when it is called."""
    seen = await way.run("handler = 'text'\n")
    told = seen.error["errorType"], seen.error["errorMessage"]
    assert told == ("TypeError", "'str' object is not callable")


async def test_an_event_that_is_no_json(way: Way) -> None:
    """The handler is not called; the environment lives on."""
    source = "def handler(event, context): return event\n"
    seen = await way.run(source, b"{", 1)
    first, second = seen.answers
    assert first["errorType"] == "Runtime.UnmarshalError"
    assert first["errorMessage"].startswith("Unable to unmarshal input: ")
    assert second == "1"
