"""`dynimo images purge …`: pictures of one file, title, tag, layer, preset, ruleset, or all.

Soft unless told otherwise: what is purged is given once more, old, while the new one is made.
"""

from __future__ import annotations

import argparse
from typing import Any

import paths
import tags
from commands import options, purging
from dynimo.sdk import commands as platform_verbs

OK = 0
_KINDS = (
    ("asset", tags.ASSET, "NAME/path", "a source file, whatever was made of it"),
    ("layer", tags.LAYER, "NAME/path", "a file that lies on others"),
    ("title", tags.TITLE, "TITLE", "what rules made with the facts of a title"),
    ("tag", tags.TAG, "TAG", "what rules tagged so"),
    ("preset", tags.PRESET, "PRESET", "what was asked for by a preset"),
    ("rule", tags.RULE, "RULE", "what a rule has a part in"),
    ("ruleset", tags.RULESET, "VERSION", "what a ruleset decided"),
)


def add(verbs: options.Verbs[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = verbs.add_parser("purge", help="Make pictures anew, by what they are made of.")
    for name, _, shown, about in _KINDS:
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar=shown, help=f"{about}; repeatable"
        )
    parser.add_argument("--all", action="store_true", help="every picture and decision")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--hard", action="store_true", help="drop at once, instead of making stale")
    how.add_argument(
        "--warm",
        type=options.number,
        metavar="N",
        help="then make the N that are asked for most at once",
    )
    options.add_data(parser)
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(typed: argparse.Namespace) -> int:
    """Purge by tags; what is hot is made anew before people ask for it."""
    names = [
        tags.named(kind, _file(each) if kind in (tags.ASSET, tags.LAYER) else each)
        for name, kind, _, _ in _KINDS
        for each in getattr(typed, name)
    ]
    names += [tags.EVERYTHING] if typed.all else []
    if not names:
        raise platform_verbs.CommandError("name what to purge, or --all; see --help", 2)
    data = options.data(typed)
    count = purging.by_tags(names, data, hard=typed.hard)
    told: dict[str, Any] = {"purged": count, "tags": names}
    if not typed.as_json:
        options.say(f"{count} {'dropped' if typed.hard else 'made stale'}: {' '.join(names)}")
        if not count:
            options.say("nothing kept bears that; `dynimo images explain URL` shows a URL's tags")
    if typed.warm:
        try:
            told["warmed"] = purging.warmed(typed.warm, names, data)
        except platform_verbs.CommandError as error:
            raise platform_verbs.CommandError(f"purged, and then: {error}", error.code) from None
    if typed.as_json:
        options.say_json(told)
    elif typed.warm:
        options.say(f"{told['warmed']['asked']} of those asked for most are made anew")
    return OK


def _file(typed: str) -> str:
    """Give a file as tags have it: an address is one of the source ~https or ~http."""
    scheme, colon, rest = typed.partition("://")
    return f"~{scheme}/{rest}" if colon and f"~{scheme}" in paths.ADDRESSES else typed.lstrip("/")
