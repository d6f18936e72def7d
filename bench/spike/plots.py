"""The picture and the tables of a run of the spike benchmark. Pure: values in, text out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.spike import scale
from bench.spike.elastic import Elastic
from dynimo.simulating import chart
from dynimo.simulating.elasticity import OK, Request, Supply

EACH_SECONDS = 0.5
GOOD_FAILED_MAX = 0.001


def picture(ended: Sequence[Elastic]) -> str:
    """Demand, supply and waiting of every contender at one factor, as SVG."""
    of = ended[0].phases
    title = (
        f"A {of.factor:g}-fold spike: {of.base_rate:g} to {of.base_rate * of.factor:g} requests"
        " a second at once"
    )
    subtitle = (
        f"{of.service_seconds * 1e3:.0f} ms each; a client gives up after"
        f" {scale.DEADLINE_SECONDS:g} s; the autoscaler's time is compressed"
        f" {scale.COMPRESSED:g}-fold; measured"
    )
    return chart.draw([_panel(each) for each in ended], title=title, subtitle=subtitle)


def _panel(one: Elastic) -> chart.Panel:
    of, every = one.phases, one.spans["all"]
    times = [of.begin + EACH_SECONDS * n for n in range(int((of.end - of.begin) / EACH_SECONDS))]
    step_ms = one.spans["step"].p99_all_ms
    waited = f"p99 {step_ms:,.0f} ms" if step_ms < scale.DEADLINE_SECONDS * 1e3 else "p99 > 5 s"
    return chart.Panel(
        title=one.name,
        verdict=f"{every.failed:,} of {every.offered:,} failed, {waited};"
        f" {one.found.utilisation:.0%} of the supply was used",
        good=every.failed <= GOOD_FAILED_MAX * every.offered,
        times=[at - of.begin for at in times],
        demand=[of.step_need if of.step <= at < of.step_end else of.base_need for at in times],
        supply=[at_time(one.supply, at + EACH_SECONDS) for at in times],
        waiting=waiting(one.requests, one.supply, times),
        failed=failures(one.requests, times),
    )


def at_time(supply: Sequence[Supply], at: float) -> float:
    """Environments that could work."""
    count = 0
    for each in supply:
        if each.at > at:
            break
        count = each.ready
    return float(count)


def waiting(
    requests: Sequence[Request], supply: Sequence[Supply], times: Sequence[float]
) -> list[float]:
    """Requests that have come and not ended, less those that there are environments for."""
    came = sorted(each.due for each in requests)
    went = sorted(each.due + each.seconds for each in requests)
    counts, here, gone = [], 0, 0
    for time in times:
        at = time + EACH_SECONDS
        while here < len(came) and came[here] <= at:
            here += 1
        while gone < len(went) and went[gone] <= at:
            gone += 1
        counts.append(max(0.0, here - gone - at_time(supply, at)))
    return counts


def failures(requests: Sequence[Request], times: Sequence[float]) -> list[float]:
    """Failures a second, by when they ended."""
    counts = [0.0] * len(times)
    for each in requests:
        place = math.floor((each.due + each.seconds - times[0]) / EACH_SECONDS)
        if each.outcome != OK and 0 <= place < len(counts):
            counts[place] += 1 / EACH_SECONDS
    return counts


COLUMNS = ("failed", "p50 ms", "p99 ms", "p99 all", "1st s p99", "detect s", "90% s", "calm s",
           "in s", "env-s", "busy s", "O", "U", "over")  # fmt: skip


def table(ended: Sequence[Elastic]) -> str:
    """A line for each contender. ``p99 all`` has failures as the deadline; see docs/benchmarks."""
    of = ended[0].phases
    widths = [max(9, len(column) + 2) for column in COLUMNS]
    head = "".join(column.rjust(width) for column, width in zip(COLUMNS, widths, strict=True))
    lines = [f"  A at {of.factor:g}x".ljust(26) + head]
    for each in ended:
        cells = "".join(c.rjust(width) for c, width in zip(_cells(each), widths, strict=True))
        lines.append(f"    {each.name:<22}{cells}" + ("  VOID" if each.void else ""))
    return "\n".join(lines)


def _cells(one: Elastic) -> list[str]:
    found, every, step = one.found, one.spans["all"], one.spans["step"]
    return [
        f"{every.failed / max(1, every.offered):.1%}",
        *(_number(value) for value in (step.p50_ms, step.p99_ms, step.p99_all_ms)),
        _number(one.spans["first 1 s"].p99_all_ms),
        *(_number(each, 2) for each in (found.detect, found.enough, found.recover, found.scale_in)),
        _number(found.instance_seconds),
        _number(found.busy_seconds),
        _number(found.over_provision, 2),
        f"{found.utilisation:.0%}",
        _number(found.overshoot, 2),
    ]


def _number(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else "-"
