"""The types of a request's members, against botocore's service model."""

from __future__ import annotations

import gzip
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from dynimo.api.aws.calls import Call
from dynimo.api.aws.lambda_members import MEMBERS, asked
from dynimo.model.caller import Caller
from dynimo.model.errors import AwsError, InvalidRequestContent, SerializationFailed
from dynimo.model.names import Place
from dynimo.web.message import Request

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "lambda-api.md"
WORDS = {"string": "text", "blob": "text", "integer": "whole", "long": "whole", "boolean": "flag",
         "double": "number"}  # fmt: skip


def call(body: bytes) -> Call:
    return Call(
        request=Request(method="POST", path="/", query="", body=body),
        place=Place(),
        caller=Caller(arn="a", account="000000000000"),
    )


def read(document: Any) -> dict[str, Any]:
    return asked(call(json.dumps(document).encode()))


def test_every_member_has_the_models_type() -> None:
    """Of every operation that is served; what the table leaves out of a structure is not used."""
    name = "data/lambda/2015-03-31/service-2.json.gz"
    model = json.loads(gzip.decompress(resources.files("botocore").joinpath(name).read_bytes()))
    shapes, page = model["shapes"], PAGE.read_text("utf-8")

    def compare(ours: Any, theirs: dict[str, Any], place: str) -> None:
        kind = theirs["type"]
        if kind == "structure":
            for member, shape in ours.items():
                compare(shape, shapes[theirs["members"][member]["shape"]], f"{place}.{member}")
        elif kind == "list":
            compare(ours[0], shapes[theirs["member"]["shape"]], place)
        elif kind == "map":
            compare(ours["*"], shapes[theirs["value"]["shape"]], place)
        else:
            assert (place, ours) == (place, WORDS[kind])

    seen = set()
    for operation, told in model["operations"].items():
        if not re.search(rf"\b{operation}\b", page) or "input" not in told:
            continue
        for member, reference in shapes[told["input"]["shape"]]["members"].items():
            here = MEMBERS.get(member)
            small = operation.endswith("EventSourceMapping") and member == "LoggingConfig"
            if here is not None and "location" not in reference and not small:
                compare(here, shapes[reference["shape"]], member)
                seen.add(member)

    assert seen == set(MEMBERS)


@pytest.mark.parametrize(
    "document",
    [
        {"Timeout": "3"}, {"Timeout": True}, {"Timeout": 1.5}, {"Timeout": 10**30}, {"Handler": 5},
        {"Environment": "x"}, {"Environment": {"Variables": 5}}, {"Publish": "true"},
        {"Environment": {"Variables": {"A": 1}}}, {"Layers": "x"}, {"Layers": [None]},
        {"Code": []}, {"RoutingConfig": {"AdditionalVersionWeights": {"2": "x"}}},
        {"Tags": {"a": None}}, {"FilterCriteria": {"Filters": [5]}}, {"Name": "\ud800"},
        {"Tags": {"\ud800": "v"}},
    ],
)  # fmt: skip
def test_another_type_is_refused(document: Any) -> None:
    """The member is named; nothing of it reaches an operation."""
    with pytest.raises(SerializationFailed) as error:
        read(document)

    assert f"The member '{next(iter(document))}" in str(error.value)


@pytest.mark.parametrize("body", [b"[]", b"{", b"null", b'{"Timeout": NaN}', b"\xff", b"[" * 9999])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    """Not an object, not JSON, or numbers that JSON does not have."""
    with pytest.raises(InvalidRequestContent):
        asked(call(body))


def test_what_is_null_is_not_there() -> None:
    """At any depth of a structure; a whole number may be written as a fraction."""
    assert read({"Role": None, "EphemeralStorage": {"Size": None}, "Timeout": 3.0, "X": 1}) == {
        "EphemeralStorage": {}, "Timeout": 3, "X": 1,
    }  # fmt: skip
    with pytest.raises(AwsError):
        read({"Timeout": float("inf")})
