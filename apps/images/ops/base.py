"""How operations are declared, spelled and read back: one dataclass each, one row of a table.

    resize:inside,400,300;blur:2.5

An argument's type says how it is spelled, ``Annotated`` what it may be. Arguments that have their
default are left out from the end, so that every operation has one spelling.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Container, Sequence
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal, NewType, get_args, get_origin, get_type_hints

import colours
import refusals
from ops import values

OPS_MAX = 64
"""Operations in one recipe: each may cost a pass over the picture."""
TEXT_MAX = 1_000
"""Characters of a text argument."""
_ARGUMENT_MAX = 40
"""Characters of an argument that is no text: a gravity with two offsets."""
_ENCODED_MAX = 6
"""Characters in base64 of one character in UTF-8."""
_TOKEN = re.compile(r"[0-9A-Za-z_.-]{0,64}")
_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, which are no characters and cannot be spelled."""
_ENCODED = re.compile(r"[0-9A-Za-z_-]*")

Text = NewType("Text", str)
"""Any characters, spelled in base64url without padding."""
EMPTY = Text("")


@dataclass(frozen=True, slots=True)
class Between:
    """What a number may be, both ends included."""

    least: Decimal | int
    most: Decimal | int

    def __str__(self) -> str:
        return f"a number from {self.least} to {self.most}"


