"""The spike benchmark's pure parts: schedules, what a volley came to, the picture's series."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.setting import Unavailable
from bench.spike import coalescing, elastic, overload, plots, purging, scale, shots
from bench.spike.shots import Shot, Shown, Volley
from dynimo.simulating import elasticity, validating
from dynimo.simulating.elasticity import LATE, OK, OTHER, SHED, Supply


def _volley(*ended: tuple[Shot, Shown]) -> Volley:
    return Volley(began=100.0, shots=[e[0] for e in ended], shown=[e[1] for e in ended])


def _shown(seconds: float, status: int = 200, *, run: str = "", late: float = 0.0) -> Shown:
    return Shown(late=late, seconds=seconds, status=status, run=run, cache="")


def test_every_contender_gets_the_same_schedule_in_order_with_keys_of_its_own() -> None:
    """Computed from a seed; nothing in it depends on a run."""
    of = elastic.phases(scale.QUICK, 10)

    schedule = shots.once(elastic.arrivals(of))

    assert schedule == shots.once(elastic.arrivals(of))
    assert [each.due for each in schedule] == sorted(each.due for each in schedule)
    assert len({each.target for each in schedule}) == len(schedule)
    during = sum(of.step <= each.due < of.step_end for each in schedule)
    assert during == pytest.approx(100 * scale.QUICK.step_seconds, rel=0.1)


def test_the_step_comes_when_one_of_the_autoscalers_periods_ends() -> None:
    """Its best case, as the documentation says."""
    for size in (scale.FULL, scale.QUICK):
        assert elastic.phases(size, 20).step % scale.METRIC_SECONDS == 0


def test_many_ask_for_few_keys_and_a_hundred_for_one_at_once() -> None:
    """Zipf: the first key is asked for most; the hot one in a single moment."""
    schedule = coalescing.schedule(scale.FULL, 20)

    counts: dict[str, int] = {}
    for each in schedule:
        counts[each.target.partition("?")[0]] = counts.get(each.target.partition("?")[0], 0) + 1
    assert counts.pop("/spike/kept/hot") == coalescing.HOT_CLIENTS
    assert max(counts, key=counts.__getitem__) == "/spike/kept/0"
    assert counts["/spike/kept/0"] > 5 * counts["/spike/kept/20"]
    assert len({each.due for each in schedule if "/hot?" in each.target}) == 1


def test_a_purge_comes_after_every_key_was_asked_for() -> None:
    """So all are stored, and base has its runs, before it is measured."""
    schedule, begin, due = purging.schedule(scale.FULL, 5)

    assert {each.target for each in schedule if each.due < begin} == {
        each.target for each in schedule
    }
    assert begin < due < schedule[-1].due


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, OK), (503, SHED), (429, SHED), (0, LATE), (-1, OTHER), (500, OTHER)],
)
def test_a_status_is_an_outcome(status: int, outcome: str) -> None:
    """Turned away is not the same as too late, and neither is as a failure."""
    assert shots.outcome(status) == outcome


def test_a_good_answer_after_the_deadline_is_late_and_no_later_than_that() -> None:
    """Its client had gone."""
    (request,) = _volley((Shot(1.0, "/"), _shown(scale.DEADLINE_SECONDS + 0.2))).requests()

    assert (request.outcome, request.seconds) == (LATE, scale.DEADLINE_SECONDS)


def test_a_volley_goes_through_files_as_it_is(tmp_path: Path) -> None:
    """What the sender is told and tells; one that tells too little is refused."""
    sent = [Shot(0.5, "/a"), Shot(1.0, "/b", prefetch=True)]
    shots.write_schedule(tmp_path / "schedule", sent)
    volley = _volley((sent[0], _shown(0.1)), (sent[1], _shown(0.2, 503)))
    shots.write_result(tmp_path / "result", volley)

    assert shots.read_schedule(tmp_path / "schedule") == sent
    assert shots.read_result(tmp_path / "result", sent) == volley
    with pytest.raises(Unavailable, match="2 of 3"):
        shots.read_result(tmp_path / "result", [*sent, Shot(2.0, "/c")])


def test_a_late_sender_voids_a_run() -> None:
    """Above 10 ms at the 99th percentile."""
    assert not _volley((Shot(0, "/"), _shown(0.1, late=0.009))).void
    assert _volley((Shot(0, "/"), _shown(0.1, late=0.011))).void


def test_waiters_are_those_who_came_before_the_first_answer() -> None:
    """Two wait; one comes later and is a hit; a failure is neither."""
    volley = _volley(
        (Shot(0.0, "/a"), _shown(0.100)),
        (Shot(0.05, "/a"), _shown(0.052)),
        (Shot(0.06, "/a"), _shown(0.050)),
        (Shot(0.08, "/a"), _shown(5.0, 0)),
        (Shot(0.2, "/a"), _shown(0.001)),
        (Shot(0.0, "/b"), _shown(0.3)),
    )

    behind = coalescing.behind_leaders_ms(volley)
    found = coalescing.judged(volley, name="x", factor=5, runs=2)

    assert sorted(behind) == pytest.approx([2, 10])
    assert (found.keys, found.runs_a_key, found.failed, found.waiters) == (2, 1.0, 1, 2)


def test_an_environment_is_born_with_its_first_run_and_that_is_its_cold_start() -> None:
    """X-Run is name/number/beginning; what a first run took beyond its service is its start."""
    of = elastic.arrivals(elastic.phases(scale.QUICK, 10))[:3]
    sent = shots.once(of)
    volley = _volley(
        (sent[0], _shown(of[0].service + 0.02, run="one/1/100500000000")),
        (sent[1], _shown(of[1].service + 0.001, run="one/2/100500000000")),
        (sent[2], _shown(of[2].service + 0.04, run="two/1/101000000000")),
    )

    assert elastic.births(volley) == [100.5, 101.0]
    assert elastic.cold_start_seconds(volley, of) == pytest.approx(0.02)


def test_what_a_hand_over_costs_is_taken_from_base_alone() -> None:
    """What good answers that did not wait took beyond their service, before the step."""
    of = elastic.phases(scale.QUICK, 10)
    before, after = of.begin + 1, of.step + 1
    requests = [
        *(elasticity.Request(before, 0.1 + extra, OK, 0.1) for extra in (0.004, 0.006, 0.04)),
        elasticity.Request(before, 5.0, LATE, 0.1),
        elasticity.Request(after, 3.0, OK, 0.1),
    ]

    assert elastic.overhead_seconds(requests, of) == pytest.approx(0.004)


def test_supply_is_told_by_the_schedules_time() -> None:
    """What there was before counts from its beginning."""
    supply = [Supply(90.0, 2, 2), Supply(99.0, 4, 3), Supply(101.0, 5, 5)]

    assert elastic.since(supply, 100.0) == [Supply(0.0, 4, 3), Supply(1.0, 5, 5)]


def _elastic() -> elastic.Elastic:
    of = elastic.phases(scale.QUICK, 10)
    drawn = elastic.arrivals(of)
    ended = [(s, _shown(a.service)) for s, a in zip(shots.once(drawn), drawn, strict=True)]
    requests = _volley(*ended).requests(drawn)
    supply = [Supply(0.0, 15, 15)]
    return elastic.Elastic(
        name="fixed, 15",
        phases=of,
        requests=requests,
        supply=supply,
        found=elasticity.elasticity(requests, supply, of),
        spans=elasticity.spans(requests, of, scale.DEADLINE_SECONDS),
        parameters={"kind": "fixed", "environments": 15, "overhead_seconds": 0.0},
        late_ms_p99=1.0,
    )


def test_a_result_can_be_validated_against_the_simulator() -> None:
    """A run in which nobody waited is simulated to the figure, through JSON."""
    document = {"bench": "spike", "details": {"elastic": [_elastic().document()]}}

    compared = validating.compare(json.loads(json.dumps({"reports": [document]})))

    errors = {each.figure: each.error for each in compared}
    assert errors.pop("step_p99_all_ms") < 0.1
    assert errors == pytest.approx(dict.fromkeys(errors, 0), abs=0.03)
    with pytest.raises(ValueError, match="no run of profile A"):
        validating.compare({"reports": []})


def test_the_picture_and_the_table_have_every_contender() -> None:
    """From the same values."""
    one = _elastic()

    words = "".join(ET.fromstring(plots.picture([one, one])).itertext())
    assert words.count("fixed, 15") == 2
    assert "A 10-fold spike" in words
    assert "fixed, 15" in plots.table([one])
    assert "VOID" not in plots.table([one])


def test_who_waits_is_who_came_and_has_neither_an_environment_nor_an_answer() -> None:
    """Three come at 0; one environment; they end at 1, 2 and never (5 s, a failure)."""
    requests = [
        elasticity.Request(0.1, 0.9, OK, 1),
        elasticity.Request(0.1, 1.9, OK, 1),
        elasticity.Request(0.1, 4.9, LATE, 1),
    ]
    times = [plots.EACH_SECONDS * index for index in range(12)]

    waiting = plots.waiting(requests, [Supply(0, 1, 1)], times)
    failed = plots.failures(requests, times)

    assert waiting == [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert [at for at, count in zip(times, failed, strict=True) if count] == [5.0]
    assert sum(failed) * plots.EACH_SECONDS == 1


def test_under_overload_what_counts_is_what_was_answered_in_the_step() -> None:
    """Goodput over capacity, classes apart, silence, and how long it took to be calm again."""
    of = overload.phases(scale.QUICK, 20, 10.0)
    ended = [(Shot(0.5, "/base"), _shown(0.1))]
    for number in range(60):  # of 120 that could be offered: each second one live, one prefetch
        due = of.step + number * 0.1
        good = number % 2 == 0
        ended.append(
            (Shot(due, "/x", not good), _shown(0.2 if good else 0.01, 200 if good else 503))
        )
    ended += [
        (Shot(of.step_end + 0.2, "/after"), _shown(0.9)),
        (Shot(of.step_end + 0.4, "/after"), _shown(0.1)),
    ]

    found = overload.judged(_volley(*ended), of, name="dynimo", capacity=10.0)

    assert (found.offered, found.ok, found.shed) == (60, 30, 30)
    assert found.goodput == pytest.approx(29 / 60)
    assert (found.live_ok_share, found.prefetch_ok_share) == (1.0, 0.0)
    assert found.shed_ms_p99 == pytest.approx(10)
    assert found.silence_seconds == pytest.approx(0.2)
    assert found.calm_seconds == pytest.approx(0.2)


def test_half_of_an_overload_only_prefetches_and_no_target_comes_twice() -> None:
    """Each request is for a picture of its own."""
    of = overload.phases(scale.FULL, 20, 50.0)

    schedule = overload.schedule(of, iter(f"/{number}" for number in range(10_000)))

    assert len({each.target for each in schedule}) == len(schedule)
    share = sum(each.prefetch for each in schedule) / len(schedule)
    assert share == pytest.approx(0.5, abs=0.05)
