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
from dynimo.sdk.commands import CommandError
from rulesets import reading, rollout, trying
from rulesets.mistakes import RulesError
from rulesets.ruleset import Ruleset
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
        type=options.number,
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
    """Begin a roll-out, or change its share. Both rulesets must be right, with all their tests."""
    if not 0 <= typed.percent <= 100:
        raise OSError("--percent must be from 0 to 100.")
    plan = _plan(typed.plan)
    canary = typed.plan.parent / _beside(typed.plan, typed.canary)
    if canary == plan.stable:
        raise OSError(f"{canary} is the stable one already. Write the new rules to another file.")
    ruleset, old = _checked(canary), _checked(plan.stable)
    if ruleset.version and ruleset.version == old.version:
        raise OSError(
            f'{canary} and {plan.stable} both say version = "{old.version}", so that no purge tells'
            " them apart. Give the new one another version."
        )
    stable, name = (
        each.relative_to(typed.plan.parent).as_posix() for each in (plan.stable, canary)
    )
    rollout.write(typed.plan, stable=stable, canary=name, per_cent=typed.percent)
    options.say(f"{name} ({ruleset.version or 'without version'}): {typed.percent:g} %")
    return _purged(typed, plan.stable, *([plan.canary] if plan.canary else []))


def finish(typed: argparse.Namespace) -> int:
    """Let the canary be the stable one."""
    plan = _plan(typed.plan)
    if plan.canary is None:
        raise OSError(f"{typed.plan}: there is no canary to promote; begin with rules roll-out.")
    _checked(plan.canary)  # it may have been written anew since
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
    try:
        told = purging.warmed(
            typed.warm, [tags.named(tags.RULESET, version)], options.data(typed),
            "--header", f"{operating.KEY_HEADER}:${KEY_VARIABLE}", "--parameter", "ruleset=canary",
        )  # fmt: skip
    except CommandError as error:
        said = f"nothing is promoted: {error}"
        if "status 403" in said:
            said += f" Is {KEY_VARIABLE} the deployment's explain_key?"
        raise CommandError(said, error.code) from None
    options.say(f"{told['asked']} of those asked for most are made already")


def take_back(typed: argparse.Namespace) -> int:
    """Let the stable one be for all again."""
    plan = _plan(typed.plan)
    if plan.canary is None:
        raise OSError(
            f"{typed.plan}: there is no canary to take back; to undo a promotion"
            " roll the ruleset of before out again, and promote it."
        )
    _checked(plan.stable)  # else the server would not take it, and the canary would stay
    name = plan.stable.relative_to(typed.plan.parent).as_posix()
    rollout.write(typed.plan, stable=name)
    options.say(f"{name}: 100 %")
    return _purged(typed, plan.canary, hard=True)


def _beside(plan: Path, typed: str) -> str:
    """Give a ruleset's name from the plan's folder; it may be typed from where one stands, too.

    Raises:
        OSError: it is not there, or not in that folder.
    """
    folder = plan.parent.resolve()
    for file in ((plan.parent / typed).resolve(), Path(typed).resolve()):
        if file.is_relative_to(folder) and file.is_file():
            return file.relative_to(folder).as_posix()
    raise OSError(
        f"--canary {typed}: there is no such file in {plan.parent}, where {plan.name} is."
    )


def _checked(path: Path) -> Ruleset:
    """Read a ruleset and run its tests, as the server will. Raises RulesError."""
    ruleset = reading.load(path)
    trying.check(ruleset, str(path), preprocess.tried)
    return ruleset


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
    if typed.no_purge:
        return OK
    versions = {_version(each) for each in files} - {""}
    if not versions:
        options.say("without a version nothing can be purged: kept decisions run out within 30 s")
        return OK
    time.sleep(SEEN_SECONDS)  # else what is purged would be decided anew by the old file
    return purging.decisions(sorted(versions), options.data(typed), hard=hard)


def _version(path: Path) -> str:
    """Give a ruleset's version; "" where the file has none, or may be why it is taken back."""
    try:
        return reading.load(path).version
    except RulesError as error:
        options.say(f"what was kept of it is not purged: {error}")
        return ""
