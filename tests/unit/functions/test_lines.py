"""The platform's lines in a log: AWS's words, tab for tab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dynimo.functions import faults, lines
from dynimo.model.function import Configuration, Logging, Version
from dynimo.model.invocation import HttpReply, Invocation, Outcome
from dynimo.ports import Exit

ID = "6f747a5b-7f7e-4d8c-9c1b-2c0d2b8f6a11"
NOW = 1_767_225_600.123
TRACE = "Root=1-5d88ad26-af7e1cf86161c0887567eed0;Parent=2ea934c013374041;Sampled=1"


def version(**configuration: Any) -> Version:
    """``hello`` with AWS's defaults."""
    settings = Configuration(runtime="python3.12", **configuration)
    return Version(
        function="hello", number=0, sha256="a" * 64, code=Path("/x"), configuration=settings
    )


def outcome(**changes: Any) -> Outcome:
    """A warm one that went well."""
    fields = {
        "id": ID, "function": "hello", "version": "$LATEST", "value": b"null",
        "duration_ms": 3.0149, "max_rss_kib": 36 * 1024 + 5,
    }  # fmt: skip
    return Outcome(**(fields | changes))


def ending(told: Outcome, of: Version | None = None, trace: str = "") -> list[str]:
    """The lines after the handler."""
    invocation = Invocation(id=ID, function="hello", event=b"{}", arrived_ns=1, trace=trace)
    return lines.ending(invocation, told, of or version(), NOW)


def test_a_warm_invocation() -> None:
    """START, END, REPORT, as recorded."""
    assert lines.start(ID, version()) == f"START RequestId: {ID} Version: $LATEST"
    assert ending(outcome()) == [
        f"END RequestId: {ID}",
        (
            f"REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Duration: 4 ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 36 MB\t"
        ),
    ]


def test_a_cold_invocation_reports_its_init() -> None:
    """Billed with the duration."""
    report = ending(outcome(init_ms=110.1))[-1]
    assert report.endswith(
        "\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
        "Init Duration: 110.10 ms\t"
    )


def test_the_outcomes_own_report_agrees() -> None:
    """One wording, in both places."""
    told = outcome(init_ms=5.0)
    assert lines.report(told, version()).startswith(told.report(128))


def test_the_runtime_is_named_when_an_environment_begins() -> None:
    """With the same ARN that GetFunction shows."""
    line = lines.init_start(version())
    assert line.startswith(
        "INIT_START Runtime Version: python:3.12\tRuntime Version ARN: arn:aws:lambda:us-east-1::"
        "runtime:"
    )
    assert len(line.rpartition(":")[2]) == 64


def test_a_timeout() -> None:
    """Said in a line of its own, and in REPORT."""
    told = outcome(
        value=None, error=faults.timed_out(ID, 3), killed="time", duration_ms=3000, init_ms=476.75
    )
    assert ending(told) == [
        f"2026-01-01T00:00:00.123Z {ID} Task timed out after 3.00 seconds",
        f"END RequestId: {ID}",
        (
            f"REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3477 ms\tMemory Size:"
            " 128 MB\tMax Memory Used: 36 MB\tInit Duration: 476.75 ms\tStatus: timeout"
        ),
    ]


@pytest.mark.parametrize(
    ("killed", "ended", "said", "kind"),
    [
        ("crash", Exit(status=1), "exit status 1", "Runtime.ExitError"),
        ("memory", Exit(status=-9, out_of_memory=True), "signal: killed", "Runtime.OutOfMemory"),
    ],
)
def test_an_environment_that_ended(killed: str, ended: Exit, said: str, kind: str) -> None:
    """Its error comes first, then END, then REPORT with the type."""
    told = outcome(value=None, error=faults.exited(ID, ended), killed=killed)
    fault, end, report = ending(told)

    assert fault.startswith(f"RequestId: {ID} Error: Runtime exited with error: {said}")
    assert fault.endswith(f"\n{kind}")
    assert end == f"END RequestId: {ID}"
    assert report.endswith(f"\tStatus: error\tError Type: {kind}")


def test_a_handlers_own_error_is_no_fault_of_the_runtime() -> None:
    """REPORT has no status then; a failed import has."""
    own = outcome(value=None, error={"errorType": "ValueError", "errorMessage": "no"})
    failed = outcome(value=None, error={"errorType": "Runtime.ImportModuleError"})

    assert "Status" not in ending(own)[-1]
    assert ending(failed)[-1].endswith("\tStatus: error\tError Type: Runtime.ImportModuleError")


