"""Heads that came lately, byte for byte, with the answer that each was given.

Clients ask for the same in the same words. A head that is known needs no reading, if whoever made
its answer says that it is still the one (``message.Prepared.again``). What is asked of one client
alone (conditions, ranges, a proxy's claims, the end of the connection) is not kept. No sockets, no
clock; whether an answer still holds is not judged here.
"""

from __future__ import annotations

from dynimo.web import message, writing

HEADS_MAX = 1024
"""Heads that are known; one more, and all are forgotten."""
HEAD_BYTES_MAX = 2048
"""A longer head is not kept."""
ONCE_MAX = 512
"""Heads that came once, of which only a number is kept; one more, and all are forgotten."""

Known = tuple[message.Request, message.Prepared]


class Repeats:
    """What is known of heads. Answers end within a second or so; so does what is kept here."""

    __slots__ = ("_known", "_once", "get")

    def __init__(self) -> None:
        self._once: set[int] = set()
        self._known: dict[bytes, Known] = {}
        self.get = self._known.get
        """(the request that this head is, its answer), or None."""

    def __len__(self) -> int:
        return len(self._known)

    def keep(self, head: bytes, request: message.Request, answer: message.Prepared) -> None:
        """Remember what a head was answered with, if that can be asked whether it still holds.

        Only from the second time on: where all differ, remembering them would be all for nothing.
        """
        if request.method != "GET" or answer.again is None or len(head) > HEAD_BYTES_MAX:
            return
        if writing.bodiless(answer.status):
            return
        number = hash(head)
        if number not in self._once:
            if len(self._once) >= ONCE_MAX:
                self._once.clear()
            self._once.add(number)
            return
        if len(self._known) >= HEADS_MAX:
            self._known.clear()
        self._known[head] = request, answer

    def forget(self, head: bytes) -> None:
        """Its answer holds no longer."""
        self._known.pop(head, None)
