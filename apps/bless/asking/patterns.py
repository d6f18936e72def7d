"""Patterns with ``*`` over ARNs, host names and commands: what a star may stand for in each.

A star never stands for what would change the meaning: in an ARN for no ``:`` or ``/``, in a host's
name for one label (in front for all below a domain), in a command for nothing that a shell acts on.
There is no other special character. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

STARS_MAX = 8
PATTERN_CHARACTERS_MAX = 1024
_ARN = r"[^:/*?\s]"
_HOST = r"[A-Za-z0-9-]"
_COMMAND = r"[A-Za-z0-9 _./:@%+=,'\"-]"


class PatternError(ValueError):
    """No pattern of this form."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, as it was written, and made ready."""

    text: str
    ready: re.Pattern[str] = field(repr=False, compare=False)

    def matches(self, text: str) -> bool:
        """Whether it matches all of the text."""
        return self.ready.match(text) is not None


def over_arns(text: str) -> Pattern:
    """For callers: ``arn:aws:iam::*:user/ops-*``. Raises PatternError."""
    if text.count(":") < 5 or not text.startswith("arn:"):
        raise PatternError("a caller's pattern is an ARN: arn:aws:iam::ACCOUNT:user/NAME")
    return _made(text, _ARN)


def over_hosts(text: str) -> Pattern:
    """For hosts: ``*.example.org`` is all below it, ``web-*.example.org`` one label."""
    return _made(text.lower(), _HOST)


def over_commands(text: str) -> Pattern:
    """For commands: ``git-shell *``. Raises PatternError."""
    return _made(text, _COMMAND)


def _made(text: str, star: str) -> Pattern:
    if len(text) > PATTERN_CHARACTERS_MAX or text.count("*") > STARS_MAX:
        raise PatternError(
            f"a pattern has at most {PATTERN_CHARACTERS_MAX} characters and {STARS_MAX} stars"
        )
    if not (text.isascii() and text.isprintable()):
        raise PatternError("printable ASCII only")
    below = star == _HOST and text.startswith("*.")
    head, *rest = text.removeprefix("*").split("*") if below else text.split("*")
    source = (rf"(?:{_HOST}+\.)*{_HOST}+" if below else "") + re.escape(head)
    for number, part in enumerate(rest, 1):
        fixed = re.escape(part)
        # The first place that fits is as good as any; without it, stars would multiply the work.
        source += f"{star}*{fixed}" if number == len(rest) else f"(?>{star}*?{fixed})"
    return Pattern(text, re.compile(source + r"\Z"))
