"""A TOML table read key by key: each of the right kind, nothing unknown, and who says so by name.

What the values mean is for who asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

TEXT_CHARACTERS_MAX = 2048
LIST_ITEMS_MAX = 256
_Made = TypeVar("_Made")


class PolicyError(ValueError):
    """The policy cannot be used; names the rule, the key, and what to write in its place."""


class Table:
    """One table: hands out its keys, then `done` refuses what nobody asked for."""

    def __init__(self, place: str, values: object) -> None:
        if not isinstance(values, dict):
            raise PolicyError(f"{place} must be a table.")
        self.place = place
        self._values: dict[str, Any] = dict(values)

    def done(self) -> None:
        """Raises PolicyError for a key that is not known."""
        for key in self._values:
            raise PolicyError(f"{self.place}: unknown key {key[:64]!r}; see docs: ssh-policy.")

    def wrong(self, key: str, why: str) -> PolicyError:
        """The error to raise for a key."""
        return PolicyError(f"{self.place}: {key}: {why}.")

    def has(self, key: str) -> bool:
        """Whether a key stands here and was not handed out."""
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there, and not be empty."""
        value = self._take(key, default)
        if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
            raise self.wrong(key, f"a text of at most {TEXT_CHARACTERS_MAX} characters")
        if not value and default is None:
            raise self.wrong(key, "must not be empty")
        return value

    def texts(
        self, key: str, default: tuple[str, ...] | None = None, *, empty: bool = False
    ) -> tuple[str, ...]:
        """A list of texts; without a default it must be there, with at least one.

        With ``empty`` one of them may be the empty text.
        """
        value = self._take(key, default)
        items: list[Any] = list(value) if isinstance(value, list | tuple) else [None]
        if len(items) > LIST_ITEMS_MAX or not all(
            isinstance(each, str) and (each or empty) and len(each) <= TEXT_CHARACTERS_MAX
            for each in items
        ):
            raise self.wrong(key, f"a list of at most {LIST_ITEMS_MAX} texts, none empty")
        if len(set(items)) != len(items):
            raise self.wrong(key, "one stands there twice")
        if not items and default is None:
            raise self.wrong(key, "must not be empty")
        return tuple(items)

    def number(self, key: str, default: int | None = None, *, least: int, most: int) -> int:
        """A whole number within limits."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def yes(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def is_text(self, key: str) -> bool:
        """Whether what stands here is one text, and no list."""
        return isinstance(self._values.get(key), str)

    def made(self, key: str, texts: tuple[str, ...], make: Callable[[str], _Made]
             ) -> tuple[_Made, ...]:  # fmt: skip
        """Each text made into something; what ``make`` says is wrong with it, under the key."""
        try:
            return tuple(make(text) for text in texts)
        except ValueError as error:
            raise self.wrong(key, str(error)) from None

    def table(self, key: str, *, needed: bool = False) -> Table:
        """A table in this one; empty when it is not there, unless it is needed."""
        if needed and key not in self._values:
            raise PolicyError(f"{self.place}: [{key}] is missing.")
        return Table(f"{self.place} [{key}]", self._values.pop(key, {}))

    def tables(self, key: str) -> list[Any]:
        """A list of tables, as they are."""
        value = self._take(key, [])
        if not isinstance(value, list) or len(value) > LIST_ITEMS_MAX:
            raise self.wrong(key, f"a list of at most {LIST_ITEMS_MAX} tables")
        return value

    def rest(self) -> Mapping[str, Any]:
        """All that is left, handed out."""
        left, self._values = self._values, {}
        return left

    def _meant(self, key: str) -> str:
        """What stands there and may have been meant."""
        import difflib  # noqa: PLC0415 - for mistakes only

        near = difflib.get_close_matches(key, [each[:64] for each in self._values], 1)
        return f"; did you mean it by {near[0]!r}?" if near else ""

    def _take(self, key: str, default: Any) -> Any:
        if key not in self._values and default is None:
            raise self.wrong(key, f"is missing{self._meant(key)}")
        return self._values.pop(key, default)
