"""What 500 callers get who all come at once, to a function that nobody has called yet.

First hello: how many are answered, and when the last one is; how many environments that takes is
the platform's decision. Then a handler that keeps its environment busy longer than all of this
lasts, so that each call needs its own: how many environments a second come from the one zygote.
Every connection is open before the first request is sent. Environments are told apart by their log
stream; each says when its first invocation began (one monotonic clock for all processes).
"""

from __future__ import annotations

import json

from bench import aws, figures, light_client, memory, processor, signed
from bench.figures import Report
from bench.peers.dynimo_functions import FUNCTION, DynimoFunctions
from bench.peers.hello import Serving
from bench.setting import Setting, Unavailable

NAME = "burst"
ABOUT = "500 simultaneous cold invocations, and environments a second from one zygote"
CALLS = 500
PER_SECOND_GOAL = 200.0
HOLD_SECONDS = 10
HELD_FUNCTION = "held"
ROUNDS = 3
WARMING = "warming"


def run(setting: Setting) -> Report:
    """Measure both on fresh servers, several times."""
    report = Report(bench=NAME)
    dynimo = DynimoFunctions(setting)
    report.notes.append(f"{dynimo.install()}: {dynimo.settings()}")
    answered, last, environments, rates, weights, used_ms = [], [], [], [], [], []
    for number in range(setting.rounds(ROUNDS, quick=1)):
        with dynimo.platform() as serving:
            hello = _burst(serving, FUNCTION, b"{}")
            answered.append(float(len(hello.answers)))
            last.append(hello.seconds)
            environments.append(float(len(hello.environments)))
        with dynimo.platform() as serving:
            before = memory.tree_mib(serving.pids)
            used = processor.seconds(serving.pids)
            held = _burst(
                serving, HELD_FUNCTION, json.dumps({"hold_seconds": HOLD_SECONDS}).encode()
            )
            used = processor.seconds(serving.pids) - used
            used_ms.append(used / len(held.environments) * 1e3)
            if len(held.environments) < CALLS:
                report.notes.append(
                    f"round {number + 1}: only {len(held.environments)} of {CALLS} held calls had"
                    f" an environment of their own; {held.errors}"
                )
            rates.append(held.per_second)
            weights.append((memory.tree_mib(serving.pids) - before) / len(held.environments))
        setting.say(f"{NAME}: round {number + 1}: {last[-1]:.2f} s, {rates[-1]:,.0f}/s")
    report.add(f"of {CALLS} at once, answered", min(answered), at_least=CALLS, note="worst round")
    report.add("until the last answer", figures.median(last), "s", note=figures.spread(last))
    report.add("environments that took", figures.median(environments))
    report.add(
        "environments from one zygote",
        figures.median(rates),
        "/s",
        at_least=PER_SECOND_GOAL,
        note=f"first request to the last one's first instruction; {figures.spread(rates)}",
    )
    note = "with its invocation, and the making of two functions shared out"
    report.add("processor time of one more environment", figures.median(used_ms), "ms", note=note)
    report.add("memory of one more environment, PSS", figures.median(weights), "MiB")
    return report


class _Burst:
    """The answers to one burst; ``seconds`` from the first request to the last answer."""

    def __init__(self, salvo: light_client.Salvo) -> None:
        self.seconds = salvo.seconds
        received = salvo.answers
        good = [each for each in received if each.startswith(b"HTTP/1.1 200")]
        self.answers = [json.loads(light_client.body_of(each)) for each in good]
        self.errors = sorted({each[:200] for each in received if each not in good})[:3]
        self.environments = {each["environment"] for each in self.answers}
        if not self.environments:
            raise Unavailable(f"no call of the burst was answered well: {self.errors}")
        latest = max(each["began"] for each in self.answers)
        self.per_second = len(self.environments) / ((latest - salvo.began_ns) / 1e9)


def _burst(serving: Serving, function: str, payload: bytes) -> _Burst:
    """Make the function, connect, send everything, gather."""
    assert serving.keys is not None, "a platform has keys"
    caller = aws.client(serving.port, serving.keys)
    aws.create(caller, WARMING)
    aws.create(caller, function)
    # Another function warms the server's own code; this one stays without an environment.
    caller.invoke(FunctionName=WARMING, Payload=b"{}")["Payload"].read()
    requests = signed.invocations(serving.keys, serving.port, function, [payload] * CALLS)
    return _Burst(light_client.at_once(serving.port, requests))
