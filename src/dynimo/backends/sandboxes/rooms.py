"""The rooms of one zygote, seen from the platform: made ahead by its keeper, given out, emptied.

The platform's side of ``runtime.isolation.rooms``. Who gets which room is decided here; nothing is
mounted here.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dynimo.runtime import control

AHEAD = 2
"""Rooms that stand ready beside those in use; a room takes far less time than a fork."""

MESSAGES_AT_ONCE_MAX = 64


@dataclass(frozen=True, slots=True)
class Room:
    """``root`` is its folder, as the zygote sees it."""

    number: int
    root: str


class Rooms:
    """Commands to one keeper, in order; each has one answer."""

    def __init__(self, channel: socket.socket) -> None:
        """Use ``channel``, which is owned from now on."""
        channel.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._ready: deque[Room] = deque()
        self._waiting: deque[Callable[[Room | str], None]] = deque()
        self._unsent: deque[int] = deque()
        self._free: list[int] = []
        self._asked = 0
        self._count = 0
        self._open = True
        self._loop.add_reader(channel, self._receive)
        self._ask()

    def __repr__(self) -> str:
        return f"<Rooms ready={len(self._ready)} waiting={len(self._waiting)} made={self._count}>"

    def take(self, use: Callable[[Room | str], None]) -> None:
        """Give an empty room to ``use``, at once if one is ready; or the reason why there is none.

        Nothing is called after ``close``.
        """
        if self._ready:
            room = self._ready.popleft()
            self._ask()
            use(room)
            return
        self._waiting.append(use)
        self._ask()

    def give_back(self, room: Room) -> None:
        """Its environment is gone; it is emptied before the next has it."""
        self._free.append(room.number)
        self._ask()

    def close(self) -> None:
        """Let the keeper go."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._channel)
            self._loop.remove_writer(self._channel)
            self._channel.close()
            self._waiting.clear()

    def _ask(self) -> None:
        """Have as many made as are waited for, and some ahead."""
        while self._open and self._asked + len(self._ready) < len(self._waiting) + AHEAD:
            if self._free:
                number = self._free.pop()
            else:
                self._count += 1
                number = self._count
            self._asked += 1
            self._unsent.append(number)
        self._send()

    def _send(self) -> None:
        while self._unsent and self._open:
            try:
                control.send(self._channel, {"room": self._unsent[0]})
            except BlockingIOError:
                self._loop.add_writer(self._channel, self._send)
                return
            except OSError:
                self.close()
                return
            self._unsent.popleft()
        if self._open:
            self._loop.remove_writer(self._channel)

    def _receive(self) -> None:
        for _ in range(MESSAGES_AT_ONCE_MAX):
            try:
                received = control.receive(self._channel)
            except BlockingIOError:
                return
            except (OSError, control.ControlError):
                received = None
            if received is None:
                self.close()
                return
            self._take(received[0])
            if not self._open:
                return

    def _take(self, message: dict[str, Any]) -> None:
        self._asked -= 1
        number = int(message["room"])
        made = message["op"] == "made"
        answer = Room(number, str(message["root"])) if made else str(message.get("error"))
        if not made:
            self._free.append(number)
        if self._waiting:
            self._waiting.popleft()(answer)
        elif isinstance(answer, Room):
            self._ready.append(answer)
