"""`dynimo images explain URL`: which rule, which facts, which recipe, and why not the others."""

from __future__ import annotations

import argparse
import json

import explaining
from commands import options
from dynimo.sdk import commands as platform_verbs

FUNCTION = "images-preprocess"
LIVE = "live"
"""The alias by which routes lead to it: what it says is what clients are given."""
OK, FAILED, USAGE = 0, 1, 2


def add(verbs: options.Verbs[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = verbs.add_parser("explain", help="Show why a URL gives what it gives.")
    parser.add_argument("url", help="a path with its query, or http://HOST/PATH?QUERY")
    options.add_request(parser)
    parser.add_argument("--ruleset", choices=("stable", "canary"), help="which, during a roll-out")
    options.add_data(parser)
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(typed: argparse.Namespace) -> int:
    """Ask the running Preprocessor, by the right to call it."""
    if not typed.url.startswith("/") and "://" not in typed.url:
        raise platform_verbs.CommandError(
            f"{typed.url!r} is no /PATH?QUERY and no http://HOST/…", USAGE
        )
    event = {"explain": path_of(typed.url), "headers": dict(options.headers(typed.header))}
    if typed.now is not None:
        event["now"] = typed.now
    if typed.ruleset:
        event["ruleset"] = typed.ruleset
    told = platform_verbs.platform(
        "invoke", FUNCTION, "--qualifier", LIVE, "--quiet", "--event", json.dumps(event),
        *options.data(typed),
    ).json  # fmt: skip
    if typed.as_json:
        options.say_json(told)
    else:
        options.say(explaining.text(told))
    return OK if told.get("status", 200) < 400 else FAILED


def path_of(url: str) -> str:
    """Give the path and query of a URL."""
    if url.startswith("/"):
        return url
    return "/" + url.partition("://")[2].partition("/")[2]
