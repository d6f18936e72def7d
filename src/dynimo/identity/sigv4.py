"""Is this request signed by the key it names, now, and unchanged? Pure; no key is looked up here.

Reads the claim that a request makes (``Authorization`` or a presigned query), then proves it with
the secret that somebody else found. Every comparison of secrets takes the same time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import unquote

from dynimo.identity import canonical
from dynimo.identity.refusals import MISMATCH, IncompleteSignature, InvalidSignature
from dynimo.web.message import Request

SIGNED_HEADERS_MAX = 100
TOKEN_CHARACTERS_MAX = 8192
SHOWN_CHARACTERS_MAX = 2048
"""Of the canonical request, in a refusal."""
_MOMENTS_MAX = 256
_SCOPES_MAX = 512
_PATHS_MAX = 512
"""Paths whose forms are kept; a head bounds their length."""
_TIME = "%Y%m%dT%H%M%SZ"
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_USUAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^,= ]+), ?SignedHeaders=([^,= ]+), ?Signature=([^,= ]+)"
)
"""The Authorization header as every SDK writes it."""
_QUERY_NAMES = (
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
    "X-Amz-Signature", "X-Amz-Security-Token",
)  # fmt: skip


class Claim(NamedTuple):
    """What a request says of its signature. ``expires_seconds`` is of a presigned one only."""

    access_key: str
    date: str
    region: str
    service: str
    timestamp: str
    signed: tuple[str, ...]
    signature: str
    token: str = ""
    expires_seconds: int | None = None

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read(request: Request) -> Claim | None:
    """The claim of a request; None if it makes none.

    Raises:
        IncompleteSignature: its form is wrong, it is there twice, or a part is missing.
    """
    headers = request.headers.get_all("authorization")
    in_header = [each for each in headers if each.startswith("AWS4-")]
    query = request.query
    in_query = bool(query) and ("X-Amz-Signature=" in query or "X-Amz-Algorithm=" in query)
    if not in_header and not in_query:
        return None
    if len(headers) + in_query > 1:
        raise IncompleteSignature("Only one signature is allowed, in a header or in the query.")
    return _of_header(request, headers[0]) if in_header else _of_query(request)


def verify(request: Request, claim: Claim, secret: str, now: float, skew_seconds: float) -> None:
    """Prove a claim with the key's secret. ``now`` is in seconds since the epoch.

    Raises:
        InvalidSignature: it is too old or too new, of another request, or of another secret.
    """
    _check_time(claim, now, skew_seconds)
    _check_headers(request, claim)
    wanted, scope = claim.signature.encode(), claim.scope
    told = ""
    for text in _canonical_forms(request, claim):
        to_sign = canonical.string_to_sign(claim.timestamp, scope, text)
        made = canonical.signature(secret, scope, to_sign)
        if hmac.compare_digest(made.encode(), wanted):
            return
        told = told or f"{_shown(text, claim)}\n\nThe String-to-Sign should have been\n'{to_sign}'"
    raise InvalidSignature(
        f"{MISMATCH}\n\nThe Canonical String for this request should have been\n{told}"
    )


def _of_header(request: Request, text: str) -> Claim:
    timestamp = _header_time(request)
    usual = _USUAL.fullmatch(text)
    if usual is not None and timestamp:
        credential, signed, signature = usual.groups()
    else:
        credential, signed, signature = _parts(text, timestamp)
    token = ""
    if "x-amz-security-token" in request.headers:
        token, *others = request.headers.get_all("x-amz-security-token")
        if others:
            raise IncompleteSignature("There is more than one 'X-Amz-Security-Token' header.")
    return _claim(credential, timestamp, signed, signature, token, None)


def _parts(text: str, timestamp: str) -> tuple[str, str, str]:
    """(credential, signed headers, signature) in any order; else AWS's words for what is wrong."""
    algorithm, _, rest = text.partition(" ")
    if algorithm != canonical.ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{algorithm}'")
    given: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or " " in value:
            raise IncompleteSignature(
                f"'{value or name}' not a valid key=value pair (missing equal-sign) in"
                " Authorization header."
            )
        if name in given:
            raise IncompleteSignature(f"Authorization header has '{name}' twice.")
        given[name] = value
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not given.get(name)
    ]
    if not timestamp:
        missing.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if missing:
        raise IncompleteSignature(" ".join(missing))
    return given["Credential"], given["SignedHeaders"], given["Signature"]


