"""Programs as runtimes: compiled, in shell, in Node, behind a wrapper; and what can go wrong."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dynimo import ports
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.runtime import handler as handlers
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import ROOT_MEASURES, Environment, zygote

HERE = Path(__file__).parent
BLUEPRINTS = HERE.parents[1] / "blueprints"
OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"
NODE = "nodejs20.x"
PYTHON = Path(sys.executable).resolve()


@pytest.fixture(params=["full", "basic"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    if request.param == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    without = ROOT_MEASURES if request.param == "basic" else frozenset()
    opened = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch", without=without))
    yield opened
    await opened.close()


full = pytest.mark.parametrize("sandbox", ["full"], indirect=True)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def needs_node(sandbox: ProcessSandbox) -> None:
    if NODE not in sandbox.present:
        pytest.skip("needs node, version 20 or newer")


def written(folder: Path, **files: str) -> Path:
    """A code folder; names of scripts and modules are given with ``_`` for the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("_", ".")
        path.write_text(textwrap.dedent(text).lstrip())
        path.chmod(0o755)
    return folder


def answer(environment: Environment, meta: dict[str, Any], body: bytes) -> Any:
    return meta["error"] if "error" in meta else json.loads(body)


async def call(environment: Environment, event: Any = None, **more: Any) -> Any:
    """Invoke once; the value or the error, past frames that come before it."""
    environment.send(event, **{"deadline_ms": int((time.time() + 30) * 1000), **more})
    frames = await frames_of(environment)
    return answer(environment, *frames[-1])


async def frames_of(environment: Environment) -> list[tuple[dict[str, Any], bytes]]:
    frames: list[tuple[dict[str, Any], bytes]] = []
    while not frames or frames[-1][0]["type"] != "outcome":
        frames.append(await environment.frame())
    return frames


@pytest.fixture(scope="session")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = program("go")
    folder = tmp_path_factory.mktemp("go")
    folder.chmod(0o755)
    built = [go, "build", "-o", str(folder / "bootstrap"), str(HERE / "runtimes" / "main.go")]
    subprocess.run(built, check=True, env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""})
    return folder


@pytest.mark.timeout(300)
async def test_a_compiled_go_program(sandbox: ProcessSandbox, go_program: Path) -> None:
    """Answers, in chunks, and its errors are told as it posted them."""
    async with zygote(sandbox, go_program, "x", runtime="provided.al2023") as started:
        environment = Environment(started)
        assert await call(environment, {"Number": 21}) == {"doubled": 42}
        bad = {"errorMessage": "negative", "errorType": "Bad"}
        assert await call(environment, {"Number": -1}) == bad
        assert await call(environment, {"Number": 4}) == {"doubled": 8}


