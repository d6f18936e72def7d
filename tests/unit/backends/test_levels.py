"""The level that is told: one word, and what it lets pass."""

from __future__ import annotations

import pytest

from dynimo.backends.sandboxes import config, levels

EVERYTHING = dict.fromkeys(config.MEASURES, "on")
SPACES = ("pid namespace", "mount namespace", "private /tmp", "network namespace")


@pytest.mark.parametrize(
    ("missing", "level"),
    [
        ((), "full"),
        (("user namespace", "memory watchdog"), "full"),
        (("own user", "cgroup memory limit", "cgroup process limit"), "namespaces"),
        (("scoped signals and sockets",), "namespaces"),
        (("private /tmp",), "basic"),
        ((*SPACES, "own user"), "basic"),
        (("seccomp",), "weak"),
        (("landlock", *SPACES), "weak"),
    ],
)
def test_a_level_is_as_strong_as_its_weakest_wall(missing: tuple[str, ...], level: str) -> None:
    """Each level needs all of its measures; those that another replaces do not count."""
    assert level == levels.level({**EVERYTHING, **dict.fromkeys(missing, "needs root")})


def test_what_is_not_stopped_is_said() -> None:
    """Nothing with everything; without scopes and namespaces signals are among it."""
    old = {**EVERYTHING, "scoped signals and sockets": "old", "pid namespace": "needs root"}
    assert levels.not_stopped(EVERYTHING) == []
    assert [text.split()[0] for text in levels.not_stopped(old)] == ["reaching", "signals"]
