"""The rules of a deployment, read from a TOML file and kept fresh.

A file with a mistake is refused whole, naming file, line and reason; the rules in force stay.
Only reading and checking live here; what rules mean is in `rules`.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import colours
import limits as limit_names
import query
import refusals
import rules
from parameters import table as parameters_table

FILE_BYTES_MAX = 1 << 20
RULES_MAX = 1_000
TTL_SECONDS_MAX = 31_536_000
CHECK_SECONDS = 1.0
"""The file is looked at no more often than this."""
KEYS = ("source", "path", "defaults", "sizes", "quality", "background", "ttl_seconds", "formats")
_SIZE = re.compile(r"(?P<w>[1-9]\d{0,4})?x(?P<h>[1-9]\d{0,4})?")
_HEADER = re.compile(r"\s*\[\[?\s*(?P<name>[\w.\s-]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*["']?(?P<name>[\w-]+)["']?\s*[.=]""")
_TOML_LINE = re.compile(r"\(at line (\d+)")


_KINDS = {"text": (str, int, float), "number": (int, float), "flag": (bool,)}
_CALLED = {"text": "a text or a number", "number": "a number", "flag": "true or false"}


class RulesError(ValueError):
    """The rules cannot be used. The message is ``FILE:LINE: reason``."""


class _Mistake(Exception):
    def __init__(self, reason: str, *keys: str) -> None:
        super().__init__(reason)
        self.keys = keys


def load(path: Path) -> rules.Rules:
    """Read and check a rules file.

    Raises:
        RulesError: it cannot be read, is no TOML, or has an unknown key or impossible value.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise RulesError(f"{path}:1: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RulesError(f"{path}:{line}: the file is not UTF-8") from None
    if len(content) > FILE_BYTES_MAX:
        raise RulesError(f"{path}:1: the file is larger than {FILE_BYTES_MAX} bytes")
    return parse(text, str(path))


def parse(text: str, name: str) -> rules.Rules:
    """Read rules from TOML text; ``name`` stands for the file in messages.

    Raises:
        RulesError: as `load`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise RulesError(f"{name}:{line}: {error}") from None
    for key in document.keys() - {"rule"}:
        raise RulesError(f"{name}:{_line(text, -1, (key,))}: unknown key {key!r}; allowed: rule")
    tables = document.get("rule", [])
    if not isinstance(tables, list) or len(tables) > RULES_MAX:
        reason = f"rule must be a list of at most {RULES_MAX} tables, each begun with [[rule]]"
        raise RulesError(f"{name}:{_line(text, -1, ('rule',))}: {reason}")
    made = []
    for index, table in enumerate(tables):
        try:
            made.append(_rule(table))
        except _Mistake as mistake:
            line = _line(text, index, mistake.keys)
            raise RulesError(f"{name}:{line}: {mistake}") from None
    return rules.Rules(rules=tuple(made))


