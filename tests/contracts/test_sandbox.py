"""The rules of ``ports.Sandbox``, held against every sandbox there is."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dynimo import ports
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.inline import InlineSandbox
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.model import errors
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import ROOT_MEASURES, Environment, code, zygote

ALL = ("full", "basic", "inline")
PROCESSES = ("full", "basic")


@pytest.fixture(params=ALL)
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ports.Sandbox]:
    """Each sandbox: everything this host allows, what a normal user has, and none."""
    if request.param == "inline":
        yield InlineSandbox()
        return
    if request.param == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    without = ROOT_MEASURES if request.param == "basic" else frozenset()
    opened = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch", without=without))
    yield opened
    await opened.close()


only_processes = pytest.mark.parametrize("sandbox", PROCESSES, indirect=True)

ECHO = "def handler(event, context): return event"


async def init_error(
    sandbox: ports.Sandbox, folder: Path, handler: str = "app.handler", **more: Any
) -> dict[str, Any]:
    """The AWS-shaped error of a start that must fail."""
    with pytest.raises(errors.InitError) as caught:
        async with zygote(sandbox, folder, handler, **more):
            pass
    return caught.value.error


async def test_handler_answers(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """What the handler returns comes back as JSON."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO)) as started:
        assert await Environment(started).call({"a": [1, "ü"]}) == {"a": [1, "ü"]}


async def test_frames_sent_before_the_fork_is_done_are_kept(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """``fork`` returns at once and ``send`` may follow at once; order holds."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO)) as started:
        environment = Environment(started)
        for number in range(5):
            environment.send(number, request_id=f"r{number}")
        got = [await environment.frame() for _ in range(5)]
    assert [f"r{n}" for n in range(5)] == [meta["id"] for meta, _ in got]


async def test_environments_share_no_state(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A module global changed in one environment is untouched in the next."""
    source = """
        count = 0
        def handler(event, context):
            global count
            count += 1
            return count
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        first, second = Environment(started), Environment(started)
        got = [await first.call(), await first.call(), await second.call()]
    assert got == [1, 2, 1]


async def test_context_tells_what_aws_tells(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """The context's fields come from the variables and the invocation."""
    source = """
        def handler(event, c):
            return [c.aws_request_id, c.function_name, c.function_version, c.memory_limit_in_mb,
                    c.invoked_function_arn, c.get_remaining_time_in_millis() > 0]
    """
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    }
    async with zygote(sandbox, code(tmp_path / "code", source), variables=variables) as started:
        got = await Environment(started).call(request_id="id-1", deadline_ms=2**45)
    assert got == ["id-1", "f", "7", "128", "arn:x", True]


