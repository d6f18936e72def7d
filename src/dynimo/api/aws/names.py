"""The forms in which a client may name a function, and AWS's words for those that are none. Pure.

Source: the FunctionName pattern of the service model, and recorded answers of the service.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from dynimo.api.aws.calls import Call
from dynimo.model.errors import InvalidParameterValue, ResourceNotFound, ValidationFailed
from dynimo.model.names import Place

NAME_CHARACTERS_MAX = 64
INPUT_CHARACTERS_MAX = 140
NAMES_KEPT_MAX = 1024
_ARN = r"arn:(aws[a-zA-Z-]*)?:lambda:"
_REGION = r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)"
FUNCTION_PATTERN = (
    rf"({_ARN})?{_REGION}?(\d{{12}}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
QUALIFIER_PATTERN = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
_FUNCTION = re.compile(FUNCTION_PATTERN)
_QUALIFIER = re.compile(QUALIFIER_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A function as a request names it. ``qualifier`` is empty when none was given."""

    place: Place
    function: str
    qualifier: str = ""

    @property
    def arn(self) -> str:
        """The ARN, with the qualifier if there is one."""
        return self.place.function(self.function, self.qualifier)


def parse(call: Call, text: str, qualifier: str | None = None) -> Named:
    """A name, partial ARN or ARN, each maybe with a qualifier, beside ``qualifier`` of the query.

    Raises:
        ValidationFailed: it is no name.
        InvalidParameterValue: the two qualifiers differ.
        ResourceNotFound: it names another region.
    """
    if qualifier is not None:
        check_qualifier(qualifier)
    read = _read(text)
    if read is None:
        raise ValidationFailed(
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy"
            f" constraint: Member must satisfy regular expression pattern: {FUNCTION_PATTERN}"
        )
    if len(text) > INPUT_CHARACTERS_MAX:
        raise _too_long(text, INPUT_CHARACTERS_MAX, ValidationFailed)
    region, account, name, own = read
    if len(name) > NAME_CHARACTERS_MAX:
        raise _too_long(name, NAME_CHARACTERS_MAX, InvalidParameterValue)
    check_region(call, region or call.signed_region or call.place.region)
    if own and qualifier and own != qualifier:
        raise InvalidParameterValue(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return Named(place=_place(call, account), function=name, qualifier=qualifier or own)


def named(call: Call) -> Named:
    """The function that a call's path names, with the Qualifier of its query.

    Raises:
        AwsError: as ``parse``.
    """
    return parse(call, call.parameters["FunctionName"], call.first("Qualifier"))


def function_arn(call: Call) -> str:
    """What policies are asked about for a call on a function; never raises."""
    text = call.parameters.get("FunctionName", "")
    read = _read(text)
    if read is None:
        return call.place.function(text or "*")
    _, account, name, own = read
    return _place(call, account).function(name, call.first("Qualifier") or own)


@functools.lru_cache(NAMES_KEPT_MAX)
def _read(text: str) -> tuple[str, str, str, str] | None:
    """(region, account, name, qualifier), each empty where it is not said; None for no name."""
    match = _FUNCTION.fullmatch(text)
    if match is None:
        return None
    region, account = (match[3] or "").rstrip(":"), (match[9] or "").rstrip(":")
    return region, account, match[11], match[13] or ""


def _place(call: Call, account: str) -> Place:
    return Place(account, call.place.region) if account else call.place


def check_region(call: Call, region: str) -> None:
    """Refuse another region than the platform's. Raises ResourceNotFound."""
    if region != call.place.region:
        raise ResourceNotFound(
            f"Functions from '{region}' are not reachable in this region ('{call.place.region}')"
        )


def check_qualifier(qualifier: str) -> None:
    """Refuse what is no qualifier. Raises ValidationFailed."""
    if not _QUALIFIER.fullmatch(qualifier):
        raise ValidationFailed(
            f"1 validation error detected: Value '{qualifier}' at 'qualifier' failed to satisfy"
            f" constraint: Member must satisfy regular expression pattern: {QUALIFIER_PATTERN}"
        )


def _too_long(
    text: str, limit: int, kind: type[ValidationFailed | InvalidParameterValue]
) -> ValidationFailed | InvalidParameterValue:
    return kind(
        f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy"
        f" constraint: Member must have length less than or equal to {limit}"
    )
