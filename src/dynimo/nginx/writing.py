"""nginx's configuration as values, and these as text. Pure.

A ``str`` is text and means itself, whatever is in it: what nginx's grammar gives a meaning is
quoted, and what cannot be quoted (``$``, which nginx expands even within quotes, and line ends) is
refused. Only an ``Expression`` may name variables; it is written in our code, by nobody else.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=~^*-]+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INDENT = "    "


class Expression(str):
    """Text of ours in which ``$name`` is a variable, or that is a pattern."""

    __slots__ = ()


class Directive(NamedTuple):
    """``name arguments…;`` or, with a ``block``, ``name arguments… { … }``."""

    name: str
    arguments: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None


Block: TypeAlias = tuple[Directive, ...]


def one(name: str, *arguments: str | int) -> Directive:
    """A simple directive."""
    return Directive(name, tuple(_kept(each) for each in arguments))


def block(name: str, *arguments: str, inside: Block) -> Directive:
    """A directive with others in it."""
    return Directive(name, tuple(_kept(each) for each in arguments), inside)


def table(source: str, name: str, rows: dict[str, str]) -> Directive:
    """``map``: ``name`` is a variable whose value follows from ``source``.

    Keys and values are ours: patterns begin with ``~``.
    """
    inside = tuple(Directive(_quoted_key(key), (Expression(rows[key]),)) for key in rows)
    return Directive("map", (Expression(source), Expression(name)), inside)


def text(directives: Block, depth: int = 0) -> str:
    """Write it down.

    Raises:
        ValueError: an argument cannot be said in nginx's grammar.
    """
    lines = []
    for each in directives:
        head = " ".join((each.name, *map(quoted, each.arguments)))
        if each.block is None:
            lines.append(f"{_INDENT * depth}{head};\n")
        else:
            inside = text(each.block, depth + 1)
            lines.append(f"{_INDENT * depth}{head} {{\n{inside}{_INDENT * depth}}}\n")
    return "".join(lines)


def quoted(argument: str) -> str:
    """Return one argument as nginx reads it back.

    Raises:
        ValueError: it holds a control character, or ``$`` and is no ``Expression``.
    """
    if _CONTROL.search(argument):
        raise ValueError(f"nginx's configuration cannot hold {argument!r}: control characters.")
    if "$" in argument and not isinstance(argument, Expression):
        raise ValueError(f"nginx's configuration cannot hold {argument!r}: it would expand the $.")
    if _BARE.fullmatch(argument):
        return argument
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _kept(argument: str | int) -> str:
    return str(argument) if isinstance(argument, int) else argument


def _quoted_key(key: str) -> str:
    return key if _NAME.fullmatch(key) else quoted(Expression(key))