async def test_handler_error_has_awss_shape(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """An exception becomes type, message, request id and a stack that begins in the code."""
    source = """
        def handler(event, context):
            raise ValueError("no luck")
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        got = await Environment(started).call(request_id="id-2")
    stack = ['  File "/var/task/app.py", line 3, in handler\n    raise ValueError("no luck")\n']
    expected = {"errorType": "ValueError", "errorMessage": "no luck", "requestId": "id-2"}
    assert {**expected, "stackTrace": stack} == got


async def test_value_that_json_cannot_say(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A return value that is no JSON is AWS's Runtime.MarshalError."""
    source = "def handler(event, context): return {1, 2}"
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        got = await Environment(started).call()
    text = "Unable to marshal response: Object of type set is not JSON serializable"
    assert ("Runtime.MarshalError", text) == (got["errorType"], got["errorMessage"])


async def test_event_that_is_no_json(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """An event that is no JSON is AWS's Runtime.UnmarshalError; the handler is not called."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO)) as started:
        environment = Environment(started)
        environment.process.send({"type": "invoke", "id": "r"}, b"{")
        meta, _ = await environment.frame()
    assert meta["error"]["errorType"] == "Runtime.UnmarshalError"


async def test_reply_keeps_its_bytes(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A ``Reply`` crosses with its body raw."""
    source = """
        from dynimo.sdk import http
        def handler(event, context):
            return http.content(bytes(range(256)), "x/y", headers={"a": "b"})
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        environment.send({})
        meta, body = await environment.frame()
    reply = {"status": 200, "headers": [["content-type", "x/y"], ["a", "b"]]}
    assert (reply, bytes(range(256))) == (meta["reply"], body)


async def test_async_handler_serves_many_at_once(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """With concurrency above 1, requests overlap inside one environment."""
    source = """
        import asyncio
        waiting, gate = 0, None
        async def handler(event, context):
            global waiting, gate
            gate = gate or asyncio.Event()
            waiting += 1
            if waiting == 8:
                gate.set()
            await gate.wait()
            return waiting
    """
    folder = code(tmp_path / "code", source)
    async with zygote(sandbox, folder, concurrency=8) as started:
        environment = Environment(started)
        for number in range(8):
            environment.send({}, request_id=str(number))
        got = {(await environment.frame())[0]["id"] for _ in range(8)}
    assert set(map(str, range(8))) == got


async def test_concurrency_bounds_an_async_handler(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """No more than ``concurrency`` requests run at once in one environment."""
    source = """
        import asyncio
        running = most = 0
        async def handler(event, context):
            global running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1
            return most
    """
    folder = code(tmp_path / "code", source)
    async with zygote(sandbox, folder, concurrency=3) as started:
        environment = Environment(started)
        for _ in range(20):
            environment.send({})
        got = [json.loads((await environment.frame())[1]) for _ in range(20)]
    assert max(got) == 3


async def test_handler_that_exits(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """sys.exit in the handler ends the environment with that code."""
    source = """
        import sys
        def handler(event, context): sys.exit(3)
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        environment.send({})
        assert (await environment.watcher.ended()).status == 3


async def test_kill_ends_it(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """After ``kill`` comes ``on_exit`` with the signal."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO)) as started:
        environment = Environment(started)
        await environment.call()
        environment.process.kill()
        assert (await environment.watcher.ended()).status == -9


async def test_kill_before_the_fork_is_done(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A kill that comes early is not lost."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO)) as started:
        environment = Environment(started)
        environment.process.kill()
        assert (await environment.watcher.ended()).status == -9


async def test_close_ends_every_environment(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """``close`` returns when all are gone, and each was told."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO)) as started:
        environments = [Environment(started) for _ in range(5)]
        await environments[0].call()
    assert [(await each.watcher.ended()).status for each in environments] == [-9] * 5


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        ("import nosuch", "app.handler", "Runtime.ImportModuleError",
         "Unable to import module 'app': No module named 'nosuch'"),
        (ECHO, "other.handler", "Runtime.ImportModuleError",
         "Unable to import module 'other': No module named 'other'"),
        (ECHO, "app.missing", "Runtime.HandlerNotFound",
         "Handler 'missing' missing on module 'app'"),
        (ECHO, "app", "Runtime.MalformedHandlerName",
         "Bad handler 'app': not enough values to unpack (expected 2, got 1)"),
        (ECHO, "sys.exit", "Runtime.BuiltInModuleConflict",
         "Cannot use built-in module sys as a handler module"),
        ("def handler(:", "app.handler", "Runtime.UserCodeSyntaxError",
         "Syntax error in module 'app': invalid syntax (app.py, line 1)"),
        ("import sys; sys.exit(4)", "app.handler", "Runtime.ExitError",
         "Runtime exited with error: exit status 4"),
        ("import sys; sys.exit()", "app.handler", "Runtime.ExitError",
         "Runtime exited without providing a reason"),
        ("raise KeyError('x')", "app.handler", "KeyError", "'x'"),
    ],
)  # fmt: skip
async def test_init_errors_have_awss_names(
    sandbox: ProcessSandbox, tmp_path: Path, source: str, handler: str, kind: str, message: str
) -> None:
    """Each way in which code cannot start has AWS's type and text."""
    got = await init_error(sandbox, code(tmp_path / "code", source), handler)
    assert (kind, message, "") == (got["errorType"], got["errorMessage"], got["requestId"])


async def test_init_stack_ends_in_the_code(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """An exception during import is traced to the line of the code, and shows no runtime frame."""
    got = await init_error(sandbox, code(tmp_path / "code", "1 / 0"))
    last = '  File "/var/task/app.py", line 1, in <module>\n    1 / 0\n'
    assert last == got["stackTrace"][-1]
    assert not any("dynimo/runtime" in line for line in got["stackTrace"])


async def test_sync_handler_cannot_serve_many(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Concurrency above 1 with an ordinary handler is refused at the start."""
    got = await init_error(sandbox, code(tmp_path / "code", ECHO), concurrency=2)
    assert got["errorType"] == "Runtime.HandlerNotAsync"


@only_processes
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import os; os._exit(7)", "Runtime exited with error: exit status 7"),
        ("import os; os.abort()", "Runtime exited with error: signal: aborted"),
        ("import os; os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
async def test_init_that_takes_the_process_down(
    sandbox: ProcessSandbox, tmp_path: Path, source: str, message: str
) -> None:
    """Even a death without words becomes Runtime.ExitError."""
    if "exit" not in source and sandbox.describe()["pid namespace"] == "on":
        return  # the first process of a pid namespace does not get its own signals
    got = await init_error(sandbox, code(tmp_path / "code", source))
    assert ("Runtime.ExitError", message) == (got["errorType"], got["errorMessage"])


@only_processes
async def test_init_that_takes_too_long(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """An import beyond its time is ended."""
    folder = code(tmp_path / "code", "while True: pass")
    got = await init_error(sandbox, folder, init_timeout_seconds=0.3)
    assert (
        got["errorType"],
        got["errorMessage"],
    ) == ("Sandbox.Timedout", "Init timed out after 0.30 seconds")


@only_processes
async def test_environments_are_processes(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """The pid is the host's; gone means gone."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO)) as started:
        environment = Environment(started)
        await environment.call()
        pid = environment.process.pid
        os.kill(pid, 0)
        os.kill(started.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@only_processes
async def test_output_arrives_in_lines_before_the_answer(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """Stdout and stderr are one stream of lines, in order."""
    source = """
        import sys
        def handler(event, context):
            print("one"); sys.stderr.write("two\\n"); print("three", end="")
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        await environment.call()
        environment.process.kill()
        await environment.watcher.ended()
    assert environment.watcher.lines == ["one", "two", "three"]


@only_processes
async def test_long_line_is_cut_and_says_so(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A line over 64 KiB is cut; the next line is whole again."""
    source = """
        def handler(event, context):
            print("x" * 200_000); print("after")
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        await environment.call()
        environment.process.kill()
        await environment.watcher.ended()
    cut, after = environment.watcher.lines
    assert (len(cut), cut.endswith("[line cut by Dynimo]"), after) == (64 * 1024, True, "after")


@only_processes
async def test_endless_output_starves_nobody(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """While one environment prints without end, another answers."""
    source = """
        def handler(event, context):
            while event: print("y" * 1000)
            return "fine"
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        loud, other = Environment(started), Environment(started)
        loud.send(True)
        await loud.watcher.line_arrived.wait()
        assert [await other.call(False) for _ in range(20)] == ["fine"] * 20
        loud.process.kill()
        assert (await loud.watcher.ended()).status == -9


@only_processes
async def test_large_frames_both_ways(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """20 MiB go in and come out."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO), memory_mib=512) as started:
        text = "z" * (20 * 1024 * 1024)
        assert text == await Environment(started).call(text)


@only_processes
async def test_exit_code_and_last_words(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """An environment that ends by itself tells its code, after all that it printed."""
    source = """
        import os
        def handler(event, context):
            print("last", flush=True); os._exit(9)
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        environment.send({})
        ended = await environment.watcher.ended()
    assert (
        ended.status,
        environment.watcher.lines,
        ended.max_rss_kib > 1000,
    ) == (9, ["last"], True)


@only_processes
async def test_crash_tells_the_signal(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A segmentation fault is status -11 and hurts nobody else."""
    source = """
        import ctypes
        def handler(event, context):
            return ctypes.string_at(0) if event else "fine"
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        crashing, other = Environment(started), Environment(started)
        crashing.send(True)
        ended = await crashing.watcher.ended()
        assert (ended.status, await other.call(False)) == (-signal.SIGSEGV, "fine")


@only_processes
async def test_memory_limit_kills(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Above the limit the environment is killed, and that is told."""
    source = """
        def handler(event, context):
            kept = []
            while True: kept.append(bytearray(1024 * 1024))
    """
    async with zygote(sandbox, code(tmp_path / "code", source), memory_mib=96) as started:
        environment = Environment(started)
        environment.send({})
        ended = await environment.watcher.ended()
    assert (ended.status, ended.out_of_memory) == (-9, True)


@only_processes
async def test_plain_kill_is_not_out_of_memory(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A slot used again after an out-of-memory kill does not blame the next environment."""
    source = """
        def handler(event, context):
            return [bytearray(1024 * 1024) for _ in range(event)] and None
    """
    async with zygote(sandbox, code(tmp_path / "code", source), memory_mib=96) as started:
        hungry = Environment(started)
        hungry.send(5000)
        assert (await hungry.watcher.ended()).out_of_memory
        modest = Environment(started)
        await modest.call(0)
        modest.process.kill()
        assert not (await modest.watcher.ended()).out_of_memory


@only_processes
async def test_fresh_randomness(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Siblings draw different numbers, whatever was drawn before the fork."""
    source = """
        import os, random, uuid, tempfile
        random.random()
        def handler(event, context):
            return [random.random(), os.urandom(8).hex(), str(uuid.uuid4()), tempfile.mkdtemp()]
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        first = await Environment(started).call()
        second = await Environment(started).call()
    assert not set(first) & set(second)


@only_processes
async def test_scratch_is_writable_and_gone_afterwards(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """Tempfile works in the environment's own folder, which goes with it."""
    source = """
        import tempfile
        def handler(event, context):
            with tempfile.NamedTemporaryFile("w", delete=False) as file:
                file.write("x")
            return file.name
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        inside = await environment.call()
        own = sandbox.describe()["private /tmp"] == "on"
        assert inside.startswith("/tmp/") if own else environment.name in inside
    await asyncio.to_thread(lambda: None)
    await sandbox.close()
    assert [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()] == []


@only_processes
async def test_environment_holds_no_foreign_descriptor(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """An environment has its standard streams and its channel, and nothing else."""
    source = """
        import os
        def handler(event, context):
            kinds = []
            for number in range(256):
                try:
                    kinds.append(oct(os.fstat(number).st_mode & 0o170000))
                except OSError:
                    pass
            return kinds
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        siblings = [Environment(started) for _ in range(3)]
        for sibling in siblings:
            await sibling.call()
        got = await Environment(started).call()
    assert got == ["0o20000", "0o10000", "0o10000", "0o140000"]


@only_processes
async def test_two_hundred_forks_leave_nothing_open(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """Descriptors of the platform and the zygote do not grow with what was forked."""
    async with zygote(sandbox, code(tmp_path / "code", ECHO)) as started:

        def held() -> list[int]:
            return [len(os.listdir(f"/proc/{pid}/fd")) for pid in (os.getpid(), started.pid)]

        async def once() -> None:
            environment = Environment(started)
            await environment.call()
            environment.process.kill()
            await environment.watcher.ended()

        await asyncio.gather(*(once() for _ in range(10)))
        before = held()
        for _ in range(10):
            await asyncio.gather(*(once() for _ in range(20)))
        # A group joined by more environments at once keeps its files for the next.
        slots = 2 * 20 if sandbox.describe()["cgroup memory limit"] == "on" else 0
        after = held()
    assert (before[1], True) == (after[1], after[0] <= before[0] + slots)


@only_processes
@pytest.mark.parametrize("escape", ["os.setsid()", "pass"])
async def test_what_it_started_dies_with_it(
    sandbox: ProcessSandbox, tmp_path: Path, escape: str
) -> None:
    """A handler that daemonises is ended whole: kill leaves no process behind."""
    source = f"""
        import os, time
        def handler(event, context):
            read, write = os.pipe()
            if os.fork() == 0:
                {escape}
                if os.fork() == 0:
                    os.write(write, b"x")
                    time.sleep(600)
                os._exit(0)
            os.read(read, 1)
            return "started"
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        await environment.call()
        environment.process.kill()
        await environment.watcher.ended()
        assert await asyncio.to_thread(children_of, started.pid) == ""


def children_of(pid: int) -> str:
    """Living children of a zygote, as the kernel lists them."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


@only_processes
async def test_zygote_that_dies_takes_its_environments(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """When the zygote is killed, every environment's end is told, and then its own."""
    dead = asyncio.Event()
    folder = code(tmp_path / "code", ECHO)
    spec = ports.SandboxSpec(
        function="f", version="1", code=folder, handler="app.handler", memory_mib=128
    )
    started = await sandbox.start(spec, dead.set)
    environments = [Environment(started) for _ in range(3)]
    for environment in environments:
        await environment.call()
    os.kill(started.pid, signal.SIGKILL)
    ends = [(await each.watcher.ended()).status for each in environments]
    await dead.wait()
    late = Environment(started)
    assert (ends, (await late.watcher.ended()).status) == ([-9] * 3, 71)


@only_processes
async def test_threads_after_import_mean_a_process_each(
    sandbox: ProcessSandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Code whose import leaves a thread is not forked: each environment imports by itself."""
    source = """
        import os, threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        def handler(event, context): return [event, threading.active_count()]
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        first, second = Environment(started), Environment(started)
        assert [await first.call(1), await second.call(2)] == [[1, 2], [2, 2]]
        assert first.process.pid != second.process.pid
        first.process.kill()
        assert (await first.watcher.ended()).status == -9
    assert (await second.watcher.ended()).status == -9
    assert "threads behind (1 more)" in caplog.text


@only_processes
async def test_environment_that_closes_its_channel_is_ended(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """An environment nobody can talk to is killed, not kept."""
    source = """
        import os, time
        def handler(event, context):
            os.closerange(3, 256)
            time.sleep(600)
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        environment.send({})
        assert (await environment.watcher.ended()).status == -9


@only_processes
async def test_environment_that_breaks_the_framing_is_ended(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """Rubbish on the channel ends the environment and reaches no one."""
    source = """
        import os, time
        def handler(event, context):
            for number in range(3, 256):
                try: os.write(number, b"\\xff" * 64)
                except OSError: pass
            time.sleep(600)
    """
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        environment = Environment(started)
        environment.send({})
        assert (await environment.watcher.ended()).status == -9
    assert environment.watcher.frames.empty()


@only_processes
async def test_variables_are_the_whole_environment(
    sandbox: ProcessSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the platform's own environment is inherited."""
    monkeypatch.setenv("PLATFORM_SECRET", "x")
    source = """
        import os
        def handler(event, context): return dict(os.environ)
    """
    folder = code(tmp_path / "code", source)
    async with zygote(sandbox, folder, variables={"MINE": "1"}) as started:
        got = await Environment(started).call()
    expected = (
        "AWS_EXECUTION_ENV LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT LANG LC_CTYPE LD_LIBRARY_PATH MINE"
        " OPENBLAS_NUM_THREADS PATH PWD SHLVL TMPDIR TZ _HANDLER"
    )
    assert expected.split() == sorted(got)


@only_processes
async def test_packages_only_when_named(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Third-party packages of the platform can be imported only by a function that names some."""
    source = """
        def handler(event, context):
            try:
                import click
            except ImportError:
                return False
            return True
    """
    folder = code(tmp_path / "code", source)
    async with (
        zygote(sandbox, folder) as plain,
        zygote(sandbox, folder, packages=("click",)) as rich,
    ):
        assert [await Environment(plain).call(), await Environment(rich).call()] == [False, True]


@only_processes
async def test_readable_folder_shows_later_changes(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A readable folder is the folder itself, not a copy."""
    source = """
        import os
        def handler(event, context): return sorted(os.listdir(event))
    """
    shared = tmp_path / "shared"
    shared.mkdir()
    folder = code(tmp_path / "code", source)
    async with zygote(sandbox, folder, readable=(shared,)) as started:
        environment = Environment(started)
        before = await environment.call(str(shared))
        (shared / "new").write_text("x")
        assert (before, await environment.call(str(shared))) == ([], ["new"])
