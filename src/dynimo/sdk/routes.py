"""What an app declares of its routes: which requests, and who or what answers them.

Values and their checks; matching is the gateway's. A route has exactly one answer: a function,
functions by weight, an upstream, a redirect or a text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dynimo.sdk.declaring import ManifestError, declared

SEGMENTS_MAX = 32
WEIGHT_MAX = 10_000
WEIGHTS_MAX = 16
TIMEOUT_SECONDS_MAX = 900.0
TEXT_BYTES_MAX = 64 * 1024
CORS_AGE_SECONDS_MAX = 86_400
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "QUERY")
REDIRECTS = (301, 302, 303, 307, 308)
PRESENT = "*"
"""As a header's value: any will do."""

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; ?charset=[a-z0-9-]+)?")
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,63})(\+?)\}")
_PLAIN = re.compile(r"/[^\s{}?#]*(?:\{[^{}]*\}[^\s{}?#]*)*")
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ORIGIN = re.compile(r"\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\uffff\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Requests of one kind, and their answer.

    ``path`` is a prefix when it ends in ``/``, else exactly that path; ``{name}`` stands for one
    segment, ``{name+}`` at the end for one or more. ``host``, ``methods`` and ``headers`` narrow
    it. ``internal`` routes answer forwards only. ``accept`` lists the media types between which the
    function chooses: the edge reduces the client's Accept to these, best first. ``limit_status`` is
    the status of an answer whose invocation was killed for its time or its memory; 0 leaves the
    gateway's own (504 and 502). ``timeout_seconds`` is the time for an upstream's answer, all tries
    together. ``pass_headers`` are the only ones of the client's that go on, if there are any.
    ``fallback`` names what the app gives when nothing else can be given. ``kin_after``: requests
    whose paths are equal after so many segments share work (a file that all of them read), and go
    to one environment, for which they wait a moment; 0 is none.
    """

    path: str
    function: str = ""
    internal: bool = False
    accept: tuple[str, ...] = ()
    limit_status: int = 0
    host: str = ""
    methods: tuple[str, ...] = ()
    headers: Mapping[str, str] | None = None
    alias: str = ""
    weights: Mapping[str, int] | None = None
    upstream: str = ""
    redirect: str = ""
    text: str = ""
    content_type: str = "text/plain; charset=utf-8"
    status: int = 0
    timeout_seconds: float = 30.0
    pass_headers: tuple[str, ...] = ()
    compress: bool = False
    fallback: str = ""
    kin_after: int = 0
    cors_origins: tuple[str, ...] = ()
    cors_methods: tuple[str, ...] = ()
    cors_headers: tuple[str, ...] = ()
    cors_expose: tuple[str, ...] = ()
    cors_credentials: bool = False
    cors_seconds: int = 0

    @property
    def identity(self) -> tuple[object, ...]:
        """What no two routes of a platform may share: the requests that it is for."""
        wanted = tuple(sorted((self.headers or {}).items()))
        return (self.host, shape(self.path), tuple(sorted(self.methods)), wanted)

    @property
    def label(self) -> str:
        """It, as people are told of it."""
        methods = f"{','.join(self.methods)} " if self.methods else ""
        wanted = "".join(f" {name}={value}" for name, value in (self.headers or {}).items())
        return f"{methods}{self.host}{self.path}{wanted}"

    @property
    def fixed(self) -> str:
        """The part of its path that every request for it begins with."""
        return self.path.partition("{")[0]

    def kin(self, path: str) -> str:
        """What a request at this path shares with others: the rest after ``kin_after`` segments."""
        if not self.kin_after:
            return ""
        pieces = path.split("/", self.kin_after + 1)
        return pieces[-1] if len(pieces) == self.kin_after + 2 else ""

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions to which it may lead."""
        return tuple(self.weights) if self.weights else (self.function,) if self.function else ()


def shape(path: str) -> str:
    """A path's pattern without the names in it: what decides which requests it is for."""
    return _PARAMETER.sub(lambda found: "{+}" if found[2] else "{}", path)


def parameter(segment: str) -> tuple[str, bool] | None:
    """(name, whether greedy) of a segment that stands for any; None for a plain one."""
    found = _PARAMETER.fullmatch(segment)
    return (found[1], bool(found[2])) if found is not None else None


def route(table: object, functions: Collection[str]) -> Route:
    """Read one ``[[routes]]`` of an app that has these functions.

    Raises:
        ManifestError: it cannot be served; the message says which and why.
    """
    made = declared(Route, table, "[[routes]]")
    if not made.path.startswith("/") or "//" in made.path or not _PLAIN.fullmatch(made.path):
        raise ManifestError(f"[[routes]] path = {made.path!r} must be a plain path from '/'")
    for problem in (_path(made), _conditions(made), _answer(made, functions), _manners(made)):
        if problem:
            raise ManifestError(f"[[routes]] {made.path}: {problem}")
    return made


def _path(made: Route) -> str:
    """What is wrong with its path's pattern, or nothing."""
    segments = made.path.split("/")[1:]
    names = [parameter(each) for each in segments]
    if len(segments) > SEGMENTS_MAX:
        return f"more than {SEGMENTS_MAX} segments"
    for segment, found in zip(segments, names, strict=True):
        if found is None and ("{" in segment or "}" in segment):
            return f"{segment!r} must be {{name}}, or {{name+}} at the end, as a whole segment"
    if any(found is not None and found[1] for found in names[:-1]):
        return "{name+} must be the last segment"
    known = [found[0] for found in names if found is not None]
    return "" if len(known) == len(set(known)) else "two parameters have one name"


def _conditions(made: Route) -> str:
    if made.host and not _HOST.fullmatch(made.host):
        return f"host = {made.host!r} must be a lower-case name, or '*.' and one; no port"
    for method in made.methods:
        if method not in METHODS:
            return f"methods: {method!r} is none of {', '.join(METHODS)}"
    for name in (*(made.headers or {}), *made.pass_headers):
        if not _HEADER.fullmatch(name):
            return f"{name!r} must be a header's name in lower case"
    for media_type in made.accept:
        if not _MEDIA_TYPE.fullmatch(media_type):
            return f"accept {media_type!r} is no media type"
    if made.internal and (made.host or made.methods or made.headers):
        return "an internal route answers forwards: no host, methods or headers"
    if not 0 <= made.kin_after <= SEGMENTS_MAX:
        return f"kin_after must be between 0 and {SEGMENTS_MAX}"
    if made.internal and made.fallback:
        return "fallback belongs to the route that clients ask, not to an internal one"
    return ""


def _answer(made: Route, functions: Collection[str]) -> str:
    """What is wrong with its answer; exactly one of five kinds."""
    static = bool(made.text or (made.status and not made.redirect))
    kinds = [bool(made.functions), bool(made.upstream), bool(made.redirect), static]
    if sum(kinds) != 1 or (made.function and made.weights):
        return "needs exactly one of function, weights, upstream, redirect, text (with status)"
    for name in made.functions:
        if name not in functions:
            return f"no function {name!r}; there are: {', '.join(functions) or 'none'}"
    weights = (made.weights or {}).values()
    if len(weights) > WEIGHTS_MAX or any(not 0 <= each <= WEIGHT_MAX for each in weights):
        return f"weights: at most {WEIGHTS_MAX}, each from 0 to {WEIGHT_MAX}"
    if made.weights and not sum(weights):
        return "weights: at least one must be above 0"
    if made.alias and not (made.functions and _ALIAS.fullmatch(made.alias)):
        return f"alias = {made.alias!r} must be the name of a function's alias"
    if made.upstream and not _NAME.fullmatch(made.upstream):
        return f"upstream = {made.upstream!r} must be a name from [gateway.upstreams]"
    if not 0 < made.timeout_seconds <= TIMEOUT_SECONDS_MAX:
        return f"timeout_seconds must be above 0 and at most {TIMEOUT_SECONDS_MAX:g}"
    return _static(made)


def _static(made: Route) -> str:
    if made.redirect:
        if made.status not in (0, *REDIRECTS):
            return f"a redirect's status is one of {', '.join(map(str, REDIRECTS))}"
        if not made.redirect.startswith(("/", "https://", "http://")):
            return f"redirect = {made.redirect!r} must begin with '/', 'https://' or 'http://'"
        if made.redirect.startswith("//") or _UNSAFE.search(made.redirect):
            return f"redirect = {made.redirect!r} is no plain address"
        named = {found[0] for found in _PARAMETER.findall(made.path)}
        unknown = {found[0] for found in _PARAMETER.findall(made.redirect)} - named
        authority = made.redirect.partition("://")[2].partition("/")[0]
        if "{" in authority or unknown:
            return "redirect: {name} must be in path too, and no part of the host"
    elif made.status and not 200 <= made.status <= 599:
        return f"status = {made.status} must be between 200 and 599"
    if len(made.text.encode()) > TEXT_BYTES_MAX:
        return f"text: at most {TEXT_BYTES_MAX} bytes"
    if not _CONTENT_TYPE.fullmatch(made.content_type):
        return f"content_type = {made.content_type!r} is no media type"
    return ""


def _manners(made: Route) -> str:
    """CORS: a star lets nobody in with credentials (Fetch standard, "CORS protocol")."""
    for origin in made.cors_origins:
        if not _ORIGIN.fullmatch(origin):
            return f"cors_origins: {origin!r} must be '*' or 'https://host', without a path"
    if made.cors_credentials and "*" in made.cors_origins:
        return "cors_credentials needs the origins by name, not '*'"
    said = (made.cors_methods, made.cors_headers, made.cors_expose)
    if (any(said) or made.cors_credentials or made.cors_seconds) and not made.cors_origins:
        return "cors_origins must say who is let in"
    for method in made.cors_methods:
        if method not in METHODS:
            return f"cors_methods: {method!r} is none of {', '.join(METHODS)}"
    for name in (*made.cors_headers, *made.cors_expose):
        if not _HEADER.fullmatch(name):
            return f"{name!r} must be a header's name in lower case"
    if not 0 <= made.cors_seconds <= CORS_AGE_SECONDS_MAX:
        return f"cors_seconds must be between 0 and {CORS_AGE_SECONDS_MAX}"
    return ""