def _of_query(request: Request) -> Claim:
    given: dict[str, str] = {}
    for name, value in canonical.raw_pairs(request.query):
        if name in _QUERY_NAMES:
            if name in given:
                raise IncompleteSignature(f"The query has '{name}' twice.")
            given[name] = unquote(value)
    missing = [name for name in _QUERY_NAMES[:-1] if not given.get(name)]
    if missing:
        listed = " ".join(f"AWS query-string parameters must include '{name}'." for name in missing)
        raise IncompleteSignature(f"{listed} Re-examine the query-string parameters.")
    if given["X-Amz-Algorithm"] != canonical.ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{given['X-Amz-Algorithm']}'")
    text = given["X-Amz-Expires"]
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) < 1:
        raise IncompleteSignature("X-Amz-Expires should be a number of seconds, 1 or more.")
    if "x-amz-security-token" in request.headers and "X-Amz-Security-Token" in given:
        raise IncompleteSignature("There is more than one 'X-Amz-Security-Token'.")
    token = given.get("X-Amz-Security-Token") or request.headers.get("x-amz-security-token")
    return _claim(
        given["X-Amz-Credential"], given["X-Amz-Date"], given["X-Amz-SignedHeaders"],
        given["X-Amz-Signature"], token, int(text),
    )  # fmt: skip


def _claim(
    credential: str, timestamp: str, signed: str, signature: str, token: str, expires: int | None
) -> Claim:
    access_key, date, region, service, names = _scoped(credential, timestamp, signed)
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise IncompleteSignature("Too long a token.")
    return Claim(
        access_key, date, region, service, timestamp, names, signature, token, expires
    )  # fmt: skip


