"""The parts of the process sandbox that decide without a process."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo import ports
from dynimo.backends.clocks import SystemClock
from dynimo.backends.sandboxes import cgroup_places, config, plans
from dynimo.backends.sandboxes.cgroup_slots import Slot
from dynimo.backends.sandboxes.cgroups import Groups
from dynimo.backends.sandboxes.lines import CUT_MARK, Splitter
from dynimo.backends.sandboxes.watchdog import Watchdog
from dynimo.runtime import handler
from dynimo.runtime.isolation import plan, seccomp

V1 = """\
30 29 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 29 0:27 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
32 29 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
V2 = "30 29 0:26 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw\n"


def test_cgroup_version_1_wins_where_it_has_the_controllers() -> None:
    """A hybrid host keeps memory and pids in version 1."""
    found = cgroup_places.find(V1, "8:pids:/\n4:memory:/a/b\n0::/\n")
    assert found == (1, {"memory": "/sys/fs/cgroup/memory/a/b", "pids": "/sys/fs/cgroup/pids"})


def test_cgroup_version_2_has_one_folder_for_all() -> None:
    """A unified host has every controller in the process's one group."""
    folder = "/sys/fs/cgroup/user.slice"
    assert (2, {"memory": folder, "pids": folder}) == cgroup_places.find(V2, "0::/user.slice\n")


def test_no_cgroups_at_all() -> None:
    """Nothing mounted is no error."""
    assert cgroup_places.find("", "") == (2, {})


def test_cgroup_mount_of_a_part_of_the_hierarchy() -> None:
    """In a container the mount's own root is cut from the path."""
    mounts = "30 29 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    _, places = cgroup_places.find(mounts, "0::/docker/x/y\n")
    assert places["memory"] == "/sys/fs/cgroup/y"


def test_out_of_memory_counter_is_read() -> None:
    """Both versions tell the count of kills under the same name."""
    assert [cgroup_places.oom_kills(text) for text in ("oom 9\noom_kill 3\n", "")] == [3, 0]


def slot_of_version_2(folder: Path) -> Slot:
    """A slot over a folder with the files of cgroup version 2."""
    for name in ("memory.max", "memory.swap.max", "cgroup.procs"):
        (folder / name).write_text("")
    (folder / "memory.events").write_text("oom 0\noom_kill 2\n")
    folders = {"memory": folder, "pids": folder}
    return Slot(folders=folders, version=2, memory_bytes=100, processes=9, join=[])


def test_only_kills_since_it_began_are_blamed(tmp_path: Path) -> None:
    """A slot used again does not count what the kernel killed there before."""
    slot = slot_of_version_2(tmp_path)
    slot.begin()
    before = slot.out_of_memory()
    (tmp_path / "memory.events").write_text("oom 1\noom_kill 3\n")
    assert (before, slot.out_of_memory()) == (False, True)


def test_limit_is_raised_and_set_again(tmp_path: Path) -> None:
    """A zygote's group may take more while it forks, and its next user what it always may."""
    slot = slot_of_version_2(tmp_path)
    slot.raise_memory_limit(20)
    raised = (tmp_path / "memory.max").read_text()
    slot.limit_again()
    files = [(tmp_path / name).read_text() for name in ("memory.max", "memory.swap.max")]
    assert (raised, files) == ("120", ["100", "0"])


def test_host_without_groups_gives_no_slot(tmp_path: Path) -> None:
    """Where there is nothing, the reason is told and environments go without."""
    groups = Groups.open(root=tmp_path)
    assert groups.take(memory_bytes=1, processes=1) is None
    assert {"no such cgroup controller here"} == set(groups.describe().values())


def test_measures_that_need_another_are_off_with_it() -> None:
    """A measure whose foundation is missing says what it needs."""
    probed = dict.fromkeys(config.MEASURES, "on") | {"pid namespace": "needs root"}
    found = config.settle(probed, frozenset()).found
    told = [found[name] for name in ("pid namespace", "mount namespace", "own user", "seccomp")]
    assert told == ["needs root", "needs: pid namespace", "needs: mount namespace", "on"]


def test_operator_can_turn_a_measure_off() -> None:
    """What is turned off is told as that."""
    probed = dict.fromkeys(config.MEASURES, "on")
    measures = config.settle(probed, frozenset({"seccomp"}))
    assert ("seccomp" in measures, "landlock" in measures) == (False, True)