@pytest.mark.timeout(180)
async def test_a_compiled_rust_program(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Keeps one connection for all its invocations; what it prints is in the log."""
    folder = tmp_path / "code"
    folder.mkdir()
    source = str(HERE / "runtimes" / "main.rs")
    rustc = [program("rustc"), "-o", str(folder / "bootstrap"), source]
    await asyncio.to_thread(subprocess.run, rustc, check=True)
    async with zygote(sandbox, folder, "x", runtime="provided.al2023") as started:
        environment = Environment(started)
        for text in ("", "abc", "x" * 1_000_000):
            assert await call(environment, text) == {"bytes": len(text) + 2}
        environment.process.flush()
    assert environment.watcher.lines[0] == "took r-1"


async def test_the_blueprint_in_shell(sandbox: ProcessSandbox) -> None:
    """A new connection for each call, by curl."""
    program("curl")
    folder = BLUEPRINTS / "custom-runtime"
    async with zygote(sandbox, folder, "none", runtime="provided.al2023") as started:
        environment = Environment(started)
        assert await call(environment, {"say": "quietly"}) == {"SAY": "QUIETLY"}
        assert await call(environment, {"say": "again"}) == {"SAY": "AGAIN"}


async def test_the_blueprint_in_node(sandbox: ProcessSandbox) -> None:
    """An ES module with an async handler; console.log in AWS's form."""
    needs_node(sandbox)
    own = {"AWS_LAMBDA_FUNCTION_NAME": "hello-node"}
    folder = BLUEPRINTS / "node"
    async with zygote(sandbox, folder, "index.handler", runtime=NODE, variables=own) as started:
        environment = Environment(started)
        got = await call(environment, {"name": "Ada"})
        environment.process.flush()
    assert got == {"message": "Hello, Ada!", "by": "hello-node"}
    assert environment.watcher.lines[0].split("\t")[1:] == ["r-1", "INFO", "greeting Ada"]


HANDLERS = {
    "exports.handler = (event, context, callback) => callback(null, event.length)": 3,
    "exports.handler = (e, c, callback) => { setTimeout(() => {}, 50); callback(null, 1) }": 1,
    "exports.handler = (e, c, callback) => { c.callbackWaitsForEmptyEventLoop = false;"
    " setInterval(() => {}, 1000); callback(null, 2) }": 2,
    "exports.handler = (event, context) => context.succeed('done')": "done",
    "exports.handler = () => {}": None,
    "exports.handler = async () => undefined": None,
    "exports.handler = async (e, c) => [c.functionName, c.memoryLimitInMB, c.awsRequestId,"
    " c.invokedFunctionArn, c.clientContext.custom.k, c.getRemainingTimeInMillis() > 1000,"
    " process.env.AWS_EXECUTION_ENV]":
        ["f", "128", "r-1", "arn:x", "ü", True, "AWS_Lambda_nodejs20.x"],
}  # fmt: skip


@full
@pytest.mark.parametrize("source", HANDLERS)
async def test_handlers_in_node(sandbox: ProcessSandbox, tmp_path: Path, source: str) -> None:
    """Callbacks, that wait for the event loop or do not; the context; what is undefined is null."""
    needs_node(sandbox)
    folder = written(tmp_path / "code", index_js=source)
    own = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"}
    async with zygote(sandbox, folder, "index.handler", runtime=NODE, variables=own) as started:
        context = json.dumps({"custom": {"k": "ü"}}, ensure_ascii=False)
        got = await call(Environment(started), "abc", client_context=context)
    assert got == HANDLERS[source]


FAILING = {
    "throw": ("exports.handler = async () => { throw new TypeError('no') }", "TypeError", "no"),
    "callback": ("exports.handler = (e, c, callback) => callback(new Error('x'))", "Error", "x"),
    "string": ("exports.handler = (e, c, callback) => callback('text')", "string", "text"),
    "never": ("exports.handler = async () => new Promise(() => {})", "Runtime.NodeJsExit", "The "),
    "rejection": ("exports.handler = (e, c, cb) => { Promise.reject(new Error('late')) }",
        "Runtime.UnhandledPromiseRejection", "Error: late"),
    "uncaught": ("exports.handler = (e, c, cb) => { setTimeout(() => { throw RangeError('r') }) }",
        "RangeError", "r"),
    "import": ("require('nothing')",
        "Runtime.ImportModuleError", "Error: Cannot find module 'nothing'"),
    "syntax": ("exports.handler = (",
        "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"),
    "missing": ("exports.other = 1",
        "Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
    "start": ("throw new Error('at start')", "Error", "at start"),
}  # fmt: skip


@full
@pytest.mark.parametrize("name", FAILING)
async def test_failures_in_node(sandbox: ProcessSandbox, tmp_path: Path, name: str) -> None:
    """AWS's types and texts, in the handler and before it."""
    needs_node(sandbox)
    source, kind, text = FAILING[name]
    folder = written(tmp_path / "code", index_js=source)
    async with zygote(sandbox, folder, "index.handler", runtime=NODE) as started:
        got = await call(Environment(started))
    assert got["errorType"] == kind
    assert got["errorMessage"].startswith(text)
    assert isinstance(got["trace"], list)


@full
async def test_a_stream_from_node(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """The head first, then pieces as they are written, then the end."""
    needs_node(sandbox)
    source = """
        export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
          stream = awslambda.HttpResponseStream.from(stream, {
            statusCode: 201, headers: {"X-A": "b"}, cookies: ["c=1", "d=2"] });
          stream.write("one");
          await new Promise((done) => setTimeout(done, 100));
          stream.write("two");
          if (event) throw new Error("midway");
          stream.end();
        });
    """
    folder = written(tmp_path / "code", index_mjs=source)
    async with zygote(sandbox, folder, "index.handler", runtime=NODE) as started:
        environment = Environment(started)
        for event in (0, 1, 0):
            environment.send(event, stream=True, deadline_ms=2**45)
            frames = [each for each in await frames_of(environment) if each[0]["type"] != "ready"]
            begin, *chunks, (last, _) = frames
            assert (begin[0]["type"], begin[0]["status"]) == ("begin", 201)
            assert begin[0]["headers"] == [
                ["X-A", "b"],
                ["set-cookie", "c=1"],
                ["set-cookie", "d=2"],
            ]
            assert b"".join(body for _, body in chunks) == b"onetwo"
            assert len(chunks) >= 2
            assert last["streamed"]
            assert (last.get("error") or {}).get("errorMessage") == ("midway" if event else None)


PROVIDED_ENDS = {
    "exits at once": ("#!/bin/sh\nexit 3\n", "Runtime exited with error: exit status 3"),
    "exits well": ("#!/bin/sh\necho bye\n", "Runtime exited without providing a reason"),
    "is killed": ("#!/bin/sh\nkill -9 $$\n", "Runtime exited with error: signal: killed"),
}


@pytest.mark.parametrize("name", PROVIDED_ENDS)
async def test_a_bootstrap_that_ends(sandbox: ProcessSandbox, tmp_path: Path, name: str) -> None:
    """Before it asks for anything: the environment ends as it did."""
    source, words = PROVIDED_ENDS[name]
    folder = written(tmp_path / "code", bootstrap=source)
    async with zygote(sandbox, folder, "x", runtime="provided.al2023") as started:
        environment = Environment(started)
        environment.send({})
        ended: ports.Exit = await environment.watcher.ended()
    assert handlers.exit_text(ended.status) == words


@full
@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("#!/bin/sh\n", 0o644, "fork/exec /var/task/bootstrap: permission denied"),
        ("no program\n", 0o755, "fork/exec /var/task/bootstrap: exec format error"),
        ("#!/nothing\n", 0o755, "fork/exec /var/task/bootstrap: no such file or directory"),
        (None, 0, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
    ],
)
async def test_a_bootstrap_that_is_none(
    sandbox: ProcessSandbox, tmp_path: Path, text: str | None, mode: int, words: str
) -> None:
    """Runtime.InvalidEntrypoint, in the words of AWS's emulator."""
    folder = written(tmp_path / "code", other="x")
    if text is not None:
        (folder / "bootstrap").write_text(text)
        (folder / "bootstrap").chmod(mode)
    async with zygote(sandbox, folder, "x", runtime="provided.al2023") as started:
        got = await call(Environment(started), request_id="id-1")
    told = {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": f"RequestId: id-1 Error: {words}",
    }
    assert told == got


@full
async def test_a_start_that_takes_too_long_begins_again(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """As on AWS: the first try is ended after the limit, the second runs in the caller's time."""
    source = """
        #!/bin/sh
        echo started
        mark=/var/scratch
        [ -n "$TMPDIR" ] && mark=$TMPDIR
        if [ ! -e "$mark/again" ]; then touch "$mark/again"; sleep 60; fi
        api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
        curl -sS "$api/next" >/dev/null
        curl -sS -d '"at last"' "$api/r-1/response"
        sleep 60
    """
    program("curl")
    folder = written(tmp_path / "code", bootstrap=source)
    more = {"runtime": "provided.al2023", "init_timeout_seconds": 2.5}
    async with zygote(sandbox, folder, "x", **more) as started:
        environment = Environment(started)
        environment.send({})
        frames = await frames_of(environment)
        environment.process.flush()
    assert [meta["type"] for meta, _ in frames] == ["ready", "outcome"]
    assert frames[-1][1] == b'"at last"'
    lines = [line for line in environment.watcher.lines if line.startswith(("started", "Init"))]
    assert lines == ["started", "Init timed out after 2.50 seconds", "started"]


async def test_a_kill_ends_all_that_the_program_began(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """Its children in other sessions, too."""
    source = """
        #!/bin/sh
        setsid sleep 98765 &
        echo begun
        sleep 98765
    """
    folder = written(tmp_path / "code", bootstrap=source)
    async with zygote(sandbox, folder, "x", runtime="provided.al2023") as started:
        environment = Environment(started)
        async with asyncio.timeout(60):
            await environment.watcher.line_arrived.wait()
        environment.process.kill()
        await environment.watcher.ended()
        for _ in range(400):
            if not _sleepers():
                return
            await asyncio.sleep(0.05)
    raise AssertionError(_sleepers())


def _sleepers() -> list[str]:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_text()
        except OSError:
            continue
        found += [text] if text == "sleep\x0098765\x00" else []
    return found


@full
async def test_neighbours_get_no_answer(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Another environment of the same function, and a process of the host, are hung up on."""
    program("curl")
    source = """
        #!/bin/sh
        echo "$AWS_LAMBDA_RUNTIME_API"
        base="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
        while true; do
            event=$(curl -sS "$base/next")
            target=${event#\\"}; target=${target%\\"}
            said=$(curl -sS -m 5 "http://$target/2018-06-01/ping" 2>/dev/null)
            curl -sS -d "\\"$said.\\"" "$base/r-1/response" >/dev/null
        done
    """
    folder = written(tmp_path / "code", bootstrap=source)
    async with zygote(sandbox, folder, "x", runtime="provided.al2023") as started:
        first, second = Environment(started), Environment(started)
        addresses: list[str] = []
        for each in (first, second):
            async with asyncio.timeout(60):
                await each.watcher.line_arrived.wait()
            addresses.append(each.watcher.lines[0])
        assert await call(first, addresses[0]) == "pong."
        assert await call(first, addresses[1]) == "."
        assert await call(second, addresses[1]) == "pong."
        from_host = ["curl", "-sS", "-m", "5", f"http://{addresses[0]}/2018-06-01/ping"]
        asked = await asyncio.to_thread(subprocess.run, from_host, capture_output=True)
        assert asked.stdout == b""


@full
async def test_a_wrapper_script_around_python(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER gets the interpreter's command line; errors keep their shape."""
    wrapper = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    source = """
        import os
        def handler(event, context):
            if event: raise ValueError(event)
            return [os.environ["WRAPPED"], os.environ["AWS_EXECUTION_ENV"], context.function_name]
    """
    folder = written(tmp_path / "code", wrap=wrapper, app_py=source)
    own = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap", "AWS_LAMBDA_FUNCTION_NAME": "f"}
    async with zygote(sandbox, folder, "app.handler", runtime=OWN, variables=own) as started:
        environment = Environment(started)
        assert await call(environment) == ["yes", f"AWS_Lambda_{OWN}", "f"]
        error = await call(environment, "no luck")
    line = "    if event: raise ValueError(event)"
    assert error["stackTrace"] == [f'  File "/var/task/app.py", line 3, in handler\n{line}\n']
    own["AWS_LAMBDA_EXEC_WRAPPER"] = "/var/task/nothing"
    async with zygote(sandbox, folder, "app.handler", runtime=OWN, variables=own) as started:
        environment = Environment(started)
        environment.send({})
        assert (await environment.watcher.ended()).status == 127


@full
async def test_a_wrapper_script_around_node(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Node functions have wrappers too."""
    needs_node(sandbox)
    wrapper = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    source = "exports.handler = async () => process.env.WRAPPED"
    folder = written(tmp_path / "code", wrap=wrapper, index_js=source)
    own = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}
    async with zygote(sandbox, folder, "index.handler", runtime=NODE, variables=own) as started:
        assert await call(Environment(started)) == "yes"


@pytest.mark.parametrize("version", ["3.12", "3.13"])
async def test_other_pythons_fork_too(
    sandbox: ProcessSandbox, tmp_path: Path, version: str
) -> None:
    """A Python of another version imports and forks; only its own library is on its path."""
    if f"python{version}" not in sandbox.present:
        pytest.skip(f"needs python{version}")
    source = """
        import sys, sqlite3
        def handler(event, context):
            return ["%d.%d" % sys.version_info[:2], event,
                    [p for p in sys.path if p.endswith("-packages") and not p.startswith("/opt")]]
    """
    folder = written(tmp_path / "code", app_py=source)
    async with zygote(sandbox, folder, "app.handler", runtime=f"python{version}") as started:
        environment = Environment(started)
        assert await call(environment, "ü") == [version, "ü", []]


async def test_the_memory_limit_holds_for_programs(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """By the kernel's groups or by the watchdog: what a program takes counts as the function's."""
    source = f"""
        #!{PYTHON}
        import time
        kept = []
        while True:
            kept.append(bytearray(8 << 20))
            for at in range(0, 8 << 20, 4096): kept[-1][at] = 1
            time.sleep(0.01)
    """
    folder = written(tmp_path / "code", bootstrap=source)
    more = {"runtime": "provided.al2023", "memory_mib": 160}
    async with zygote(sandbox, folder, "x", **more) as started:
        environment = Environment(started)
        environment.send({})
        ended = await environment.watcher.ended()
    assert ended.out_of_memory
    assert ended.status == -9