@functools.lru_cache(_SCOPES_MAX)
def _scoped(
    credential: str, timestamp: str, signed: str
) -> tuple[str, str, str, str, tuple[str, ...]]:
    """(key, date, region, service, names of signed headers): the same for many requests."""
    parts = credential.split("/")
    if len(parts) != 5 or not all(parts):
        raise IncompleteSignature(
            "Credential must have exactly 5 slash-delimited elements, e.g."
            f" keyid/date/region/service/term, got '{credential[:200]}'"
        )
    access_key, date, region, service, term = parts
    names = tuple(signed.split(";"))
    if not _TIMESTAMP.fullmatch(timestamp):
        raise IncompleteSignature(
            f"Date must be in ISO-8601 'basic format'. Got '{timestamp[:40]}'."
            " See http://en.wikipedia.org/wiki/ISO_8601"
        )
    if term != "aws4_request":
        raise InvalidSignature(
            "Credential should be scoped with a valid terminator: 'aws4_request', not"
            f" '{term[:40]}'."
        )
    if not timestamp.startswith(date) or len(date) != 8:
        raise InvalidSignature(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from"
            f" HTTP: '{date[:40]}' != '{timestamp[:8]}', from '{timestamp}'."
        )
    if "host" not in names:
        raise InvalidSignature(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    if len(names) > SIGNED_HEADERS_MAX:
        raise IncompleteSignature("Too many signed headers.")
    return access_key, date, region, service, names


def _header_time(request: Request) -> str:
    """X-Amz-Date, or Date in the form of X-Amz-Date; empty if there is neither."""
    text = request.headers.get("x-amz-date")
    if _TIMESTAMP.fullmatch(text):
        return text
    text = canonical.value(request.headers, "x-amz-date")
    if text or "date" not in request.headers:
        return text
    text = request.headers.get("date")
    if _TIMESTAMP.fullmatch(text):
        return text
    try:
        return parsedate_to_datetime(text).astimezone(UTC).strftime(_TIME)
    except (ValueError, TypeError, OverflowError):
        return text


@functools.lru_cache(_MOMENTS_MAX)
def _moment(text: str) -> float:
    """Seconds since the epoch; many requests carry the same second. Raises ValueError."""
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp()


def _check_time(claim: Claim, now: float, skew_seconds: float) -> None:
    try:
        made = _moment(claim.timestamp)
    except ValueError:
        raise IncompleteSignature(
            f"Date must be in ISO-8601 'basic format'. Got '{claim.timestamp}'."
            " See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None
    age = now - made
    if claim.expires_seconds is None and -skew_seconds <= age <= skew_seconds:
        return
    minutes = f"{skew_seconds / 60:g} min."
    if claim.expires_seconds is not None and age > claim.expires_seconds:
        end = _text(made + claim.expires_seconds)
        raise InvalidSignature(f"Signature expired: {end} is now earlier than {_text(now)}")
    if claim.expires_seconds is None and age > skew_seconds:
        raise InvalidSignature(
            f"Signature expired: {claim.timestamp} is now earlier than"
            f" {_text(now - skew_seconds)} ({_text(now)} - {minutes})"
        )
    if -age > skew_seconds:
        raise InvalidSignature(
            f"Signature not yet current: {claim.timestamp} is still later than"
            f" {_text(now + skew_seconds)} ({_text(now)} + {minutes})"
        )


def _check_headers(request: Request, claim: Claim) -> None:
    """What changes an operation's meaning must be signed; a stated hash must be the body's."""
    signed = claim.signed
    loose = [
        name for name, _ in request.headers.pairs if name[:6] == "x-amz-" and name not in signed
    ]
    if loose:
        raise InvalidSignature(
            f"There were headers present in the request which were not signed: {min(loose)}"
        )
    stated = request.headers.get("x-amz-content-sha256")
    if not stated or (stated == canonical.UNSIGNED and claim.expires_seconds is not None):
        return
    if stated != hashlib.sha256(request.body).hexdigest():
        raise InvalidSignature(
            "The provided 'x-amz-content-sha256' header does not match what was computed."
            if _HEX64.fullmatch(stated)
            else "The body must be signed: 'x-amz-content-sha256' has to be its SHA-256."
        )


def _canonical_forms(request: Request, claim: Claim) -> Iterator[bytes]:
    """The forms that clients make of one request; all but the first only where they differ.

    Signers differ in whether they normalise the path and the query, whether a text beyond ASCII is
    signed as sent or as meant, and whether a presigned request covers its body. Each form holds all
    of the request, so whichever was signed, it was this request.
    """
    payloads = [hashlib.sha256(request.body).hexdigest()]
    if claim.expires_seconds is not None:
        payloads.append(canonical.UNSIGNED)
    for payload in payloads:
        for path in _paths(request.path):
            for query in _queries(request.query):
                text = canonical.request(
                    request.method, path, query, request.headers.pairs, claim.signed, payload
                )
                if not text.isascii():
                    with contextlib.suppress(UnicodeEncodeError):
                        yield text.encode("latin-1")
                yield text.encode()


@functools.lru_cache(_PATHS_MAX)
def _paths(path: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((canonical.normalised(path), canonical.encoded(path))))


def _queries(query: str) -> list[str]:
    if not query:
        return [""]
    forms = [
        canonical.joined(pair for pair in found if pair[0] != "X-Amz-Signature")
        for found in (canonical.pairs(query), canonical.raw_pairs(query))
    ]
    return list(dict.fromkeys(forms))


def _shown(text: bytes, claim: Claim) -> str:
    """The canonical request for a refusal, without the session's token."""
    shown = text.decode("utf-8", "replace")
    if claim.token:
        shown = re.sub(r"(?m)^(x-amz-security-token:).*$", r"\1(hidden)", shown)
        shown = re.sub(r"(X-Amz-Security-Token=)[^&\n]*", r"\1(hidden)", shown)
    return f"'{shown[:SHOWN_CHARACTERS_MAX]}'"


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)