class Watched:
    """A rules file whose changes come into force by themselves.

    ``clock`` gives seconds; ``complain`` takes one line for each refused change.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float],
        complain: Callable[[str], object] = sys.stderr.write,
    ) -> None:
        """Load the file.

        Raises:
            RulesError: the first version must be right.
        """
        self._path = path
        self._clock = clock
        self._complain = complain
        self._looked_at = clock()
        self._seen = self._state()
        self._rules = load(path)

    def current(self) -> rules.Rules:
        """Give the rules in force, looking at the file at most once in `CHECK_SECONDS`."""
        now = self._clock()
        if now - self._looked_at < CHECK_SECONDS:
            return self._rules
        self._looked_at = now
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._rules = load(self._path)
            except RulesError as error:
                self._complain(f"rules refused, the old ones stay: {error}\n")
        return self._rules

    def _state(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)


def _rule(table: object) -> rules.Rule:
    if not isinstance(table, dict):
        _fail("each rule must be a table, begun with [[rule]]", "rule")
    for key in table:
        if key not in KEYS:
            _fail(f"unknown key {key!r}; allowed: {', '.join(KEYS)}", key)
    made: dict[str, Any] = {}
    for key, value in table.items():
        made[key] = _READERS[key](key, value)
    return rules.Rule(**made)


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        _fail(f"{key} = {value!r} must be a text that is not empty", key)
    return value


def _defaults(key: str, value: object) -> query.Wanted:
    limits = limit_names.Limits()
    known = parameters_table.picture_rows(limits)
    checked: dict[str, Any] = {}
    for name, given in _table(key, value).items():
        if name not in known:
            _fail(f"{key}: unknown key {name!r}; allowed: {', '.join(known)}", key, name)
        kind = known[name].reader.kind
        if not isinstance(given, _KINDS[kind]) or isinstance(given, bool) != (kind == "flag"):
            _fail(f"{key}: {name} = {given!r} must be {_CALLED[kind]}", key, name)
        text = str(int(given)) if isinstance(given, bool) else str(given)
        try:
            checked[name] = query.check(name, text, limits)
        except refusals.Refusal as refusal:
            _fail(f"{key}: {name} = {given!r}: {refusal.message}", key, name)
    return query.Wanted(**checked)


def _sizes(key: str, value: object) -> tuple[rules.Size, ...]:
    allowed = "widths (400), 'WxH', 'Wx', 'xH' or 'original'"
    if not isinstance(value, list) or not value:
        _fail(f"{key} must be a list of {allowed}", key)
    made = []
    for item in value:
        matched = _SIZE.fullmatch(item) if isinstance(item, str) else None
        if isinstance(item, int) and not isinstance(item, bool) and item > 0:
            made.append(rules.Size(w=item, h=None))
        elif item == "original":
            made.append(rules.Size(w=None, h=None))
        elif matched and (matched["w"] or matched["h"]):
            w, h = matched["w"], matched["h"]
            made.append(rules.Size(w=int(w) if w else None, h=int(h) if h else None))
        else:
            _fail(f"{key}: {item!r} must be one of {allowed}", key)
    return tuple(made)


def _quality(key: str, value: object) -> Mapping[str, int]:
    table = _table(key, value)
    for name, given in table.items():
        if name not in rules.QUALITY:
            allowed = ", ".join(rules.QUALITY)
            _fail(f"{key}: unknown format {name!r}; allowed: {allowed}", key, name)
        if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= 100:
            _fail(f"{key}: {name} = {given!r} must be a whole number from 1 to 100", key, name)
    return dict(table)


def _background(key: str, value: object) -> colours.Colour:
    colour = colours.parse(value) if isinstance(value, str) else None
    if colour is None or colour[3] < 255:
        _fail(f"{key} = {value!r} must be a colour that is opaque, such as '#102030'", key)
    return colour


def _ttl(key: str, value: object) -> int:
    right = isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, int) or not right or not 0 <= value <= TTL_SECONDS_MAX:
        _fail(f"{key} = {value!r} must be whole seconds from 0 to {TTL_SECONDS_MAX}", key)
    return value


def _formats(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(v in rules.OUTPUTS for v in value):
        _fail(f"{key} = {value!r} must list some of {', '.join(rules.OUTPUTS)}", key)
    return tuple(value)


def _table(key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _fail(f"{key} must be a table", key)
    return value


def _fail(reason: str, *keys: str) -> NoReturn:
    raise _Mistake(reason, *keys)


_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "source": _text,
    "path": _text,
    "defaults": _defaults,
    "sizes": _sizes,
    "quality": _quality,
    "background": _background,
    "ttl_seconds": _ttl,
    "formats": _formats,
}


def _line(text: str, index: int, keys: tuple[str, ...]) -> int:
    """Find the line of ``keys`` in the rule number ``index`` (-1: before or outside all rules).

    TOML's reader keeps no lines, so this walks headers and keys; it falls back to the nearest
    thing found: the outer key, the rule's header, the first line.
    """
    best, best_depth = 1, -1
    rule = -1
    inside: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        depth = -1
        if header := _HEADER.fullmatch(line):
            names = tuple(part.strip() for part in header["name"].split("."))
            rule += names == ("rule",)
            inside = names[1:] if names[0] == "rule" else names
            found = inside
        elif key := _KEY.match(line):
            found = (*inside, key["name"])
        else:
            continue
        if (rule == index or index < 0) and found == keys[: len(found)]:
            depth = len(found)
        if depth > best_depth:
            best, best_depth = number, depth
    return best