class Op:
    """One operation. Subclasses are frozen dataclasses that name themselves: ``name="blur"``."""

    __slots__ = ()
    op_name: ClassVar[str] = ""

    def __init_subclass__(cls, *, name: str = "", **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if name:
            cls.op_name = name
        KINDS[cls.op_name] = cls  # a second time without name, when slots make the class anew

    def __str__(self) -> str:
        return spell(self)


KINDS: dict[str, type[Op]] = {}
"""Every operation by its name; `recipe` imports the modules that fill it."""


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    default: Any
    print: Callable[[Any], str]
    read: Callable[[str], Any]
    allowed: str
    holds: Callable[[Any], bool]


@lru_cache(maxsize=2_048)
def spell(op: Op) -> str:
    """Print an operation in its one spelling."""
    arguments = _arguments(type(op))
    given = _GIVEN[type(op)](op)
    count = len(arguments)
    while count:
        value, default = given[count - 1], arguments[count - 1].default
        if value is not default and value != default:
            break
        count -= 1
    if not count:
        return op.op_name
    printed = [arguments[index].print(given[index]) for index in range(count)]
    return op.op_name + ":" + ",".join(printed)


def length_bound(op: Op) -> int:
    """Give what the spelling of an operation is never longer than, without spelling it."""
    arguments = _arguments(type(op))
    least = len(op.op_name) + _ARGUMENT_MAX * len(arguments)
    return least + sum(
        _ENCODED_MAX * len(getattr(op, argument.name))
        for argument in arguments
        if argument.read is _read_text
    )


def parse(text: str) -> Op:
    """Read one operation back.

    Raises:
        Refusal: 404; it is none, or not in its one spelling.
    """
    name, _, rest = text.partition(":")
    kind = KINDS.get(name)
    if kind is None:
        raise refusals.not_found()
    arguments = _arguments(kind)
    pieces = rest.split(",") if rest else []
    if len(pieces) > len(arguments):
        raise refusals.not_found()
    found = {}
    for argument, piece in zip(arguments, pieces, strict=False):
        value = argument.read(piece)
        if value is _NONE or not argument.holds(value):
            raise refusals.not_found()
        found[argument.name] = value
    try:
        op = kind(**found)
    except TypeError:  # an argument without default is missing
        raise refusals.not_found() from None
    if spell(op) != text:
        raise refusals.not_found()
    return op


def check(op: Op, said: str = "") -> None:
    """Check an operation that a dialect has made; ``said`` is what the client wrote.

    Raises:
        Refusal: 400; an argument is outside what is allowed.
    """
    arguments = _arguments(type(op))
    for argument, value in zip(arguments, _GIVEN[type(op)](op), strict=True):
        if value is argument.default:  # most of them, and right by declaration
            continue
        if not argument.holds(value):
            raise refusals.parameter(
                said or f"{op.op_name}.{argument.name}", str(value), argument.allowed
            )


def check_all(made: Sequence[Op], known: Container[int] = ()) -> None:
    """Check them all, and that they are not too many; those whose ids are ``known`` only count.

    Raises:
        Refusal: 400.
    """
    if len(made) > OPS_MAX:
        raise refusals.parameter("operations", str(len(made)), f"at most {OPS_MAX}")
    for op in made:
        if id(op) not in known:
            check(op)


def argument(kind: type[Op], name: str, text: str) -> Any:
    """Read one argument of an operation in its spelling; texts as they are.

    Raises:
        Refusal: 400; it is not what is allowed.
    """
    found = next(each for each in _arguments(kind) if each.name == name)
    value = Text(text) if found.read is _read_text else found.read(text)
    if value is _NONE or not found.holds(value):
        raise refusals.parameter(name, text, found.allowed)
    return value


_NONE: Any = object()


def _read_bool(text: str) -> Any:
    return {"1": True, "": False}.get(text, _NONE)


def _read_int(text: str) -> Any:
    return int(text) if re.fullmatch(r"-?[0-9]{1,10}", text) else _NONE


def _read_text(text: str) -> Any:
    if not _ENCODED.fullmatch(text) or len(text) > 8 * TEXT_MAX:
        return _NONE
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8")
    except ValueError:
        return _NONE


def _or_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def reader(text: str) -> Any:
        value = read(text)
        return _NONE if value is None else value

    return reader


def _spell_text(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(text: str) -> Any:
    return text if _TOKEN.fullmatch(text) else _NONE


_CODECS: dict[Any, tuple[Callable[[Any], str], Callable[[str], Any], str]] = {
    bool: (lambda value: "1" if value else "", _read_bool, "true or false"),
    int: (str, _read_int, "a whole number"),
    Decimal: (values.spell_number, _or_none(values.number), "a number"),
    Text: (_spell_text, _read_text, f"a text of at most {TEXT_MAX} characters"),
    str: (str, _read_token, "a word of letters, digits, - _ and ."),
    values.Length: (str, _or_none(values.length), "a length"),
    values.Gravity: (str, _or_none(values.gravity), "a gravity"),
    colours.Colour: (colours.spell, _or_none(colours.parse), colours.ALLOWED),
}


def _arguments(kind: type[Op]) -> tuple[_Argument, ...]:
    known = _ARGUMENTS.get(kind)
    if known is None:
        known = _ARGUMENTS[kind] = _declared(kind)
        _GIVEN[kind] = _getter([argument.name for argument in known])
    return known


_ARGUMENTS: dict[type[Op], tuple[_Argument, ...]] = {}
_GIVEN: dict[type[Op], Callable[[Op], tuple[Any, ...]]] = {}
"""What gives all arguments of an operation at once; there as soon as its `_arguments` are."""


def _getter(names: list[str]) -> Callable[[Op], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda _: ()
    only = attrgetter(names[0])
    return lambda op: (only(op),)


def _declared(kind: type[Op]) -> tuple[_Argument, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        _argument(field.name, hints[field.name], field.default)
        for field in fields(kind)  # type: ignore[arg-type]
    )


def _argument(name: str, hint: Any, default: Any) -> _Argument:
    limits: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        limits = tuple(rest)
    default = _NONE if default is MISSING else default
    if get_origin(hint) is Literal:
        words = get_args(hint)
        allowed = f"one of {', '.join(filter(None, words))}"
        return _Argument(name, default, str, _read_token, allowed, words.__contains__)
    printed, read, allowed = _CODECS[hint]
    if limits:
        allowed = str(limits[0])
    return _Argument(name, default, printed, read, allowed, _holder(hint, limits))


def _holder(hint: Any, limits: tuple[Any, ...]) -> Callable[[Any], bool]:
    if limits:
        least, most = limits[0].least, limits[0].most
        if hint is values.Length:
            return lambda value: least <= value.value <= most
        return lambda value: least <= value <= most
    if hint is Text:
        return lambda value: len(value) <= TEXT_MAX and not _HALVES.search(value)
    if hint is str:
        return lambda value: bool(_TOKEN.fullmatch(value))
    return lambda _: True