@pytest.mark.parametrize(
    ("trace", "mode", "traced"),
    [
        (TRACE, "PassThrough", True),
        (TRACE.replace("Sampled=1", "Sampled=0"), "PassThrough", False),
        (TRACE.partition(";")[0], "Active", True),
        ("", "Active", False),
    ],
)
def test_a_traced_request_names_its_trace(trace: str, mode: str, *, traced: bool) -> None:
    """On a line of its own, inside the same event."""
    report = ending(outcome(), version(tracing=mode), trace)[-1]
    first, _, second = report.partition("\n")

    assert first.endswith("\t")
    assert bool(second) is traced
    if traced:
        assert second.startswith("XRAY TraceId: 1-5d88ad26-af7e1cf86161c0887567eed0\tSegmentId: ")
        assert second.endswith("\tSampled: true\t")


def test_a_failed_init() -> None:
    """INIT_REPORT, as AWS's guide shows it."""
    assert lines.init_report(version(), 1236.04, status="timeout") == (
        "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout"
    )
    assert lines.init_report(version(), 1.5, phase="invoke", error_type="Runtime.ExitError") == (
        "INIT_REPORT Init Duration: 1.50 ms\tPhase: invoke\tStatus: error\t"
        "Error Type: Runtime.ExitError"
    )
    assert lines.restore_report(version(), 9) == "RESTORE_REPORT Restore Duration: 9.00 ms"


def in_json(level: str = "INFO") -> Version:
    """``hello`` with the JSON format."""
    return version(logging=Logging(form="JSON", system_level=level))


def test_json_records() -> None:
    """What CloudWatch shows for a function with LogFormat JSON."""
    started = json.loads(lines.start(ID, in_json(), NOW))
    (reported,) = map(json.loads, ending(outcome(init_ms=110.1), in_json(), TRACE))

    assert started == {
        "time": "2026-01-01T00:00:00.123Z",
        "type": "platform.start",
        "record": {
            "requestId": ID,
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:hello",
            "version": "$LATEST",
        },
    }
    tracing = reported["record"].pop("tracing")
    assert tracing["value"].startswith("Root=1-5d88ad26-af7e1cf86161c0887567eed0;Parent=")
    assert reported == {
        "time": "2026-01-01T00:00:00.123Z",
        "type": "platform.report",
        "record": {
            "requestId": ID,
            "metrics": {
                "durationMs": 3.015,
                "billedDurationMs": 114,
                "memorySizeMB": 128,
                "maxMemoryUsedMB": 36,
                "initDurationMs": 110.1,
            },
            "status": "success",
        },
    }


def _types(texts: list[str]) -> list[str]:
    return [json.loads(text)["type"] for text in texts if text.startswith("{")]


def test_the_system_level_decides_which_records_are_written() -> None:
    """Good news is hidden at WARN; runtimeDone shows at DEBUG, or when something failed."""
    failed = outcome(value=None, error=faults.timed_out(ID, 3), killed="time")

    assert _types(ending(outcome(), in_json("DEBUG"))) == [
        "platform.runtimeDone",
        "platform.report",
    ]
    assert _types(ending(outcome(), in_json("INFO"))) == ["platform.report"]
    assert ending(outcome(), in_json("WARN")) == []
    assert lines.start(ID, in_json("WARN"), NOW) == ""
    assert lines.init_start(in_json("WARN"), NOW) == ""
    assert _types(ending(failed, in_json("WARN"))) == ["platform.runtimeDone", "platform.report"]


def test_json_names_what_failed() -> None:
    """Status and type in both records; bytes that were answered are counted."""
    failed = outcome(value=None, error={"errorType": "ValueError"})
    done, report = map(json.loads, ending(failed, in_json()))
    reply = HttpReply(status=200, headers=(), body=b"12345")
    answered = json.loads(ending(outcome(value=None, reply=reply), in_json("DEBUG"))[0])
    begun = json.loads(lines.init_start(in_json(), NOW))
    broken = json.loads(lines.init_report(in_json(), 2.5, error_type="Runtime.ExitError", now=NOW))

    assert done["record"]["status"] == report["record"]["status"] == "error"
    assert done["record"]["errorType"] == report["record"]["errorType"] == "ValueError"
    assert answered["record"]["metrics"] == {"durationMs": 3.015, "producedBytes": 5}
    assert begun["record"]["runtimeVersion"] == "python:3.12"
    assert broken["record"]["errorType"] == "Runtime.ExitError"
    assert broken["record"]["metrics"] == {"durationMs": 2.5}
