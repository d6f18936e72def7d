"""``dynimo simulate``: what a trace of demand would meet, in virtual time; nothing is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynimo.cli import exits
from dynimo.cli.connecting import Refused

if TYPE_CHECKING:
    from dynimo.simulating.comparing import Circumstances
    from dynimo.simulating.demand import Trace
    from dynimo.simulating.outcome import Run

TRACES = ("step", "launch-spike", "region-failover", "daily-curve", "flash-crowd")
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command("simulate")
@click.argument("trace", default="launch-spike")
@click.option("--base", type=_POSITIVE, default=10, show_default=True,
              help="Requests a second before the spike.")  # fmt: skip
@click.option("--factor", type=click.FloatRange(min=1), default=20, show_default=True,
              help="How many times base the peak is.")  # fmt: skip
@click.option("--service", type=_POSITIVE, default=0.1, show_default=True,
              help="Seconds that a request keeps an environment, on average.")  # fmt: skip
@click.option("--sigma", type=click.FloatRange(min=0, max=3), default=0.3, show_default=True,
              help="How much that varies (of its logarithm).")  # fmt: skip
@click.option("--cold-start", type=_POSITIVE, default=0.01, show_default=True,
              help="Seconds until a new environment of Dynimo's begins.")  # fmt: skip
@click.option("--idle", type=click.FloatRange(min=0), default=10, show_default=True,
              help="Seconds that Dynimo keeps an idle environment.")  # fmt: skip
@click.option("--deadline", type=_POSITIVE, default=5, show_default=True,
              help="Seconds after which a client gives up.")  # fmt: skip
@click.option("--metric", type=_POSITIVE, default=60, show_default=True,
              help="Seconds that the autoscaler's metric averages.")  # fmt: skip
@click.option("--boot", type=_POSITIVE, default=60, show_default=True,
              help="Seconds until what the autoscaler ordered is there.")  # fmt: skip
@click.option("--target", type=click.FloatRange(0.05, 1), default=0.7, show_default=True,
              help="Utilisation that the other two fleets are sized for.")  # fmt: skip
@click.option("--node-environments", type=click.IntRange(1, 100_000), default=200,
              show_default=True, help="Environments that one node has room for.")  # fmt: skip
@click.option("--memory", type=click.IntRange(1), default=128, show_default=True,
              help="MiB of an environment, for the cost.")  # fmt: skip
@click.option("--model", type=click.Choice(["auto", "exact", "aggregate"]), default="auto",
              show_default=True, help="Each request, or counts of them.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same result.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Write the plot here (SVG).")
@click.option("--validate", type=click.Path(dir_okay=False),
              help="Compare with a result of `dynimo bench spike --json`.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(trace: str, plot: str | None, validate: str | None, as_json: bool, **given: Any) -> int:
    """Simulate prescaled, autoscaled and Dynimo under TRACE.

    TRACE is step, launch-spike, region-failover, daily-curve, flash-crowd, or a CSV file of
    `seconds,requests_per_second`.

    \b
    Examples:
      dynimo simulate
      dynimo simulate region-failover --base 100000 --plot failover.svg
      dynimo simulate demand.csv --service 0.03 --json
    """
    if validate is not None:
        return _validate(Path(validate), as_json=as_json)
    from dynimo.simulating import comparing
    from dynimo.simulating.demand import TraceError

    if plot is not None and not Path(plot).parent.is_dir():
        raise Refused(f"{plot} cannot be written: there is no such folder.", exits.NOT_FOUND)
    demand = _trace(trace, given["base"], given["factor"])
    circumstances = _circumstances(given)
    results = []
    try:
        for run in comparing.runs(demand, circumstances):
            results.append(run)
            if not as_json and len(results) == 1:
                _head(demand, circumstances, run)
            if not as_json:
                _line(run, given["memory"])
    except TraceError as error:
        raise click.UsageError(f"{error}.") from None
    if as_json:
        click.echo(json.dumps(_document(demand, circumstances, results, given["memory"])))
    if plot is not None:
        _write(Path(plot), comparing.plot(demand, results, subtitle=_said(demand, circumstances)))
    return exits.OK


def _trace(name: str, base: float, factor: float) -> Trace:
    from dynimo.simulating.demand import BUILT_IN, TraceError, read_csv

    if name in BUILT_IN:
        return BUILT_IN[name](base, factor)
    path = Path(name)
    if not path.is_file():
        text = f"there is no trace and no file {name!r}; traces are {', '.join(BUILT_IN)}."
        raise Refused(text, exits.NOT_FOUND)
    try:
        with path.open(encoding="utf-8") as lines:
            return read_csv(lines, name=name)
    except (TraceError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{error}.") from None


def _circumstances(given: dict[str, Any]) -> Circumstances:
    from dynimo.simulating.comparing import Circumstances
    from dynimo.simulating.demand import Service

    return Circumstances(
        service=Service(mean_seconds=given["service"], sigma=given["sigma"]),
        cold_start_seconds=given["cold_start"],
        deadline_seconds=given["deadline"],
        idle_seconds=given["idle"],
        node_environments=given["node_environments"],
        target=given["target"],
        metric_seconds=given["metric"],
        start_seconds=given["boot"],
        seed=given["seed"],
        model=given["model"],
    )


def _said(demand: Trace, given: Circumstances) -> str:
    from dynimo.simulating.comparing import nodes

    return (
        f"{demand.seconds:,.0f} s, {demand.requests:,.0f} requests of"
        f" {given.service.mean_seconds:g} s; nodes: {nodes(demand, given):,}, with room for"
        f" {given.node_environments} environments each; simulated"
    )


def _head(demand: Trace, given: Circumstances, run: Run) -> None:
    click.echo(f"{demand.name}: {_said(demand, given)} ({run.model} model)")
    click.echo(
        f"  {'':<12}{'failed':>14}{'wait p50':>11}{'wait p99':>11}{'most':>12}"
        f"{'env-seconds':>16}{'used':>7}{'cost':>13}"
    )


def _line(run: Run, memory_mib: int) -> None:
    from dynimo.metering.config import Config

    prices = Config()
    share = run.failed / run.offered if run.offered else 0.0
    waits = [run.waits.percentile(percent) * 1e3 for percent in (50, 99)]
    click.echo(
        f"  {run.plan:<12}{f'{run.failed:,.0f} {share:4.0%}':>14}"
        + "".join(f"{f'{wait:,.0f} ms':>11}" for wait in waits)
        + f"{run.peak:>12,.0f}{run.environment_seconds:>16,.0f}{run.utilisation:>7.0%}"
        f"{run.cost(memory_mib, prices):>9,.2f} {prices.currency}"
    )


def _document(
    demand: Trace, given: Circumstances, results: list[Run], memory_mib: int
) -> dict[str, Any]:
    from dynimo.metering.config import Config
    from dynimo.simulating.comparing import nodes

    return {
        "trace": demand.name,
        "seconds": demand.seconds,
        "requests_expected": demand.requests,
        "nodes": nodes(demand, given),
        "seed": given.seed,
        "runs": [run.document(memory_mib, Config()) for run in results],
    }


def _write(path: Path, plot: str) -> None:
    try:
        path.write_text(plot, "utf-8")
    except OSError as error:
        code = exits.DENIED if isinstance(error, PermissionError) else exits.FAILED
        raise Refused(f"{path} cannot be written: {error.strerror}.", code) from None
    click.echo(f"plot: {path}", err=True)


def _validate(path: Path, *, as_json: bool) -> int:
    from dynimo.simulating import validating

    try:
        compared = validating.compare(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise Refused(f"there is no file {str(path)!r}.", exits.NOT_FOUND) from None
    except (ValueError, KeyError, TypeError) as error:
        text = f"{path} is no result of `dynimo bench spike --json` ({error})"
        raise click.UsageError(f"{text}.") from None
    if as_json:
        click.echo(json.dumps({"compared": [each.document() for each in compared]}))
    else:
        for each in compared:
            click.echo(each.line())
    return exits.OK
