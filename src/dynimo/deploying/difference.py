"""What must change so that what is there becomes what is wanted? Pure: decides, does nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynimo.deploying.wanted import WantedFunction

DEFAULTS: Mapping[str, Any] = {
    "Description": "",
    "MemorySize": 128,
    "Timeout": 3,
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "Layers": [],
    "TracingConfig": {"Mode": "PassThrough"},
    "DeadLetterConfig": {"TargetArn": ""},
}
"""What AWS takes a member for that is absent."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the member's name, what it is, what it shall be (None: absent)."""

    what: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.what}: {_shown(self.after)}"
        return f"~ {self.what}: {_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do with one function. ``changes`` are for people; the rest says which calls."""

    function: WantedFunction
    zip: bytes
    create: bool = False
    code: bool = False
    configuration: bool = False
    changes: tuple[Change, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether code and configuration are as they shall be."""
        return not (self.create or self.code or self.configuration)


def plan(wanted: WantedFunction, data: bytes, present: Mapping[str, Any] | None) -> Plan:
    """Compare; ``present`` is a GetFunctionConfiguration answer, or None if there is none."""
    sha256 = code_sha256(data)
    if present is None:
        changes = [Change("code", None, _code(sha256, len(data)))]
        changes += [Change(key, None, value) for key, value in sorted(wanted.settings.items())]
        changes += [Change("tags", None, dict(wanted.tags))] if wanted.tags else []
        return Plan(function=wanted, zip=data, create=True, changes=tuple(changes))
    changes = []
    code = present.get("CodeSha256") != sha256
    if code:
        before = _code(str(present.get("CodeSha256")), int(present.get("CodeSize", 0)))
        changes.append(Change("code", before, _code(sha256, len(data))))
    settings = [
        Change(key, _present(present, key), value)
        for key, value in sorted(wanted.settings.items())
        if (wanted.whole or key != "Role") and not same(_present(present, key), value)
    ]
    gone = [
        Change(key, _present(present, key), DEFAULTS[key])
        for key in sorted(DEFAULTS.keys() - wanted.settings.keys())
        if wanted.whole and not same(_present(present, key), DEFAULTS[key])
    ]
    return Plan(
        function=wanted,
        zip=data,
        code=code,
        configuration=bool(settings or gone),
        changes=(*changes, *settings, *gone),
    )


def code_sha256(data: bytes) -> str:
    """A zip's CodeSha256: base64 of SHA-256."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def configuration(plan: Plan) -> dict[str, Any]:
    """The members of UpdateFunctionConfiguration that carry the plan's changes."""
    return {change.what: change.after for change in plan.changes if change.what != "code"}


def _present(present: Mapping[str, Any], key: str) -> Any:
    value = present.get(key, DEFAULTS.get(key))
    if key == "Layers" and value:
        return [each["Arn"] if isinstance(each, Mapping) else each for each in value]
    return value


def same(before: Any, after: Any) -> bool:
    """Whether what is there is what is wanted; what the platform adds by itself does not count."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return all(same(before.get(key), value) for key, value in after.items()) and (
            set(after) >= set(before)
            or all(_added(key, before[key]) for key in set(before) - set(after))
        )
    return bool(before == after)


def _added(key: str, value: Any) -> bool:
    """Whether the platform shows this of itself when nobody asked for it."""
    return key in {"LogGroup", "OptimizationStatus"} or (
        key in {"ApplicationLogLevel", "SystemLogLevel"} and value == "INFO"
    )


def _code(sha256: str, size: int) -> str:
    return f"{sha256[:12]}… ({size} bytes)"


def _shown(value: Any) -> str:
    """A value for people; those of environment variables may be secrets and are not shown."""
    if isinstance(value, Mapping) and isinstance(value.get("Variables"), Mapping):
        return "{" + ", ".join(sorted(value["Variables"])) + "}"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
