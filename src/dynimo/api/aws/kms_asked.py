"""What a request to the KMS asks for, checked against the service model. Pure.

Members that are missing or of the wrong kind are refused in the service's words; what is secret (a
plaintext, a message) is never repeated. Nothing is looked up here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from typing import Any

from dynimo.api.aws.calls import Call
from dynimo.identity.keys.refusals import (
    InvalidGrantToken,
    InvalidMarker,
    InvalidTag,
    KmsError,
    UnsupportedOperation,
)
from dynimo.model.errors import ValidationFailed

PLAINTEXT_BYTES_MAX = 4096
CIPHERTEXT_BYTES_MAX = 6144
CONTEXT_BYTES_MAX = 8192
"""Names and values of an encryption context together."""
RANDOM_BYTES_MAX = 1024
PAGE_MAX = 1000
PAGE_DEFAULT = 100
TAGS_MAX = 50
Tags = tuple[tuple[str, str], ...]


class Unreadable(KmsError):
    """The body is no JSON object, or a member is of another type."""

    code = "SerializationException"


class Asked:
    """The members of one request. ``subject`` is what it turned out to be about, for the log."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.place = call.place
        self.subject = ""
        try:
            self._members = json.loads(call.request.body or b"{}")
        except (ValueError, RecursionError):
            raise Unreadable("The request is no JSON.") from None
        if not isinstance(self._members, dict):
            raise Unreadable("The request is no JSON object.")
        if self._members.get("GrantTokens"):
            raise InvalidGrantToken("There are no grants here; use a key policy.")
        if self._members.get("Recipient") is not None:
            raise UnsupportedOperation("Dynimo serves no Recipient: there are no enclaves here.")

    def has(self, name: str) -> bool:
        """Whether a member is given."""
        return self._members.get(name) is not None

    def text(
        self,
        name: str,
        default: str | None = "",
        *,
        length: int = 2048,
        allowed: Collection[str] = (),
        pattern: str = "",
    ) -> str:
        """A member that is text; without ``default`` (None) it must be there, and not be empty."""
        value = self._members.get(name)
        if value is None:
            if default is None:
                raise _fault(name, "Member must not be null", null=True)
            return default
        if not _is_text(value):
            raise Unreadable(f"{name} must be a string.")
        if default is None and not value:
            raise _fault(name, "Member must have length greater than or equal to 1")
        if len(value) > length:
            raise _fault(name, f"Member must have length less than or equal to {length}")
        if pattern and not re.fullmatch(pattern, value):
            raise _fault(name, f"Member must satisfy regular expression pattern: {pattern}")
        if allowed and value not in allowed:
            listed = ", ".join(allowed)
            raise _fault(name, f"Member must satisfy enum value set: [{listed}]")
        return str(value)

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A member that is a whole number within bounds."""
        value = self._members.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unreadable(f"{name} must be a number.")
        if value < low:
            raise _fault(name, f"Member must have value greater than or equal to {low}")
        if value > high:
            raise _fault(name, f"Member must have value less than or equal to {high}")
        return value

    def flag(self, name: str) -> bool:
        """A member that is true or false."""
        value = self._members.get(name)
        if value is not None and not isinstance(value, bool):
            raise Unreadable(f"{name} must be a boolean.")
        return value is True

    def blob(self, name: str, length: int) -> bytes:
        """A member that is bytes, at least one and at most ``length``."""
        value = self._members.get(name)
        if value is None:
            raise _fault(name, "Member must not be null", null=True)
        try:
            data = base64.b64decode(value, validate=True)
        except (TypeError, ValueError):
            raise Unreadable(f"{name} must be bytes in base64.") from None
        if not data:
            raise _fault(name, "Member must have length greater than or equal to 1")
        if len(data) > length:
            raise _fault(name, f"Member must have length less than or equal to {length}")
        return data

    def context(self, name: str = "EncryptionContext") -> dict[str, str]:
        """An encryption context. Two names that differ in case only would be one to policies."""
        value = self._members.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(
            _is_text(key) and _is_text(each) for key, each in value.items()
        ):
            raise Unreadable(f"{name} must be a map of strings.")
        size = sum(len(key.encode()) + len(each.encode()) for key, each in value.items())
        if size > CONTEXT_BYTES_MAX:
            raise _fault(name, f"Member must have at most {CONTEXT_BYTES_MAX} bytes in all")
        if len({key.lower() for key in value}) != len(value):
            raise ValidationFailed(f"Two names of the {name} differ in upper and lower case only.")
        return value

    def tags(self) -> Tags:
        """Tags to set."""
        listed = self._members.get("Tags")
        if listed is None:
            return ()
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise Unreadable("Tags must be a list of structures.")
        pairs = [(each.get("TagKey"), each.get("TagValue")) for each in listed]
        for name, value in pairs:
            if not _is_text(name) or not _is_text(value):
                raise Unreadable("A tag must have the strings TagKey and TagValue.")
            if not 1 <= len(name) <= 128 or len(value) > 256 or name.lower().startswith("aws:"):
                raise InvalidTag(
                    "A tag's key has 1 to 128 characters and does not begin with aws:, its value"
                    " has at most 256."
                )
        if len({name for name, _ in pairs}) != len(pairs):
            raise InvalidTag("A tag's key is there twice.")
        return merged((), tuple(pairs))

    def texts(self, name: str) -> list[str]:
        """A member that is a list of texts."""
        value = self._members.get(name)
        if value is None:
            raise _fault(name, "Member must not be null", null=True)
        if not isinstance(value, list) or not all(_is_text(each) for each in value):
            raise Unreadable(f"{name} must be a list of strings.")
        return value

    def page(self, names: list[str]) -> tuple[slice, dict[str, Any]]:
        """Which of the sorted ``names`` are answered, and what the answer says of the rest.

        A marker is the last name that was told, so a page is right though others come and go.
        """
        limit = self.number("Limit", PAGE_DEFAULT, 1, PAGE_MAX)
        marker = self.text("Marker", length=1024)
        try:
            after = base64.urlsafe_b64decode(marker.encode()).decode()
        except ValueError:
            raise InvalidMarker("The marker is none that was given out.") from None
        first = next((at for at, name in enumerate(names) if name > after), len(names))
        last = first + limit
        if last >= len(names):
            return slice(first, last), {"Truncated": False}
        told = base64.urlsafe_b64encode(names[last - 1].encode()).decode()
        return slice(first, last), {"Truncated": True, "NextMarker": told}


def merged(held: Tags, given: Tags) -> Tags:
    """Tags with others set on top, sorted. Raises InvalidTag."""
    tags = dict(held) | dict(given)
    if len(tags) > TAGS_MAX:
        raise InvalidTag(f"A key has at most {TAGS_MAX} tags.")
    return tuple(sorted(tags.items()))


def _is_text(value: Any) -> bool:
    """Whether it is text that UTF-8 can say."""
    return isinstance(value, str) and value.encode("utf-8", "ignore").decode() == value


def _fault(member: str, constraint: str, *, null: bool = False) -> ValidationFailed:
    shown = "Value null" if null else "Value"
    name = member[:1].lower() + member[1:]
    return ValidationFailed(
        f"1 validation error detected: {shown} at '{name}' failed to satisfy constraint:"
        f" {constraint}"
    )
