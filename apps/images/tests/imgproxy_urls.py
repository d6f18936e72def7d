"""Asking the imgproxy dialect in tests: a world of its own, and what a URL comes to. No asserts."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping

import deployment
import recipe as recipes
import refusals
import rules
from dialects import imgproxy
from dialects.dialect import Asked, Decision, World

NOW = 1_000_000.0
FILE = "plain/local:///pics/a.jpg"


def world(
    environment: Mapping[str, str] | None = None,
    *,
    development: bool = True,
    rule: rules.Rule | None = None,
    **table: object,
) -> World:
    """Make a world with one source, ``pics``."""
    variables = dict(environment or {})
    return World(
        deployment=deployment.read(table, variables),
        engine="0",
        rules=rules.Rules(rules=(rule,) if rule else ()),
        sources={"pics": "/pictures"},
        now=lambda: NOW,
        environment=variables,
        development=development,
    )


def decision(path: str, where: World | None = None, accept: str = "", **headers: str) -> Decision:
    """Ask for what stands behind ``/imgproxy/``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = Asked(path=path, headers={"accept": accept, **named})
    return imgproxy.decide(asked, where or world())


def recipe(options: str, where: World | None = None, file: str = FILE) -> recipes.Recipe:
    """Give the recipe of options on a file, unsigned."""
    return decision("/".join(filter(None, ("_", options, file))), where).recipe


def ops(options: str, where: World | None = None, file: str = FILE) -> str:
    """Give its operations as they are spelled, without the output."""
    return recipes.spell_ops(recipe(options, where, file).ops)


def refused(path: str, where: World | None = None) -> refusals.Refusal | None:
    """Give the refusal that a path gets, if it gets one."""
    try:
        decision(path, where)
    except refusals.Refusal as refusal:
        return refusal
    return None


def base64(text: str) -> str:
    """Encode as URLs carry it."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")
