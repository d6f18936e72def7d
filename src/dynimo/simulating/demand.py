"""Demand over time: the built-in traces, traces from CSV, and single arrivals drawn from a trace.

Pure: the same trace and seed give the same arrivals, in the simulator and in the real benchmark.
"""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

POINTS_MAX = 1_000_000
RATE_MAX = 1e9
SINGLE_ROW_SECONDS = 60.0
"""How long a trace of one row lasts."""


class TraceError(ValueError):
    """A trace that cannot be used; the message names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Demand as steps: from each of ``times`` on, that of ``rates``, until ``seconds``.

    Times are seconds from 0 on and rise; rates are requests a second.
    """

    name: str
    times: tuple[float, ...]
    rates: tuple[float, ...]
    seconds: float

    def rate(self, at: float) -> float:
        """Requests a second at this time; 0 outside."""
        if not 0 <= at < self.seconds:
            return 0.0
        return self.rates[bisect.bisect_right(self.times, at) - 1]

    def pieces(self) -> Iterator[tuple[float, float, float]]:
        """Each step as (begin, end, requests a second)."""
        ends = (*self.times[1:], self.seconds)
        yield from zip(self.times, ends, self.rates, strict=True)

    @property
    def peak(self) -> float:
        """The highest rate."""
        return max(self.rates)

    @property
    def requests(self) -> float:
        """How many requests are expected in all."""
        return sum((end - begin) * rate for begin, end, rate in self.pieces())


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How long a request keeps an environment: lognormal, this mean; ``sigma`` of its logarithm."""

    mean_seconds: float = 0.1
    sigma: float = 0.3

    def draw(self, chance: random.Random) -> float:
        """One time, in seconds."""
        middle = math.log(self.mean_seconds) - self.sigma**2 / 2
        return chance.lognormvariate(middle, self.sigma)


class Arrival(NamedTuple):
    """One request: when it comes, and how long it will keep an environment. Seconds."""

    due: float
    service: float


def arrivals(trace: Trace, service: Service, *, seed: int) -> list[Arrival]:
    """Draw single requests: Poisson within each step (exponential gaps), so independent users."""
    chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    drawn = []
    for begin, end, rate in trace.pieces():
        due = begin
        while rate > 0 and (due := due + chance.expovariate(rate)) < end:
            drawn.append(Arrival(due, service.draw(chance)))
    return drawn


def step(
    base: float, factor: float, *, before: float = 60, during: float = 60, after: float = 60
) -> Trace:
    """The benchmark's shape: base, a step to ``factor`` times at once, base again."""
    return Trace(
        name="step",
        times=(0.0, before, before + during),
        rates=(base, base * factor, base),
        seconds=before + during + after,
    )


def launch_spike(base: float, factor: float) -> Trace:
    """A title goes live: at once ``factor`` times, for five minutes, then slowly to twice base."""
    tail = [max(2.0, factor * math.exp(-at / 240)) for at in range(0, 900, 15)]
    times = (0.0, 120.0, *(420.0 + 15 * index for index in range(len(tail))))
    rates = (base, base * factor, *(base * each for each in tail))
    return Trace(name="launch-spike", times=times, rates=rates, seconds=420.0 + 900)


def region_failover(base: float, factor: float) -> Trace:
    """Another region's users arrive with caches that do not know them.

    Users double; what the cache lets through jumps ``factor``-fold, and falls as the cache fills.
    """
    tail = [2 + (factor - 2) * math.exp(-at / 120) for at in range(0, 600, 5)]
    times = (0.0, *(120.0 + 5 * index for index in range(len(tail))))
    rates = (base, *(base * each for each in tail))
    return Trace(name="region-failover", times=times, rates=rates, seconds=120.0 + 600)


def daily_curve(base: float, factor: float) -> Trace:
    """A day from midnight: lowest at four, highest (``factor`` times) at eight in the evening."""
    minutes = range(24 * 60)
    # Twelve hours down and twelve up would be a sine; an evening peak is narrower than the night.
    shape = [(0.5 + 0.5 * math.cos((at / 60 - 20) / 24 * math.tau)) ** 2 for at in minutes]
    return Trace(
        name="daily-curve",
        times=tuple(60.0 * at for at in minutes),
        rates=tuple(base * (1 + (factor - 1) * each) for each in shape),
        seconds=86_400.0,
    )


def flash_crowd(base: float, factor: float) -> Trace:
    """A link goes round: doubling every five seconds up to ``factor``, a minute there, and back."""
    up = [min(factor, 2.0 ** (index + 1)) for index in range(max(1, math.ceil(math.log2(factor))))]
    down = [max(1.0, factor * 0.5 ** (index + 1)) for index in range(len(up))]
    times, rates = [0.0], [base]
    at = 60.0
    for multiple, seconds in [*((m, 5.0) for m in up), (factor, 60.0), *((m, 10.0) for m in down)]:
        times.append(at)
        rates.append(base * multiple)
        at += seconds
    return Trace(name="flash-crowd", times=tuple(times), rates=tuple(rates), seconds=at + 60)


BUILT_IN: dict[str, Callable[[float, float], Trace]] = {
    "step": step,
    "launch-spike": launch_spike,
    "region-failover": region_failover,
    "daily-curve": daily_curve,
    "flash-crowd": flash_crowd,
}
"""Each takes the base rate and how many times that the peak is."""


def read_csv(lines: Iterable[str], *, name: str) -> Trace:
    """Read ``seconds,requests_per_second`` rows; a rate holds until the next row.

    The last row holds as long as the one before it. A first line of words is a heading; empty lines
    and lines that begin with ``#`` are skipped.

    Raises:
        TraceError: a line that cannot be used, by its number.
    """
    times: list[float] = []
    rates: list[float] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#") or (not times and _is_heading(text)):
            continue
        at, rate = _row(text, where=f"{name}, line {number}")
        if times and at <= times[-1]:
            _refuse(name, number, f"{at:g} s does not come after {times[-1]:g} s")
        if len(times) >= POINTS_MAX:
            _refuse(name, number, f"more than {POINTS_MAX:,} rows")
        times.append(at)
        rates.append(rate)
    if not times:
        raise TraceError(f"{name}: no row; write lines like `0,10` (seconds,requests_per_second)")
    if max(rates) <= 0:
        raise TraceError(f"{name}: every rate is 0; there is nothing to simulate")
    last = times[-1] - times[-2] if len(times) > 1 else SINGLE_ROW_SECONDS
    begun = tuple(at - times[0] for at in times)
    return Trace(name=name, times=begun, rates=tuple(rates), seconds=begun[-1] + last)


def _is_heading(text: str) -> bool:
    first = text.partition(",")[0].strip()
    return bool(first) and first[0].isalpha() and first.lower() not in {"nan", "inf", "infinity"}


def _row(text: str, *, where: str) -> tuple[float, float]:
    cells = [cell.strip() for cell in text.split(",")]
    if len(cells) != 2:
        raise TraceError(f"{where}: {len(cells)} cells in {text!r}; two are needed, `seconds,rate`")
    try:
        at, rate = (float(cell) for cell in cells)
    except ValueError:
        raise TraceError(f"{where}: {text!r} is not two numbers, `seconds,rate`") from None
    if not (math.isfinite(at) and 0 <= rate <= RATE_MAX):
        raise TraceError(f"{where}: {text!r} is out of range; a rate is 0 to {RATE_MAX:g} a second")
    return at, rate


def _refuse(name: str, number: int, what: str) -> None:
    raise TraceError(f"{name}, line {number}: {what}")
