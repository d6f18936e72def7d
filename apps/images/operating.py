"""What the operator may ask of the Preprocessor: why, and which ruleset. Pure; it takes a key.

Over HTTP by parameters that no dialect sees; who may call the function by name needs no other key.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote

import explaining
import refusals
from deciding import View
from dialects.dialect import Asked, Decision
from dynimo.sdk import http

KEY_HEADER = "x-images-key"
"""With the deployment's ``explain_key`` in it, a request may ask."""
RULES_HEADER = "images-ruleset"
PARAMETERS = ("explain", "debug", "ruleset")
"""``explain=1`` (or ``text``) says why; ``debug=1`` names them in a header;
``ruleset=canary`` (or ``stable``) takes that one."""

Decide = Callable[[Asked, View], Decision | http.Reply]


def ours(request: http.HttpRequest, key: str) -> tuple[str, Mapping[str, str]]:
    """Take what is for us out of a query; ``key`` is the deployment's.

    Raises:
        Refusal: 403; the key is missing or wrong, or the deployment has none.
    """
    if not any(f"{name}=" in request.query for name in PARAMETERS):
        return request.query, {}
    pairs = parse_qsl(request.query, keep_blank_values=True)
    found = {name: value for name, value in pairs if name in PARAMETERS}
    if not found:
        return request.query, {}
    given = request.headers.get(KEY_HEADER, "")
    if not key or not hmac.compare_digest(given.encode(), key.encode()):
        message = f"{', '.join(found)}: {KEY_HEADER} must be the deployment's explain_key"
        raise refusals.Refusal(403, "bad_key", message)
    kept = [part for part in request.query.split("&") if part.partition("=")[0] not in found]
    return "&".join(kept), found


def question(event: Mapping[str, Any]) -> tuple[Asked, float | None, str]:
    """Read ``{"explain": "/img/…", "headers": {…}, "now": …, "ruleset": …}``."""
    path, _, query = str(event["explain"]).partition("?")
    given, now = event.get("headers"), event.get("now")
    headers = given.items() if isinstance(given, Mapping) else ()
    asked = Asked(
        path=path.removeprefix("/"),
        query=query,
        headers={str(name).lower(): str(value) for name, value in headers},
    )
    at = float(now) if isinstance(now, int | float) else None
    return asked, at, str(event.get("ruleset", ""))


def account(asked: Asked, seen: View, decide: Decide) -> dict[str, Any]:
    """Decide, and say why."""
    try:
        decided: Decision | http.Reply | refusals.Refusal = decide(asked, seen)
    except refusals.Refusal as refusal:
        decided = refusal
    return explaining.account(decided, seen)


def told(found: Mapping[str, Any], how: str) -> http.Reply:
    """Answer with an account, in JSON or as text."""
    headers = {"cache-control": "no-store", "vary": KEY_HEADER}
    if how == "text":
        body = explaining.text(found).encode()
        return http.content(body, "text/plain; charset=utf-8", headers=headers)
    return http.json(found, headers=headers)


def marked(decided: Decision, seen: View) -> Decision:
    """Let the answer name ruleset and rules, for whoever has the key, and be kept for nobody."""
    version = quote(seen.book.ruleset.version or "-", safe=".-_")
    names = quote(", ".join(decided.because), safe=" ,.-_")
    header = (RULES_HEADER, f'{version}; rules="{names}"')
    vary = (*decided.vary, KEY_HEADER)  # who has no key and asks at once is not given it
    return replace(decided, personal=True, vary=vary, said=(*decided.said, header))
