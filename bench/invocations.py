"""What an invocation through HTTP costs: without an environment, and with one, beside peers.

The halves are ``cold_invocations`` and ``warm_invocations``; here they become one bench, and a peer
that cannot be had is named as missing.
"""

from __future__ import annotations

from bench import cold_invocations, warm_invocations
from bench.figures import Report
from bench.peers.dynimo_functions import DynimoFunctions
from bench.peers.gunicorn_flask import GunicornFlask
from bench.peers.hello import Runner
from bench.peers.ministack import MiniStack
from bench.peers.ray_serve import RayServe
from bench.peers.ric import RuntimeInterfaceClient
from bench.setting import Setting, Unavailable

NAME = "invoke"
ABOUT = "cold and warm invocations over HTTP, beside four peers"


def run(setting: Setting) -> Report:
    """Measure cold, then warm."""
    report = Report(bench=NAME)
    dynimo, ministack = DynimoFunctions(setting), MiniStack(setting)
    everybody: tuple[Runner, ...] = (
        dynimo,
        RuntimeInterfaceClient(setting),
        ministack,
        RayServe(setting),
        GunicornFlask(setting),
    )
    here = []
    for runner in everybody:
        try:
            report.notes.append(f"{runner.install()}: {runner.settings()}")
            here.append(runner)
        except Unavailable as reason:
            report.missing.append(str(reason))
    cold_invocations.measure(setting, report, dynimo, ministack if ministack in here else None)
    warm_invocations.measure(setting, report, here)
    return report
