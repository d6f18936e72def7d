"""Rooms: for each environment a root folder of its own, all of the version's but another /tmp.

A zygote has no right to mount anything, so its *keeper* does: the process that stays outside of the
zygote's pid namespace, inside its mount namespace, and that never runs a stranger's code. It makes
rooms when the platform asks, ahead of need; an environment only changes its root folder to one.
A room is a copy of the mounts of the zygote's root (16 µs) and a tmpfs of its own (10 µs).

What the import left in the zygote's /tmp is seen in every room, as on AWS, where the same process
imports and serves: then the room's /tmp is an overlay on it.
"""

from __future__ import annotations

import os
import select
import socket
from typing import Any

from dynimo.runtime import control
from dynimo.runtime.isolation import capabilities, mounts
from dynimo.runtime.isolation.plan import Plan

UPPER, WORK = "changed", "work"
MOUNTS_STACKED_MAX = 4
_DESCRIPTORS_MAX = 1024


def keep(channel: socket.socket, zygote: int, plan: Plan) -> None:
    """Make rooms as ``channel`` commands until the process behind ``zygote`` (a pidfd) ends."""
    os.chdir("/")
    _close_all_but(channel.fileno(), zygote)
    if plan.capabilities:
        capabilities.keep(*capabilities.KEEPERS)
    keeper = Keeper(plan)
    poll = select.poll()
    poll.register(zygote, select.POLLIN)
    poll.register(channel, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if zygote in ready:
            return
        received = control.receive(channel)
        if received is None:  # the platform is gone, and the zygote will soon be
            poll.unregister(channel)
            continue
        control.send(channel, keeper.obey(received[0]))


class Keeper:
    """Makes and empties rooms of ``plan``, in the mount namespace of the caller."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._made: set[int] = set()
        self._left: bool | None = None

    def obey(self, message: dict[str, Any]) -> dict[str, Any]:
        """Make room ``message["room"]``, new or empty again; the answer to the platform."""
        number = int(message["room"])
        path = f"{self._plan.rooms}/{number}"
        try:
            if number not in self._made:
                os.mkdir(path, 0o755)  # noqa: PTH102 - light
                mounts.copy_tree("/", path)
                self._made.add(number)
            else:
                self._empty(path + mounts.TMP)
            self._furnish(path)
        except OSError as error:
            return {"op": "refused", "room": number, "error": str(error)}
        return {"op": "made", "room": number, "root": path}

    def _empty(self, folder: str) -> None:
        for _ in range(MOUNTS_STACKED_MAX):
            try:
                mounts.unmount(folder)
            except OSError:  # nothing is mounted there any more
                return

    def _furnish(self, path: str) -> None:
        plan = self._plan
        folder = path + mounts.TMP
        mounts.scratch(folder, plan.scratch_mib, plan.uid)
        if self._is_left():
            upper, work = f"{folder}/{UPPER}", f"{folder}/{WORK}"
            for each in (upper, work):
                os.mkdir(each, 0o700)  # noqa: PTH102 - light
            if plan.uid is not None:
                os.chown(upper, plan.uid, plan.uid)
            mounts.overlay(
                folder, lower=mounts.TMP, upper=upper, work=work, by_user=plan.user_namespace
            )
        for inside in plan.kept:
            mounts.repeat(inside, path + inside)

    def _is_left(self) -> bool:
        """Whether the import left anything in the zygote's /tmp; asked when it is over."""
        if self._left is None:
            expected = {inside.split("/")[2] for inside in self._plan.kept}
            self._left = bool(set(os.listdir(mounts.TMP)) - expected)  # noqa: PTH208 - light
        return self._left


def _close_all_but(*kept: int) -> None:
    for descriptor in range(_DESCRIPTORS_MAX):
        if descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                continue
