"""The bench program: choose benches, run them one after another, print what they found.

``python -m bench [NAME ...] [--list] [--quick] [--json] [--data DIR]`` in a checkout, or
``dynimo bench``. Results go to stdout, progress to stderr. Exit status: 0 when everything ran,
1 when a goal was missed, 2 for a wrong call, 69 when something could not be measured, 130 when it
was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import (
    beside_peers,
    bursts,
    cold_start,
    deciding,
    edge_hits,
    endurance,
    hitratio,
    idle,
    invocations,
    many_functions,
    many_sizes,
    objects,
    processor,
    rendering,
    spike,
    ssh,
    starting_up,
    warm_calls,
)
from bench.figures import Report, as_json, table
from bench.setting import ROOT, Setting, Unavailable, machine

BENCHES: dict[str, tuple[str, Callable[[Setting], Report]]] = {
    module.NAME: (module.ABOUT, module.run)
    for module in (
        cold_start,
        warm_calls,
        invocations,
        bursts,
        many_functions,
        rendering,
        beside_peers,
        deciding,
        many_sizes,
        edge_hits,
        hitratio,
        objects,
        idle,
        starting_up,
        spike,
        ssh,
        endurance,
    )
}
QUIET_SHARE_MAX = 0.1
EXIT_OK, EXIT_MISSED, EXIT_USAGE, EXIT_UNAVAILABLE = 0, 1, 2, 69
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benches that ``argv`` names (all, if none); return the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.list and arguments.json:
        print(json.dumps({name: about for name, (about, _) in BENCHES.items()}))
        return EXIT_OK
    if arguments.list:
        for name, (about, _) in BENCHES.items():
            print(f"{name:<12} {about}")
        return EXIT_OK
    unknown = [name for name in arguments.names if name not in BENCHES]
    if unknown:
        print(f"no bench {unknown[0]!r}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return EXIT_USAGE
    # Ended from outside, it still stops what it started: every bench does so on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    setting = Setting(
        data=arguments.data.resolve(),
        quick=arguments.quick,
        profiles=arguments.profiles.upper(),
        factors=tuple(arguments.factors or ()),
        plot=arguments.plot,
    )
    facts = machine()
    if not arguments.json:
        print("  ".join(f"{key}: {value}" for key, value in facts.items()), flush=True)
    reports = []
    for name in arguments.names or list(BENCHES):
        reports.append(_run(name, setting))
        if not arguments.json:
            print("\n" + table(reports[-1]), flush=True)
    if arguments.json:
        document = {"machine": facts, "reports": [as_json(report) for report in reports]}
        print(json.dumps(document, indent=2))
    return _status(reports)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dynimo bench", description="Measure Dynimo.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benches; all if none")
    parser.add_argument("--list", action="store_true", help="list the benches and leave")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, rougher figures")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--data",
        type=Path,
        default=ROOT / ".dynimo" / "bench",
        help="where downloads, peers and scratch are kept (default: .dynimo/bench)",
    )
    only = parser.add_argument_group("for the spike bench")
    only.add_argument("--profiles", default="", metavar="ABCD", help="which of its profiles")
    only.add_argument(
        "--factor", dest="factors", type=int, action="append", help="5, 10, 20; may be repeated"
    )
    only.add_argument("--plot", type=Path, help="where its picture goes (SVG)")
    return parser


def _run(name: str, setting: Setting) -> Report:
    setting.say(f"{name}: {BENCHES[name][0]}")
    began = time.monotonic()
    machine_before, bench_before = processor.of_machine(), processor.of_bench()
    try:
        report = BENCHES[name][1](setting)
    except Unavailable as reason:
        report = Report(bench=name, missing=[str(reason)])
    report.seconds = time.monotonic() - began
    others = (processor.of_machine() - machine_before) - (processor.of_bench() - bench_before)
    share = max(0.0, others) / report.seconds / len(os.sched_getaffinity(0))
    noisy = "; noisy, run it again when it is quiet" if share > QUIET_SHARE_MAX else ""
    report.notes.append(f"others used {share:.0%} of the cores meanwhile{noisy}")
    return report


def _status(reports: list[Report]) -> int:
    if any(figure.met is False for report in reports for figure in report.figures):
        return EXIT_MISSED
    if any(report.missing for report in reports):
        return EXIT_UNAVAILABLE
    return EXIT_OK


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader left (`| head`); what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = EXIT_OK
    sys.exit(status)
