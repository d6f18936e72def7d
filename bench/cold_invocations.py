"""Invocations of hello for which no environment is there, through boto3, beside MiniStack's.

Dynimo has many functions, each active and none with an environment; one after another is invoked
once. Then the bench waits until the environments have gone idle and ended, and does it again: the
settings are those that are shipped. MiniStack keeps a function's first process for ever, so each of
its samples has a function of its own, made before and deleted after. The answer says whether it was
the environment's first, so that nothing warm is counted.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from bench import aws, figures, memory
from bench.figures import Report
from bench.peers.dynimo_functions import DynimoFunctions
from bench.peers.hello import Serving
from bench.peers.ministack import MiniStack
from bench.setting import Setting, Unavailable

MEDIAN_GOAL_MS, P99_GOAL_MS, FASTER_GOAL = 15.0, 40.0, 3.0
FUNCTIONS, FUNCTIONS_QUICK = 100, 30
PASSES = 4
PEER_EVERY = 8
WARMING = 3
GONE_SECONDS_MAX = 60.0
POLL_SECONDS = 0.2


def measure(
    setting: Setting, report: Report, dynimo: DynimoFunctions, ministack: MiniStack | None
) -> None:
    """Add the cold figures."""
    with contextlib.ExitStack() as stack:
        serving = stack.enter_context(dynimo.platform())
        peer = stack.enter_context(ministack.platform()) if ministack else None
        ours, theirs = _turns(setting, serving, peer)
    report.add("cold, median", figures.median(ours), "ms", at_most=MEDIAN_GOAL_MS)
    note = f"{len(ours)} samples through boto3"
    p99 = figures.percentile(ours, 99)
    report.add("cold, p99", p99, "ms", at_most=P99_GOAL_MS, note=note)
    if theirs:
        note = f"p99 {figures.percentile(theirs, 99):.0f} ms, {len(theirs)} samples"
        report.add("cold, MiniStack, median", figures.median(theirs), "ms", note=note)
        ratio = figures.median(theirs) / figures.median(ours)
        report.add("cold, MiniStack / dynimo", ratio, "x", at_least=FASTER_GOAL)


def _turns(
    setting: Setting, serving: Serving, peer: Serving | None
) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    theirs: list[float] = []
    caller = _client(serving)
    peer_caller = _client(peer) if peer else None
    names = [f"cold-{number}" for number in range(setting.rounds(FUNCTIONS, FUNCTIONS_QUICK))]
    setting.say(f"invoke: making {len(names)} functions")
    for name in ("warming", *names):
        aws.create(caller, name)
    at_rest = len(memory.tree(serving.pids[0]))
    for _ in range(WARMING):
        _invoke(caller, "warming")
        if peer_caller:
            _cold_peer(peer_caller)
    for number in range(setting.rounds(PASSES)):
        _until_gone(serving, at_rest)
        for index, name in enumerate(names):
            ours.append(_cold(caller, name))
            if peer_caller and index % PEER_EVERY == 0:
                theirs.append(_cold_peer(peer_caller))
        setting.say(f"invoke: cold pass {number + 1}: {figures.median(ours):.1f} ms so far")
    return ours, theirs


def _client(serving: Serving) -> Any:
    assert serving.keys is not None, "both speak AWS's API"
    return aws.client(serving.port, serving.keys)


def _invoke(caller: Any, name: str) -> tuple[dict[str, Any], float]:
    began = time.perf_counter()
    body = caller.invoke(FunctionName=name, Payload=b"{}")["Payload"].read()
    return json.loads(body), (time.perf_counter() - began) * 1e3


def _cold(caller: Any, name: str) -> float:
    answer, milliseconds = _invoke(caller, name)
    if answer.get("calls") != 1:
        raise Unavailable(f"{name} was not cold: {answer}")
    return milliseconds


def _cold_peer(caller: Any) -> float:
    aws.create(caller, "cold")
    try:
        return _cold(caller, "cold")
    finally:
        caller.delete_function(FunctionName="cold")


def _until_gone(serving: Serving, at_rest: int) -> None:
    """Wait until the tree has no more processes than it had before there were environments.

    Raises:
        Unavailable: they stay.
    """
    began = time.monotonic()
    while len(memory.tree(serving.pids[0])) > at_rest:
        if time.monotonic() - began > GONE_SECONDS_MAX:
            raise Unavailable(f"environments are still there after {GONE_SECONDS_MAX:.0f} s")
        time.sleep(POLL_SECONDS)
