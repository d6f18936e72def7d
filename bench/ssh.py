"""Certificates a second: in process, beside ``ssh-keygen -s``, and through boto3's invoke.

In process two ways in turns, sixteen at once (the first also 64), with the CA's own code and files:
*issued* is policy, build, durable log, a signature by an Ed25519 key in memory; *whole* is the
operation as it is asked, with the proof of possession checked before and the certificate read and
checked after. Each is told by the clock, which waits for the disk, and by processor time; the best
round counts, since what others do to the machine only ever adds. ``ssh-keygen`` signs in between,
one process for each certificate, and records nothing. Requests and their proofs are made before the
clock starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench import figures, in_process, processor
from bench.figures import Report
from bench.peers.dynimo_functions import DynimoFunctions
from bench.peers.hello import Serving
from bench.setting import ROOT, Setting, Unavailable

NAME = "ssh"
ABOUT = "SSH certificates a second: in process, beside ssh-keygen -s, through boto3's invoke"
ISSUED_GOAL, INVOKED_GOAL, MEDIAN_GOAL_MS = 5_000, 500, 4.0
ROUNDS = 20
CLIENTS, CALLS = 4, 400
COLD, COLD_GOAL_MS = 30, 30.0
COLD_FUNCTION = "cold-ca"
APP = ROOT / "apps" / "bless"
SECONDS_MAX = 600


def run(setting: Setting) -> Report:
    """Measure in a process of its own, then through HTTP, then from scaled to zero."""
    report = Report(bench=NAME)
    _in_process(setting, report)
    with DynimoFunctions(setting, folder="ssh").platform() as serving:
        _invoked(setting, report, serving)
    in_process.run(lambda: _cold(setting, report))
    return report


def _in_process(setting: Setting, report: Report) -> None:
    folder = setting.folder("ssh", "work")
    rounds = setting.rounds(ROUNDS, quick=5)
    command = [sys.executable, "-m", "bench.ssh_in_process", str(folder), str(rounds)]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS_MAX
    )
    if ran.returncode:
        raise Unavailable(f"the CA did not issue in process: {ran.stderr[-500:]}")
    told = json.loads(ran.stdout)
    note = f"16 at once, the best of {rounds} rounds"
    report.add("issued, of a core's processor time", told["issued"]["processor"], "/s",
               at_least=ISSUED_GOAL, note=note)  # fmt: skip
    report.add("issued, by the clock", told["issued"]["clock"], "/s")
    many, whole, keygen = told["many"], told["whole"], told["ssh-keygen"]
    report.add("the same, 64 at once, of a core's processor time", many["processor"], "/s")
    report.add("the same, 64 at once, by the clock", many["clock"], "/s")
    report.add("whole operation, of a core's processor time", whole["processor"], "/s",
               note=f"{told['signatures_us']:.0f} us are a signature and two checks")  # fmt: skip
    report.add("whole operation, by the clock", whole["clock"], "/s")
    report.add("ssh-keygen -s, a process each", keygen, "/s")
    report.add("issued / ssh-keygen -s", told["issued"]["clock"] / keygen, "x")


def _invoked(setting: Setting, report: Report, serving: Serving) -> None:
    """Clients in processes of their own, which begin together.

    They take a third of the machine; so what a call costs the server and its function is told, too.
    """
    keys, calls = serving.keys, setting.rounds(CALLS, quick=100)
    assert keys is not None, "a platform has keys"
    command = [sys.executable, "-m", "bench.ssh_client", str(serving.port), keys.access_key]
    command.append(str(calls))
    subprocess.run([*command[:-1], "found"], cwd=ROOT, input=f"{keys.secret}\n", text=True,
                   check=True, timeout=SECONDS_MAX)  # fmt: skip
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(CLIENTS)
        ]
        for line in (f"{keys.secret}\n", "go\n"):
            for client in clients:
                assert client.stdin is not None, "it is a pipe"
                assert client.stdout is not None, "it is a pipe"
                client.stdin.write(line)
                client.stdin.flush()
                if line != "go\n" and client.stdout.readline() != "ready\n":
                    raise Unavailable("a client did not start")
            used = processor.seconds(serving.pids)
        told = [json.loads(client.communicate(timeout=300)[0]) for client in clients]
        used = processor.seconds(serving.pids) - used
    seconds = max(each["ended"] for each in told) - min(each["began"] for each in told)
    samples = [sample for each in told for sample in each["ms"]]
    note = f"{CLIENTS} clients in processes of their own, {len(samples)} calls"
    report.add("through boto3's invoke", len(samples) / seconds, "/s", at_least=INVOKED_GOAL,
               note=note)  # fmt: skip
    report.add("through boto3's invoke, median", figures.median(samples), "ms",
               at_most=MEDIAN_GOAL_MS)  # fmt: skip
    report.add("through boto3's invoke, p99", figures.percentile(samples, 99), "ms")
    each, cores = used / len(samples), os.cpu_count() or 1
    report.add("the same, processor time of server and function", each * 1e3, "ms a call",
               note=f"{cores} cores without clients: {cores / each:,.0f}/s")  # fmt: skip


async def _cold(setting: Setting, report: Report) -> None:
    """From scaled to zero to the handler, and to the answer: fork, files opened."""
    folder = _always_cold(setting)
    starts, answers = list[float](), list[float]()
    async with in_process.platform(setting, (folder,), {}) as platform:
        caller = in_process.Caller(platform)
        for number in range(-3, setting.rounds(COLD, quick=10)):
            await caller.until_gone(COLD_FUNCTION, 0.02) if number > -3 else None
            outcome, before, after = await caller.call(COLD_FUNCTION, b'{"do":"authorities"}')
            if number < 0:
                continue  # the first ones import it and warm the page cache
            if not outcome.cold:
                raise Unavailable(f"{COLD_FUNCTION} was not cold")
            starts.append((outcome.started_ns - before) / 1e6)
            answers.append((after - before) / 1e6)
    report.add("cold start, to the handler, median", figures.median(starts), "ms",
               at_most=COLD_GOAL_MS, note=f"{len(starts)} samples, in-process caller")  # fmt: skip
    report.add("cold start, to its first answer, median", figures.median(answers), "ms",
               at_most=COLD_GOAL_MS, note="a refusal, with its row on the disk")  # fmt: skip


def _always_cold(setting: Setting) -> Path:
    """Copy the app with its CA alone, and let that go at once when idle."""
    folder = setting.folder("apps") / "cold-ssh"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    text = (APP / "app.toml").read_text("utf-8")
    begin = text.index("[functions.ca]")
    end = text.index("[[functions.ca.permissions]]")
    own = text[begin:end].replace("on_demand", "idle_seconds = 0\non_demand")
    (folder / "app.toml").write_text(f'name = "cold"\n\n{own}', "utf-8")
    return folder
