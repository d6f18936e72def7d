"""Folders that apps keep: whose they are, and what is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dynimo import ports
from dynimo.backends.sandboxes import config, plans, states
from dynimo.backends.sandboxes.states import States

USERS = range(64_000, 64_002)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
EVERYTHING = dict.fromkeys(config.MEASURES, "on")


@as_root
def test_each_state_has_a_user_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    """Mode 0700; when there are no users left there are no more states."""
    made = States(tmp_path / "state", USERS)
    owners = [made.of(app).stat().st_uid for app in ("a", "b", "a")]
    assert owners == [64_000, 64_001, 64_000]
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.rglob("*")} == {0o700}
    with pytest.raises(OSError, match="all 2 users"):
        made.of("c")


@as_root
def test_what_was_restored_under_another_user_is_given_back(tmp_path: Path) -> None:
    """And one that has another app's user becomes somebody of its own."""
    for name, uid in (("a", 64_001), ("b", 64_001), ("c", 0)):
        (tmp_path / name / "below").mkdir(parents=True)
        (tmp_path / name / "below" / "file").touch()
        os.chown(tmp_path / name, uid, uid)
    made = States(tmp_path, range(64_000, 64_010))
    assert [made.of(app).stat().st_uid for app in "abc"] == [64_000, 64_001, 64_002]
    assert (tmp_path / "c" / "below" / "file").stat().st_uid == 64_002


@as_root
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_link_in_a_state_gives_nothing_away(tmp_path: Path, kind: str) -> None:
    """What it leads to keeps its owner, and the state cannot be used."""
    (tmp_path / "precious").touch()
    folder = tmp_path / "state" / "a"
    folder.mkdir(parents=True)
    if kind == "hard":
        (folder / "link").hardlink_to(tmp_path / "precious")
    else:
        (folder / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="'link' in a state"):
        States(tmp_path / "state", USERS).of("a")
    assert (tmp_path / "precious").stat().st_uid == 0


@pytest.mark.parametrize("where", ["state", "state/a"])
def test_a_state_that_is_a_link_is_refused(tmp_path: Path, where: str) -> None:
    """Neither the folder of all nor that of one may lead elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    if where != "state":
        (tmp_path / "state").mkdir()
    (tmp_path / where).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Not a directory|symbolic links"):
        States(tmp_path / "state", None).of("a")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_users_it_is_the_servers_own(tmp_path: Path) -> None:
    """And so it is looked at before it is given."""
    folder = States(tmp_path / "state", None).of("a")
    assert states.owner(folder, None) == folder.stat().st_uid == os.geteuid()
    with pytest.raises(PermissionError, match="belongs to user"):
        states.owner(folder, USERS)
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        states.owner(folder, None)
    folder.symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        states.owner(folder, None)


def test_users_of_states_run_nothing_else() -> None:
    """Their range begins where that of versions ends."""
    given = config.Config(scratch=Path("scratch"))
    assert given.state_uids.start == given.uid_first + given.uid_count
    assert given.state_uids.stop <= 65_534  # nobody


@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize(
    ("missing", "inside"),
    [((), "/var/state"), (("own user",), "/var/state"), (("mount namespace",), "STATE")],
    ids=["root", "user namespace", "Landlock alone"],
)
def test_a_plan_shows_a_state_as_data(
    tmp_path: Path, missing: tuple[str, ...], inside: str, *, writable: bool
) -> None:
    """At every level: to be changed or only to be read, and never to be run."""
    measures = config.Measures({**EVERYTHING, **dict.fromkeys(missing, "off")})
    state = tmp_path / "state"
    spec = ports.SandboxSpec(
        function="a-b", version="1", code=tmp_path, handler="a.b", memory_mib=128,
        state=ports.State(folder=state, writable=writable),
    )  # fmt: skip
    plan = plans.make(spec, measures, scratch=tmp_path, root=tmp_path, uid=64_000)
    inside, word = inside.replace("STATE", str(state)), "keep" if writable else "data"
    assert (inside, word) in plan.rules
    shown = [bind for bind in plan.binds if bind[0] == str(state)]
    assert shown == ([(str(state), inside, word)] if "mount namespace" not in missing else [])
    assert plan.file_mib == (plans.STATE_FILE_MIB_MAX if writable else spec.ephemeral_mib)