def test_plan_survives_the_wire(tmp_path: Path) -> None:
    """A plan comes back from JSON as it was."""
    spec = ports.SandboxSpec(
        function="f", version="1", code=tmp_path, handler="a.b", memory_mib=64, readable=(tmp_path,)
    )
    measures = config.settle(dict.fromkeys(config.MEASURES, "on"), frozenset())
    made = plans.make(spec, measures, scratch=tmp_path, root=tmp_path, uid=7)
    assert made == plan.from_json(plan.to_json(made))
    assert (str(tmp_path), str(tmp_path), "read") in made.binds


def test_plan_without_namespaces_stays_on_the_host(tmp_path: Path) -> None:
    """Without a mount namespace paths inside are the host's."""
    spec = ports.SandboxSpec(function="f", version="1", code=tmp_path, handler="a.b", memory_mib=64)
    measures = config.settle({"landlock": "on", "no-new-privileges": "on"}, frozenset())
    made = plans.make(spec, measures, scratch=tmp_path, root=tmp_path, uid=7)
    assert (str(tmp_path), "", None, ()) == (made.task, made.root, made.uid, made.binds)


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n\r"), max_size=40)),
       st.lists(st.integers(1, 30)))  # fmt: skip
def test_lines_survive_any_cutting(lines: list[str], sizes: list[int]) -> None:
    """Whatever way bytes arrive, the lines come out as they went in."""
    lines = [line.encode("utf-8", "replace").decode() for line in lines]
    data = b"".join(line.encode() + b"\n" for line in lines)
    splitter, got = Splitter(), []
    for size in [*sizes, len(data)]:
        got += splitter.feed(data[:size])
        data = data[size:]
    assert lines == got


def test_line_over_the_limit_is_cut_once() -> None:
    """The rest of a cut line is lost, the next line is whole."""
    splitter = Splitter(line_bytes_max=40)
    got = splitter.feed(b"a" * 30) + splitter.feed(b"a" * 30 + b"\nnext\n")
    assert ["a" * (40 - len(CUT_MARK)) + CUT_MARK, "next"] == got


class Hog:
    """Something the watchdog may kill."""

    pid = 5

    def __init__(self) -> None:
        self.killed = 0

    def kill_for_memory(self) -> None:
        self.killed += 1


async def test_watchdog_kills_only_above_the_limit() -> None:
    """At the limit is fine; one byte above is not."""
    resident = [100]
    watchdog, hog = Watchdog(lambda _pid, _apart: resident[0]), Hog()
    watchdog.watch(hog, 100)
    watchdog.look()
    before = hog.killed
    resident[0] = 101
    watchdog.look()
    watchdog.forget(hog)
    assert (before, hog.killed) == (0, 1)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_is_whole(machine: str) -> None:
    """Every jump lands inside the filter, and it ends by allowing."""
    code = seccomp.program(machine)
    parsed = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    for at, (operation, when_true, when_false, _) in enumerate(parsed):
        if operation & 7 == 5:
            assert at + 1 + max(when_true, when_false) < len(parsed)
    assert (parsed[-1][0], parsed[-1][3]) == (0x06, 0x7FFF0000)


def test_filter_for_an_unknown_machine() -> None:
    """No list is no filter, and that is an error, not a silent pass."""
    with pytest.raises(OSError, match="no seccomp list"):
        seccomp.program("vax")


@pytest.mark.parametrize(
    ("code", "status"), [(None, 0), (3, 3), (256 + 5, 5), ("text", 1), (True, 1)]
)
def test_exit_status_is_pythons(code: object, status: int) -> None:
    """SystemExit's argument becomes the code that the interpreter would give."""
    assert status == handler.exit_status(SystemExit(code))


async def test_system_clock_calls_back_and_can_be_stopped() -> None:
    """``call_later`` calls once; its result prevents that."""
    clock, called = SystemClock(), asyncio.Event()
    cancel = clock.call_later(0, lambda: pytest.fail("cancelled calls must not come"))
    cancel()
    clock.call_later(0, called.set)
    async with asyncio.timeout(60):
        await called.wait()
    assert clock.now() > 1e9
