"""The page of results: every test by its id, and for each that is missed the reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tests.e2e.cache_tests.suite import KINDS, Case, counted

_AGE = "RFC 9111 5.1 lets the first of several values count; by the letter, none counts of an"
_PARTS = "Parts are stored by the range that asked for them; other ranges are cut from wholes only."

REASONS: Mapping[str, str] = {
    "age-parse-prefix": f"{_AGE} Age that is not one number; the suite expects both, by turns.",
    "stale-close-must-revalidate": "Answered 502, rightly; the suite takes all that is not its own "
    "server's answer for a stored one, so no cache can pass.",
    "stale-close-proxy-revalidate": "As above.",
    "stale-close-no-cache": "As above.",
    "stale-close-s-maxage=2": "As above.",
    "headers-store-Transfer-Encoding": "The answer has a coding that does not exist: how long its "
    "body is cannot be known. Refused with 502.",
    "conditional-lm-fresh-no-lm": "The suite asks with a date before the answer's own Date, so it "
    "changed since (RFC 9110 13.1.3).",
    "vary-normalise-lang-select": "Languages are not chosen for the server: which one it gives for "
    "another list is its own affair.",
    "partial-store-partial-reuse-partial-byterange": _PARTS,
    "partial-store-partial-reuse-partial-absent": _PARTS,
    "partial-store-partial-reuse-partial-suffix": _PARTS,
    "partial-store-partial-complete": _PARTS,
}
SURROGATE = "Surrogate-Control"
MISSED = frozenset({"fail", "setup", "dependency", "retry", "untested"})

_HEAD = """\
# HTTP cache tests

Made by `scripts/cache-tests`; the end-to-end tests hold that it is what a run gives.

The suite is `http-cache-tests` {version} (npm), 3 s of waiting and more in many tests, run against
`dynimo edge --profile strict`, against nginx as `dynimo edge nginx --profile strict` sets it up in
front of that, and against nginx as Debian ships it with `proxy_cache` switched on, otherwise as the
suite's own files have it. Its authors say that it is no conformance test but a
tool to see how a cache behaves. *Required* is what a MUST asks for, *optimal* that a stored answer
is used where it may be, *check* a question of behaviour with no right answer. A test whose
ground does not hold says *setup* or *dependency*: it passes nowhere.

"""


Others = Mapping[str, Mapping[str, str]]
"""Verdicts of other caches, by their names."""


def page(tests: list[Case], ours: Mapping[str, str], others: Others, version: str) -> str:
    """The whole page."""
    names = " | ".join(["Dynimo", *others])
    rule = "|---" * (1 + len(others))
    lines = [_HEAD.format(version=version).rstrip("\n"), "", f"| | {names} |", f"{rule}|---|"]
    plain = [test for test in tests if test.suite != SURROGATE]
    for some, note in ((tests, ""), (plain, f", without {SURROGATE}")):
        every = [counted(some, verdicts) for verdicts in (ours, *others.values())]
        for kind in KINDS:
            cells = " | ".join("{} of {}".format(*counts[kind]) for counts in every)
            lines.append(f"| {kind}{note} | {cells} |")
    missed = [test for test in tests if test.kind != "check" and ours[test.id] in MISSED]
    lines += ["", "## What is missed, and why", "", "| test | kind | why |", "|---|---|---|"]
    lines += [f"| `{test.id}` | {test.kind} | {REASONS.get(test.id, '')} |" for test in missed]
    for suite in dict.fromkeys(test.suite for test in tests):
        lines += ["", f"## {suite}", "", f"| test | kind | {names} |", f"{rule}|---|---|"]
        lines += [row(test, ours[test.id], others) for test in tests if test.suite == suite]
    return "\n".join(lines) + "\n"


def row(test: Case, verdict: str, others: Others) -> str:
    """The line of one test."""
    cells = " | ".join([verdict, *(each.get(test.id, "") for each in others.values())])
    return f"| `{test.id}` | {test.kind} | {cells} |"
