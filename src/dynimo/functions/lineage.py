"""The lineage of an invocation: which functions its chain has passed, and how often. Pure.

It travels in the X-Ray trace header that the SDKs pass on by themselves:
``Root=…;Parent=…;Sampled=…;Lineage=1:a87bd80c:3|1:68fd508a:5``. What is done about a chain that
goes round is the invoker's business. Source: AWS Lambda Developer Guide, recursive loop detection.
"""

from __future__ import annotations

import functools
import hashlib

MEMBER = "Lineage"
PARTS_MAX = 32
"""How many functions a header may tell of; those passed longest ago go first."""
HOPS_SHOWN_MAX = 32_767
MARKS_KEPT_MAX = 4096
_VERSION = "1"


@functools.lru_cache(MARKS_KEPT_MAX)
def mark(arn: str) -> str:
    """What stands for a function (its unqualified ARN) in a lineage."""
    return hashlib.sha256(arn.encode()).hexdigest()[:8]


def hops(trace: str, arn: str) -> int:
    """How often the chain that a header tells of has passed a function; 0 if never."""
    return _read(_member(trace)).get(mark(arn), 0) if MEMBER in trace else 0


def passed(trace: str, arn: str) -> str:
    """Give the header for what this function calls in turn: one hop more."""
    name = mark(arn)
    if MEMBER not in trace:  # most begin here
        return f"{trace};{MEMBER}={_VERSION}:{name}:1"
    held = _read(_member(trace))
    count = min(held.pop(name, 0) + 1, HOPS_SHOWN_MAX)
    rest = list(held.items())[-(PARTS_MAX - 1) :]
    parts = [f"{_VERSION}:{each}:{number}" for each, number in [*rest, (name, count)]]
    others = [part for part in _members(trace) if not part.startswith(f"{MEMBER}=")]
    return ";".join([*others, f"{MEMBER}={'|'.join(parts)}"])


def is_cut(trace: str, arn: str, *, hops_max: int, setting: str = "Terminate") -> bool:
    """Whether a function must not run once more in this chain.

    ``setting`` is the function's ``RecursiveLoop``; ``hops_max`` of 0 cuts nothing.
    """
    return setting != "Allow" and 0 < hops_max <= hops(trace, arn)


def _members(trace: str) -> list[str]:
    return [part for part in (each.strip() for each in trace.split(";")) if part]


def _member(trace: str) -> str:
    for part in _members(trace):
        name, equals, value = part.partition("=")
        if name == MEMBER and equals:
            return value
    return ""


def _read(lineage: str) -> dict[str, int]:
    """Function's mark → hops; what cannot be read is left out, for anybody may send a header."""
    found: dict[str, int] = {}
    for part in lineage.split("|"):
        fields = part.strip().split(":")
        if len(fields) >= 2 and fields[-1].isdecimal() and fields[-2]:
            found[fields[-2]] = min(int(fields[-1][:6]), HOPS_SHOWN_MAX)
    return found
