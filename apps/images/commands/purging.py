"""Purges by the tags that pictures and decisions bear, through the platform's own verb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tags
from commands import options
from dynimo.sdk import commands as platform_verbs

OK = 0
UNAVAILABLE = 69


def by_tags(names: Sequence[str], data: Sequence[str], *, hard: bool) -> int:
    """Purge what bears any of the tags; returns how many that were.

    Raises:
        CommandError: no server runs, or it refuses.
    """
    named = [part for name in names for part in ("--tag", name)]
    soft = () if hard else ("--soft",)
    told = platform_verbs.platform("purge", *named, *soft, *data, "--json").json
    return int(told["purged"])


def decisions(versions: Sequence[str], data: Sequence[str], *, hard: bool) -> int:
    """Renew the decisions of rulesets; where no server runs there are none.

    ``hard`` gives none of them again, but has what they lead to made again too.
    """
    names = [tags.named(tags.RULESET, each) for each in versions]
    try:
        count = by_tags(names, data, hard=hard)
    except platform_verbs.CommandError as error:
        if error.code != UNAVAILABLE:
            raise
        options.say("no server runs here: nothing is kept")
        return OK
    options.say(f"{count} kept answers {'dropped' if hard else 'made stale'}")
    return OK


def warmed(most: int, names: Sequence[str], data: Sequence[str], *more: str) -> Any:
    """Ask for the addresses that bear any of the tags and are asked for most, behind everybody.

    Raises:
        CommandError: no server runs, or one of them cannot be had.
    """
    tagged = [part for name in names for part in ("--tag", name)]
    return platform_verbs.platform(
        "edge", "warm", "--popular", str(most), *tagged, *more, *data, "--json"
    ).json
