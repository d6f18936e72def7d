"""`dynimo images rules test FILE`: runs the tests inside rules, without a server."""

from __future__ import annotations

import argparse
from pathlib import Path

import preprocess
from commands import options
from rulesets import reading, trying

OK, FAILED = 0, 1


def add(verbs: options.Verbs[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = verbs.add_parser("test", help="Check a rules file and run the tests in it.")
    parser.add_argument("file", type=Path)
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(typed: argparse.Namespace) -> int:
    """Run them all, and name every one that fails."""
    ruleset = reading.load(typed.file)
    failed = list(trying.failures(ruleset, preprocess.tried))
    total = trying.count(ruleset)
    if typed.as_json:
        options.say_json(
            {
                "version": ruleset.version,
                "rules": len(ruleset.clauses),
                "tests": total,
                "failures": [
                    {
                        "line": each.line, "rule": each.clause.name,
                        "expected": each.expected, "got": each.got,
                    }
                    for each in failed
                ],
            }
        )  # fmt: skip
    else:
        for each in failed:
            options.say(f"{typed.file}:{each.line}: {each}")
        options.say(f"{len(ruleset.clauses)} rules, {total} tests, {len(failed)} failures")
    return FAILED if failed else OK
