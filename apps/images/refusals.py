"""Why a request got no picture: one exception with its status, code and reason.

Every part of the app raises `Refusal`; `replies` turns it into an answer. Errors of foreign
libraries are translated where those are called, so nothing else needs to know their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import meant


class Refusal(Exception):
    """No picture can be given.

    ``status`` is the HTTP status, ``code`` a word for programs, ``message`` a sentence for
    people; ``facts`` are further members of the JSON body (such as ``parameter``). ``apart`` are
    the request's headers that it hangs on, and how little of each (`http.forward`; "" is all).
    ``why`` is more, for the operator alone.
    """

    def __init__(
        self, status: int, code: str, message: str, *, facts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.facts = dict(facts or {})
        self.apart: Mapping[str, str] = {}
        self.why = ""


def parameter(name: str, value: str, allowed: str) -> Refusal:
    """400: the URL parameter ``name`` has a ``value`` outside what is ``allowed``."""
    return Refusal(
        400,
        "bad_parameter",
        f"{name or 'the query'} must be {allowed}",
        facts={"parameter": name, "value": value[:100], "allowed": allowed},
    )


def unknown_parameter(name: str, value: str, closest: str) -> Refusal:
    """400: the query has a parameter that there is not; ``closest`` is what was meant, if known."""
    if name.startswith("amp;"):
        told = "; the query has &amp; where & is meant"
    else:
        told = meant.asked(closest) or "; docs/reference/images-native.md names all there are"
    allowed = closest or "a parameter of docs/reference/images-native.md"
    facts = {"parameter": name, "value": value[:100], "allowed": allowed}
    return Refusal(400, "bad_parameter", f"there is no parameter {name[:100]!r}{told}", facts=facts)


def not_found(why: str = "", *, form: str = "") -> Refusal:
    """404: no such source or file; deliberately does not tell which.

    ``why`` is for the operator alone (`explaining`); ``form`` is how such a URL is written.
    """
    told = f"there is no such picture; {form or 'dynimo images explain URL tells its server why'}"
    refusal = Refusal(404, "not_found", told)
    refusal.why = why
    return refusal


def no_source(name: str, known: Iterable[str]) -> Refusal:
    """404: nothing is configured by that name."""
    return not_found(f"no source is named {name!r}; there are {', '.join(known) or 'none'}")


def forbidden(code: str, message: str) -> Refusal:
    """403: the URL may not ask for that, or not any more."""
    return Refusal(403, code, message)


def malformed_path(reason: str) -> Refusal:
    """400: the path cannot be read as text."""
    return Refusal(400, "bad_path", reason)


def unusable(code: str, message: str) -> Refusal:
    """422: the source is there, but no picture can be made of it."""
    return Refusal(422, code, message)


def upstream(code: str, message: str) -> Refusal:
    """502: the server that holds the source failed us."""
    return Refusal(502, code, message)


def of_layer(refusal: Refusal, reference: str) -> Refusal:
    """Say of which file that lies over the picture a refusal speaks; the innermost, once.

    Never an address of its own: it may hold a secret.
    """
    if "layer" in refusal.facts:
        return refusal
    if reference.startswith("~"):
        reference = "an address"
    facts = {**refusal.facts, "layer": reference}
    message = f"the layer {reference}: {refusal.message}"
    return Refusal(refusal.status, refusal.code, message, facts=facts)
