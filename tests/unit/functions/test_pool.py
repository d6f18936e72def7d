"""The pool's rules, one by one, and then as a state machine against anything at all."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from dynimo.functions.kinship import KIN_FIRST_SECONDS, KIN_WAIT_SECONDS
from dynimo.functions.pool import (
    KIN_LOOK,
    KIN_ROW_MAX,
    LATER_SECONDS,
    Action,
    Assign,
    Limits,
    Pool,
    Reject,
    Start,
    Stop,
)


def _pool(**limits: float) -> Pool:
    return Pool("demo", Limits(**{"environments": 2, **limits}))  # type: ignore[arg-type]


def test_the_first_arrival_starts_an_environment_and_gets_it() -> None:
    """Nobody waits for a metric: the first request starts what it needs."""
    assert _pool().arrive("a", 0.0) == [Start("demo-1"), Assign("demo-1", "a")]


def test_an_idle_environment_is_used_before_another_is_started() -> None:
    """A warm environment costs nothing; a new one does."""
    pool = _pool()
    pool.arrive("a", 0.0)
    pool.finish("demo-1", "a", 1.0, 0.5)

    assert pool.arrive("b", 2.0) == [Assign("demo-1", "b")]


def test_the_most_lately_used_environment_is_preferred() -> None:
    """So that the others can grow old and go."""
    pool = _pool()
    pool.arrive("a", 0.0)
    pool.arrive("b", 0.0)
    pool.finish("demo-1", "a", 1.0, 1.0)
    pool.finish("demo-2", "b", 2.0, 1.0)

    assert pool.arrive("c", 3.0) == [Assign("demo-2", "c")]


def test_over_the_limit_an_arrival_waits_and_is_served_first_come_first_served() -> None:
    """At the limit there is a queue, in order."""
    pool = _pool(environments=1)
    pool.arrive("a", 0.0)

    assert pool.arrive("b", 0.0) == []
    assert pool.arrive("c", 0.0) == []
    assert pool.finish("demo-1", "a", 1.0, 1.0) == [Assign("demo-1", "b")]
    assert pool.finish("demo-1", "b", 2.0, 1.0) == [Assign("demo-1", "c")]


def test_a_short_job_is_awaited_rather_than_starting_another_environment() -> None:
    """When waiting is shorter than a cold start, waiting is the better service."""
    pool = _pool()
    pool.arrive("a", 0.0)
    pool.finish("demo-1", "a", 0.001, 0.001)
    pool.observe_cold_start(0.010)
    pool.arrive("b", 1.0)

    assert pool.arrive("c", 1.0) == []


def _busy(pool: Pool, count: int, seconds: float) -> None:
    """So many environments with something inside, and this known of how long that takes."""
    for number in range(count):
        pool.arrive(f"first-{number}", 0.0)
    pool.finish("demo-1", "first-0", seconds, seconds)
    pool.arrive("again", seconds)


def test_a_wait_that_is_short_for_its_work_is_worth_no_environment() -> None:
    """Of nine that take 100 ms one is free in 11 ms: only the third who waits starts another.

    A peak of chance would else leave environments behind that nobody needs (decision 16).
    """
    pool = _pool(environments=20)
    _busy(pool, 9, 0.1)

    assert [pool.arrive(name, 1.0) for name in ("a", "b")] == [[], []]
    assert pool.arrive("c", 1.0)[0] == Start("demo-10")


def test_who_waits_longer_than_was_expected_gets_an_environment() -> None:
    """Nine were to be done in 11 ms, and all of them hang: nothing else may happen for long."""
    pool = _pool(environments=20)
    _busy(pool, 9, 0.1)
    assert pool.arrive("a", 1.0) == []

    when = pool.next_tick()

    assert when is not None
    assert 1.03 < when < 1.04
    assert pool.tick(when) == [Start("demo-10"), Assign("demo-10", "a")]


def test_long_work_is_no_reason_to_wait_long() -> None:
    """A third of a minute would be: patience has a limit of its own."""
    pool = _pool(environments=20)
    _busy(pool, 9, 60.0)

    assert pool.arrive("a", 61.0) == [Start("demo-10"), Assign("demo-10", "a")]


def test_a_new_environment_goes_to_whoever_has_waited_longest() -> None:
    """Not to the one whose arrival made it be started."""
    pool = _pool(environments=20)
    _busy(pool, 9, 0.1)
    for name in ("a", "b"):
        pool.arrive(name, 1.0)

    assert pool.arrive("c", 1.0) == [Start("demo-10"), Assign("demo-10", "a")]
    assert pool.finish("demo-2", "first-1", 1.0, 0.1) == [Assign("demo-2", "b")]


def test_a_full_queue_turns_away() -> None:
    """The queue has a limit with a name."""
    pool = _pool(environments=1, queue=1)
    pool.arrive("a", 0.0)
    pool.arrive("b", 0.0)

    assert pool.arrive("c", 0.0) == [Reject("c", "full")]


def test_who_waited_too_long_is_turned_away_and_not_run() -> None:
    """An answer that comes too late helps nobody and keeps others waiting."""
    pool = _pool(environments=1, queue_seconds=5)
    pool.arrive("a", 0.0)
    pool.arrive("b", 0.0)
    pool.arrive("c", 4.0)

    assert pool.finish("demo-1", "a", 6.0, 6.0) == [Reject("b", "late"), Assign("demo-1", "c")]


def test_a_long_idle_environment_goes_but_the_reserve_stays() -> None:
    """Nothing idles, but what was asked to be kept ready."""
    pool = _pool(reserve=1, idle_seconds=10)
    assert pool.fill(0.0) == [Start("demo-1")]
    pool.arrive("a", 0.0)
    pool.arrive("b", 0.0)
    pool.finish("demo-1", "a", 1.0, 1.0)
    pool.finish("demo-2", "b", 2.0, 1.0)

    assert pool.next_tick() == 11.0
    assert pool.tick(12.0) == [Stop("demo-1")]
    assert pool.tick(60.0) == []


def test_a_lost_environment_of_the_reserve_is_replaced() -> None:
    """The reserve is a promise."""
    pool = _pool(reserve=1)
    pool.fill(0.0)

    assert pool.exit("demo-1", 1.0) == [Start("demo-2")]


def test_those_behind_a_crash_are_not_stranded() -> None:
    """When the only environment dies, the next in the queue gets a new one."""
    pool = _pool(environments=1)
    pool.arrive("a", 0.0)
    pool.arrive("b", 0.0)

    assert pool.exit("demo-1", 1.0) == [Start("demo-2"), Assign("demo-2", "b")]


def test_a_withdrawn_invocation_is_never_run() -> None:
    """Work nobody waits for is dropped before it costs anything."""
    pool = _pool(environments=1)
    pool.arrive("a", 0.0)
    pool.arrive("b", 0.0)
    pool.withdraw("b")

    assert pool.finish("demo-1", "a", 1.0, 1.0) == []
    assert pool.waiting == 0


def test_while_suspended_arrivals_wait_and_on_resume_they_run() -> None:
    """Without a zygote nothing can start, but nobody is turned away for it."""
    pool = _pool()
    pool.suspend()

    assert pool.arrive("a", 0.0) == []
    assert pool.resume(1.0) == [Start("demo-1"), Assign("demo-1", "a")]


def test_an_environment_with_room_takes_more_than_one() -> None:
    """Concurrency above one shares an environment."""
    pool = _pool(environments=1, concurrency=2)
    pool.arrive("a", 0.0)

    assert pool.arrive("b", 0.0) == [Assign("demo-1", "b")]
    assert pool.arrive("c", 0.0) == []


def _two_idle(**limits: float) -> Pool:
    pool = _pool(**limits)
    pool.arrive("a", 0.0, "cats")
    pool.arrive("b", 0.0, "dogs")
    pool.finish("demo-1", "a", 1.0, 1.0)
    pool.finish("demo-2", "b", 2.0, 1.0)
    return pool


def test_kin_goes_where_kin_was() -> None:
    """What is left of the work there need not be done again; others go to the most lately used."""
    assert _two_idle().arrive("c", 3.0, "cats") == [Assign("demo-1", "c")]
    assert _two_idle().arrive("c", 3.0, "birds") == [Assign("demo-2", "c")]
    assert _two_idle().arrive("c", 3.0) == [Assign("demo-2", "c")]


def test_kin_waits_for_who_is_at_work_on_it() -> None:
    """An idle environment would do all of it again; strangers need not wait."""
    pool = _two_idle()
    pool.arrive("c", 3.0, "cats")
    assert pool.arrive("d", 3.0, "cats") == []
    assert pool.arrive("e", 3.0, "birds") == [Assign("demo-2", "e")]
    assert pool.finish("demo-2", "e", 3.01, 0.01) == []
    assert pool.finish("demo-1", "c", 3.05, 0.05) == [Assign("demo-1", "d")]


def test_kin_does_not_wait_for_long() -> None:
    """Then it goes elsewhere: to an idle environment, or a new one."""
    pool = _two_idle()
    pool.arrive("c", 3.0, "cats")
    pool.arrive("d", 3.0, "cats")
    assert pool.tick(3.0 + KIN_WAIT_SECONDS / 2) == []
    due = pool.next_tick()
    assert due is not None
    assert 0 < due - 3.0 - KIN_WAIT_SECONDS < 0.01
    assert pool.tick(due) == [Assign("demo-2", "d", kin=1)]
    one = _pool()
    one.arrive("a", 0.0, "cats")
    assert one.arrive("b", 0.0, "cats") == []
    due = one.next_tick()
    assert due is not None
    assert one.tick(due) == [Start("demo-2"), Assign("demo-2", "b", kin=1)]


def _learnt(first: float, later: float) -> Pool:
    """Two idle environments; the first of some kin took so long, the next of it so long."""
    pool = _two_idle()
    pool.arrive("c", 3.0, "birds")
    pool.finish("demo-2", "c", 3.0 + first, first)
    pool.arrive("d", 4.0, "birds")
    pool.finish("demo-2", "d", 4.0 + later, later)
    pool.arrive("e", 5.0, "fish")
    pool.arrive("f", 5.0, "fish")
    return pool


def test_kin_waits_longer_for_the_first_where_that_spares_most() -> None:
    """Whatever went elsewhere would only begin what is nearly done."""
    due = _learnt(first=0.5, later=0.01).next_tick()
    assert due is not None
    assert 0 < due - 5.0 - KIN_FIRST_SECONDS < 0.01
    due = _learnt(first=0.5, later=0.5).next_tick()
    assert due is not None
    assert 0 < due - 5.0 - KIN_WAIT_SECONDS < 0.01


def test_in_a_row_of_kin_each_waits_for_the_one_before() -> None:
    """However long the row is: what each waits for is short."""
    pool = _learnt(first=0.5, later=0.01)
    pool.arrive("g", 5.0, "fish")
    assert pool.finish("demo-2", "e", 5.5, 0.5) == [Assign("demo-2", "f", kin=1)]
    assert pool.tick(5.5 + KIN_WAIT_SECONDS / 2) == []
    assert pool.finish("demo-2", "f", 5.59, 0.09) == [Assign("demo-2", "g")]


def test_no_stranger_waits_behind_a_long_row_of_kin() -> None:
    """However many wait for what one environment does: another that is free takes the next."""
    pool = _learnt(first=0.5, later=0.01)  # for two seconds they would
    pool.arrive("busy", 5.0, "cats")
    for number in range(2 * KIN_LOOK):
        pool.arrive(f"fish-{number}", 5.0, "fish")
    pool.arrive("stranger", 5.0)
    pool.arrive("cat", 5.0, "cats")
    assert pool.finish("demo-1", "busy", 5.1, 0.1) == [Assign("demo-1", "stranger")]
    assert pool.finish("demo-1", "stranger", 5.2, 0.1) == [Assign("demo-1", "cat")]
    assert pool.finish("demo-1", "cat", 5.3, 0.1) == []


def test_a_new_environment_goes_to_the_stranger_for_whom_it_was_started() -> None:
    """Not to who waits for what is being done, though that one came before."""
    pool = _pool()
    pool.arrive("a", 0.0, "cats")
    assert pool.arrive("b", 0.0, "cats") == []
    assert pool.arrive("stranger", 0.0) == [Start("demo-2"), Assign("demo-2", "stranger")]


def test_nobody_waits_for_kin_that_has_ended_while_others_run_beside_it() -> None:
    """With room for more than one inside, it is not the environment that is waited for."""
    pool = _pool(concurrency=2)
    for name, kin in (("a", ""), ("b", "dogs"), ("c", ""), ("d", "cats"), ("e", "cats")):
        pool.arrive(name, 0.0, kin)
    assert pool.finish("demo-1", "b", 0.01, 0.01) == []
    due = pool.next_tick()
    assert due is not None
    assert pool.arrive("f", 0.02) == [Assign("demo-1", "f")]
    assert pool.finish("demo-1", "a", 0.03, 0.03) == []
    assert pool.tick(due) == [Assign("demo-1", "e", kin=1)]


def test_impatient_kin_does_not_wait_for_the_patience_of_others() -> None:
    """Each waits for its own: the first of the queue for two seconds, who is behind it for less."""
    pool = _learnt(first=0.5, later=0.01)
    pool.limit(Limits(environments=3), 5.0)
    pool.arrive("a", 5.0, "cats")
    pool.finish("demo-1", "a", 5.0, 0.01)
    pool.arrive("b", 5.0, "cats")
    pool.arrive("c", 5.0, "cats")
    pool.tick(5.0)
    due = pool.next_tick()
    assert due is not None
    assert due < 5.0 + 2 * KIN_WAIT_SECONDS
    assert Assign("demo-3", "c", kin=1) in pool.tick(due)


@given(
    st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.floats(0, 0.2)), max_size=30),
    st.lists(st.floats(0.001, 0.5), min_size=1, max_size=10),
    st.integers(1, 4),
)
def test_everybody_is_served_and_the_clock_goes_on(
    arrivals: list[tuple[str, float]], works: list[float], environments: int
) -> None:
    """With kin and without: nobody is left, nothing is due at the same moment for ever."""
    pool = _pool(environments=environments)
    now = 0.0
    served: set[str] = set()
    running: dict[str, tuple[float, str, float]] = {}
    coming: list[tuple[float, str, str]] = []
    for at, (kin, gap) in enumerate(arrivals):
        coming.append((sum(each for _, each in arrivals[:at]) + gap, str(at), kin))
    for _ in range(2_000):
        ends = [(end, "", name) for name, (end, *_) in running.items()]
        ticks = [(tick, " ", "") for tick in (pool.next_tick(),) if tick is not None]
        if not (coming or ends or pool.waiting):
            break
        now, name, extra = min(coming[:1] + ends + ticks)
        if name == " ":
            actions = pool.tick(now)
            due = pool.next_tick()
            assert due is None or due > now or not pool.waiting
        elif name:
            coming.pop(0)
            actions = pool.arrive(name, now, extra)
        else:
            _, invocation, work = running.pop(extra)
            served.add(invocation)
            actions = pool.finish(extra, invocation, now, work)
        for action in actions:
            if isinstance(action, Assign):
                assert action.environment not in running
                work = works[int(action.invocation) % len(works)]
                running[action.environment] = (now + work, action.invocation, work)
            elif isinstance(action, Reject):
                served.add(action.invocation)
    assert len(served) == len(arrivals)


def test_kin_near_the_head_of_the_queue_comes_before_it() -> None:
    """But not for ever: after some in a row, whoever has waited longest comes first."""
    pool = _pool(environments=1)
    pool.arrive("first", 0.0, "cats")
    pool.arrive("dog", 0.0, "dogs")
    names = [f"cat-{number}" for number in range(2 * KIN_ROW_MAX)]
    for name in names:
        pool.arrive(name, 0.0, "cats")
    served, running = [], "first"
    for _ in range(KIN_ROW_MAX + 1):
        (assigned,) = pool.finish("demo-1", running, 1.0, 1.0)
        assert isinstance(assigned, Assign)
        running = assigned.invocation
        served.append(running)
    assert served == [*names[:KIN_ROW_MAX], "dog"]


def test_whose_kin_is_elsewhere_is_left_to_it() -> None:
    """Two environments with two sources each do one of them, although the queue is mixed."""
    pool = _pool()
    for name, kin in (
        ("c1", "cats"),
        ("d1", "dogs"),
        ("c2", "cats"),
        ("c3", "cats"),
        ("b", "birds"),
    ):
        pool.arrive(name, 0.0, kin)
    assert pool.finish("demo-2", "d1", 1.0, 1.0) == [Assign("demo-2", "b")]
    assert pool.finish("demo-1", "c1", 1.0, 1.0) == [Assign("demo-1", "c2", kin=1)]
    assert pool.finish("demo-2", "b", 1.05, 0.05) == []
    assert pool.tick(1.0 + 2 * KIN_WAIT_SECONDS) == [Assign("demo-2", "c3", kin=1)]


def test_it_is_told_how_many_share_its_work() -> None:
    """Those that wait and those that run; not those that have ended, left or were turned away."""
    pool = _pool(environments=1, queue=3)
    pool.arrive("a", 0.0, "cats")
    for name in ("b", "c", "d", "turned away"):
        pool.arrive(name, 0.0, "cats")
    pool.withdraw("c")
    assert pool.finish("demo-1", "a", 1.0, 1.0) == [Assign("demo-1", "b", kin=1)]
    pool.arrive("e", 1.0, "cats")
    assert pool.exit("demo-1", 1.0) == [Start("demo-2"), Assign("demo-2", "d", kin=1)]


def test_far_down_the_queue_kin_does_not_count() -> None:
    """Nobody is passed over by more than ``KIN_LOOK``, and looking costs no more."""
    pool = _pool(environments=1)
    pool.arrive("first", 0.0, "cats")
    for number in range(KIN_LOOK):
        pool.arrive(f"dog-{number}", 0.0, "dogs")
    pool.arrive("cat", 0.0, "cats")
    assert pool.finish("demo-1", "first", 1.0, 1.0) == [Assign("demo-1", "dog-0", kin=KIN_LOOK - 1)]


class PoolMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, the pool keeps its promises."""

    invocations = Bundle("invocations")

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(
            environments=3, concurrency=2, reserve=1, idle_seconds=5, queue=4, queue_seconds=7
        )
        self.pool = Pool("p", self.limits)
        self.now = 0.0
        self.count = 0
        self.environments: dict[str, set[str]] = {}
        self.waiting: list[str] = []
        self.ended: set[str] = set()
        self.suspended = False
        self.old: set[str] = set()
        self.kin: dict[str, str] = {}
        self.begun: dict[str, tuple[str, float]] = {}  # environment → kin of its last, since when

    @initialize(environments=st.integers(1, 4), concurrency=st.integers(1, 3))
    def begin(self, environments: int, concurrency: int) -> None:
        self.limits = replace(self.limits, environments=environments, concurrency=concurrency)
        self.pool = Pool("p", self.limits)

    def carry_out(self, actions: list[Action]) -> None:
        """Mirror what a fleet would do, refusing what could not be done."""
        for action in actions:
            match action:
                case Start(name):
                    assert name not in self.environments
                    assert not self.suspended
                    self.environments[name] = set()
                case Assign(environment=name, invocation=invocation):
                    assert invocation not in self.ended
                    assert name not in self.old
                    if invocation in self.waiting:
                        alike = [each for each in self.waiting if not self.kin[each]]
                        first = self.kin[invocation] or alike[0] == invocation
                        assert first, "strangers are served in the order in which they came"
                        self.waiting.remove(invocation)
                    self.environments[name].add(invocation)
                    self.begun[name] = self.kin[invocation], self.now
                case Stop(name):
                    assert self.environments.pop(name) == set(), "only the idle are let go"
                case Reject(invocation, reason):
                    assert reason in {"full", "late"}
                    if invocation in self.waiting:
                        self.waiting.remove(invocation)
                    self.ended.add(invocation)

    @rule(target=invocations, kin=st.sampled_from(["", "", "a", "b"]))
    def arrive(self, kin: str) -> str:
        self.count += 1
        name = f"i{self.count}"
        self.kin[name] = kin
        actions = self.pool.arrive(name, self.now, kin)
        if not any(isinstance(each, Reject) for each in actions):
            self.waiting.append(name)
        self.carry_out(actions)
        return name

    @rule(invocation=consumes(invocations), seconds=st.floats(0, 20))
    def finish(self, invocation: str, seconds: float) -> None:
        for name, running in self.environments.items():
            if invocation in running:
                running.remove(invocation)
                self.ended.add(invocation)
                self.carry_out(self.pool.finish(name, invocation, self.now, seconds))
                return
        assert self.pool.finish("p-0", invocation, self.now, seconds) == []

    @rule(invocation=consumes(invocations))
    def withdraw(self, invocation: str) -> None:
        self.pool.withdraw(invocation)
        if invocation in self.waiting:
            self.waiting.remove(invocation)
            self.ended.add(invocation)

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        if self.environments:
            name = data.draw(st.sampled_from(sorted(self.environments)))
            self.ended |= self.environments.pop(name)
            self.carry_out(self.pool.exit(name, self.now))

    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        if self.environments:
            name = data.draw(st.sampled_from(sorted(self.environments)))
            self.old.add(name)
            self.carry_out(self.pool.retire(name, self.now))

    @rule(seconds=st.floats(0, 10))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.carry_out(self.pool.tick(self.now))

    @rule()
    def pass_time_until_due(self) -> None:
        due = self.pool.next_tick()
        if due is not None:
            self.now = max(self.now, due)
            self.carry_out(self.pool.tick(self.now))
            again = self.pool.next_tick()
            assert again is None or again > self.now or not self.waiting, "due at once for ever"

    @rule()
    def suspend(self) -> None:
        self.suspended = True
        self.pool.suspend()

    @rule()
    def resume(self) -> None:
        self.suspended = False
        self.carry_out(self.pool.resume(self.now))

    @invariant()
    def within_limits(self) -> None:
        assert len(self.environments) <= self.limits.environments
        assert len(self.waiting) <= self.limits.queue
        assert all(
            len(running) <= self.limits.concurrency for running in self.environments.values()
        )

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert self.pool.count == len(self.environments)
        assert self.pool.waiting == len(self.waiting)
        for name, running in self.environments.items():
            assert self.pool.running(name) == running

    @invariant()
    def who_is_old_goes_when_empty(self) -> None:
        assert all(self.environments.get(name, {"gone"}) for name in self.old)

    @invariant()
    def nobody_waits_for_an_idle_environment(self) -> None:
        if self.waiting:
            most = self.limits.concurrency
            young = self.environments.keys() - self.old
            if any(len(self.environments[name]) < most for name in young):
                self.all_wait_for_kin()
            assert self.environments or self.suspended

    def all_wait_for_kin(self) -> None:
        """Each for one that began of late and is at work, and somebody will look after that."""
        at_work = {
            kin: since
            for name, (kin, since) in sorted(self.begun.items(), key=lambda each: each[1][1])
            if kin and self.environments.get(name)
        }
        due = self.pool.next_tick()
        assert due is not None
        for name in self.waiting:
            patient = at_work[self.kin[name]] + KIN_FIRST_SECONDS
            assert due <= patient + 2 * LATER_SECONDS


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
