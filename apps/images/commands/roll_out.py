"""`dynimo images rules roll-out|promote|rollback PLAN`: who gets which ruleset, from now on.

Rewrites the small file that the deployment names as its ``rules``; the Preprocessor sees it within
a second, and decisions that are kept are purged by the rulesets' tags.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import operating
import preprocess
import tags
from commands import options, purging
from rulesets import reading, rollout, trying
from rulesets.watching import CHECK_SECONDS

OK = 0
KEY_VARIABLE = "IMAGES_EXPLAIN_KEY"
SEEN_SECONDS = CHECK_SECONDS + 0.3
"""After so long every Preprocessor has seen a change of the file."""


def add(verbs: options.Verbs[argparse.ArgumentParser]) -> None:
    """Declare the commands."""
    out = verbs.add_parser("roll-out", help="Give a new ruleset to a share of all addresses.")
    out.add_argument("plan", type=Path, help="the roll-out file; a ruleset becomes its stable one")
    out.add_argument("--canary", required=True, help="the new ruleset, beside the plan")
    out.add_argument("--percent", type=float, default=10.0, help="of all addresses  [10]")
    promote = verbs.add_parser("promote", help="Give the canary to all.")
    promote.add_argument("plan", type=Path)
    promote.add_argument(
        "--warm",
        type=int,
        metavar="N",
        default=0,
        help=f"first make what it gives for the N addresses that are asked for most; needs the"
        f" deployment's explain_key in {KEY_VARIABLE}",
    )
    back = verbs.add_parser("rollback", help="Take the canary back, at once.")
    back.add_argument("plan", type=Path)
    for parser, run in ((out, begin), (promote, finish), (back, take_back)):
        parser.add_argument("--no-purge", action="store_true", help="let kept decisions run out")
        options.add_data(parser)
        parser.set_defaults(run=run)


def begin(typed: argparse.Namespace) -> int:
    """Begin a roll-out, or change its share. The canary must be right, with all its tests."""
    if not 0 <= typed.percent <= 100:
        raise OSError("--percent must be from 0 to 100.")
    plan = _plan(typed.plan)
    canary = typed.plan.parent / typed.canary
    ruleset = reading.load(canary)
    trying.check(ruleset, str(canary), preprocess.tried)
    stable = plan.stable.relative_to(typed.plan.parent).as_posix()
    rollout.write(typed.plan, stable=stable, canary=typed.canary, per_cent=typed.percent)
    options.say(f"{typed.canary} ({ruleset.version or 'without version'}): {typed.percent:g} %")
    return _purged(typed, plan.stable, *([plan.canary] if plan.canary else []))


def finish(typed: argparse.Namespace) -> int:
    """Let the canary be the stable one."""
    plan = _plan(typed.plan)
    if plan.canary is None:
        raise OSError(f"{typed.plan}: there is no canary to promote.")
    if typed.warm:
        _warm(typed, plan.stable)
    name = plan.canary.relative_to(typed.plan.parent).as_posix()
    rollout.write(typed.plan, stable=name)
    options.say(f"{name}: 100 %")
    return _purged(typed, plan.stable)


def _warm(typed: argparse.Namespace, stable: Path) -> None:
    """Have the canary's pictures made for what the stable one is asked for most."""
    version = reading.load(stable).version
    if not version or not os.environ.get(KEY_VARIABLE):
        raise OSError(f"--warm needs {KEY_VARIABLE}, and a version in {stable}.")
    told = purging.warmed(
        typed.warm, [tags.named(tags.RULESET, version)], options.data(typed),
        "--header", f"{operating.KEY_HEADER}:${KEY_VARIABLE}", "--parameter", "ruleset=canary",
    )  # fmt: skip
    options.say(f"{told['asked']} of those asked for most are made already")


def take_back(typed: argparse.Namespace) -> int:
    """Let the stable one be for all again."""
    plan = _plan(typed.plan)
    if plan.canary is None:
        raise OSError(f"{typed.plan}: there is no canary to take back.")
    name = plan.stable.relative_to(typed.plan.parent).as_posix()
    rollout.write(typed.plan, stable=name)
    options.say(f"{name}: 100 %")
    return _purged(typed, plan.canary, hard=True)


def _plan(path: Path) -> rollout.Plan:
    plan = rollout.read(path)
    if plan.stable == path:
        raise OSError(
            f'{path} is a ruleset. Make a roll-out file beside it, with one line: stable = "'
            f'{path.name}", and name that as rules.'
        )
    return plan


def _purged(typed: argparse.Namespace, *files: Path, hard: bool = False) -> int:
    """Renew the decisions that were made by these; what is taken back is given to nobody again."""
    versions = {reading.load(each).version for each in files} - {""}
    if typed.no_purge:
        return OK
    if not versions:
        options.say("the ruleset has no version: kept decisions run out within 30 s")
        return OK
    time.sleep(SEEN_SECONDS)  # else what is purged would be decided anew by the old file
    return purging.decisions(sorted(versions), options.data(typed), hard=hard)
