"""A ruleset from TOML. A file with a mistake is refused whole, with file, line and reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rulesets import conditions, drafting, examples, places, policy
from rulesets.mistakes import Mistake, RulesError, fail, line, number, only, table, text, whole
from rulesets.ruleset import Clause, Ruleset, Table

FILE_BYTES_MAX = 1 << 20
RULES_MAX = 1_000
NAME_MAX = 100
MODES = ("first", "layered")
TOP_KEYS = ("rule", "version", "mode", "facts", "request")
FACTS_KEYS = (
    "file", "url", "table", "key", "refresh_seconds", "timeout_seconds", "bytes_max",
)  # fmt: skip
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TOML_LINE = re.compile(r"\(at line (\d+)")


def load(path: Path) -> Ruleset:
    """Read and check a rules file.

    Raises:
        RulesError: it cannot be read, is no TOML, or has an unknown key or impossible value.
    """
    return parse(content(path), str(path), path.parent)


def content(path: Path) -> str:
    """Read the text of a rules file.

    Raises:
        RulesError: it cannot be read, is too large, or no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        written = data.decode("utf-8")
    except OSError as error:
        raise RulesError(f"{path}:1: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        at = data[: error.start].count(b"\n") + 1
        raise RulesError(f"{path}:{at}: the file is not UTF-8") from None
    if len(data) > FILE_BYTES_MAX:
        raise RulesError(f"{path}:1: the file is larger than {FILE_BYTES_MAX} bytes")
    return written


def document(written: str, name: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        RulesError: it is none.
    """
    try:
        return tomllib.loads(written)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        at = int(found[1]) if found else written.count("\n") + 1
        raise RulesError(f"{name}:{at}: {error}") from None
    except RecursionError:
        raise RulesError(f"{name}:1: it is nested too deeply") from None


def parse(written: str, name: str, folder: Path = Path()) -> Ruleset:
    """Read rules from TOML text; ``name`` stands for the file in messages.

    ``folder`` is what files that it names are relative to.

    Raises:
        RulesError: as `load`.
    """
    read = document(written, name)
    index = -1
    try:
        if "stable" in read:
            fail("this is a roll-out file; name one of the rulesets that it names", "stable")
        for key in read.keys() - set(TOP_KEYS):
            fail(f"unknown key {key!r}; allowed: {', '.join(TOP_KEYS)}", key)
        top = _top(read, folder)
        rules = read.get("rule", [])
        if not isinstance(rules, list) or len(rules) > RULES_MAX:
            fail(f"rule must be a list of at most {RULES_MAX} tables, begun with [[rule]]", "rule")
        made = []
        for index, each in enumerate(rules):
            made.append(_clause(each, partial(line, written, index)))
    except Mistake as mistake:
        at = line(written, index, mistake.keys)
        raise RulesError(f"{name}:{at}: {mistake}") from None
    return Ruleset(clauses=tuple(made), **top)


def _top(read: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if "version" in read:
        version = read["version"]
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            allowed = "letters, digits, '.', '-' and '_', at most 64"
            fail(f"version = {version!r} must be {allowed}", "version")
        made["version"] = version
    if "mode" in read:
        if read["mode"] not in MODES:
            fail(f"mode = {read['mode']!r} must be one of {', '.join(MODES)}", "mode")
        made["mode"] = read["mode"]
    if "request" in read:
        given = table("request", read["request"])
        only("request", given, ("country_header", "device_header"))
        for name, each in given.items():
            if not isinstance(each, str) or not _HEADER_NAME.fullmatch(each):
                fail(f"request: {name} = {each!r} must be a header's name", "request", name)
            made[name] = each.lower()
    if "facts" in read:
        made["table"] = _table(table("facts", read["facts"]), folder)
    return made


def _table(given: Mapping[str, Any], folder: Path) -> Table:
    only("facts", given, FACTS_KEYS)
    made: dict[str, Any] = {}
    if ("file" in given) == ("url" in given):
        fail("facts has either file (SQLite or JSON) or url (JSON)", "facts")
    if "file" in given:
        made["file"] = str(folder / text("file", given["file"]))
    else:
        made["url"] = text("url", given["url"])
        if not made["url"].startswith(("http://", "https://")):
            fail("facts: url must begin with 'http://' or 'https://'", "facts", "url")
    for name in ("table", "key"):
        if name in given:
            made[name] = text(name, given[name])
            if not _IDENTIFIER.fullmatch(made[name]):
                fail(f"facts: {name} = {given[name]!r} must be a plain name", "facts", name)
    for name, least in (("refresh_seconds", 1.0), ("timeout_seconds", 0.1)):
        if name in given:
            made[name] = float(number(name, given[name], least, 86_400))
    if "bytes_max" in given:
        made["bytes_max"] = whole("bytes_max", given["bytes_max"], 1, 256 << 20)
    return Table(**made)


def _pattern(key: str, value: object) -> str:
    found = text(key, value)
    try:
        places.compiled(found)
    except places.PatternError as error:
        fail(f"{key} = {error}", key)
    return found


def _name(key: str, value: object) -> str:
    found = text(key, value)
    if len(found) > NAME_MAX:
        fail(f"{key}: at most {NAME_MAX} characters", key)
    return found


_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "name": _name,
    "source": _pattern,
    "path": _pattern,
    "when": conditions.read,
    **drafting.READERS,
}
KEYS = (*_READERS, *policy.READERS, "tests")
"""What a rule may have."""


def _clause(read: object, line_of: Callable[..., int]) -> Clause:
    if not isinstance(read, dict):
        fail("each rule must be a table, begun with [[rule]]", "rule")
    for key in read:
        if key not in KEYS:
            fail(f"unknown key {key!r}; allowed: {', '.join(KEYS)}", key)
    made = {key: _READERS[key](key, each) for key, each in read.items() if key in _READERS}
    made["policy"] = {
        key: policy.READERS[key](key, each) for key, each in read.items() if key in policy.READERS
    }
    if "tests" in read:
        made["examples"] = examples.read(read["tests"], lambda key, nth: line_of((key,), nth))
    at = line_of(())
    return Clause(**{"name": f"line {at}", "line": at, **made})
