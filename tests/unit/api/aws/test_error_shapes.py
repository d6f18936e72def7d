"""Our errors against AWS's service model: the status, and in which members a client looks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from dynimo.model import errors
from dynimo.model.errors import AwsError


def _shapes() -> dict[str, Any]:
    """Every shape of the model that every client of AWS Lambda is made from."""
    name = "data/lambda/2015-03-31/service-2.json.gz"
    packed = resources.files("botocore").joinpath(name).read_bytes()
    shapes: dict[str, Any] = json.loads(gzip.decompress(packed))["shapes"]
    return shapes


def _known() -> Iterator[type[AwsError]]:
    """Our errors that the model knows."""
    shapes = _shapes()
    for kind in AwsError.__subclasses__():
        if kind.__module__ == errors.__name__ and kind.code in shapes:
            yield kind


@pytest.mark.parametrize("kind", list(_known()), ids=lambda kind: kind.code)
def test_an_error_has_the_members_that_clients_read(kind: type[AwsError]) -> None:
    """Status, the case of ``message``, and whether there is a Type."""
    shape = _shapes()[kind.code]
    text = next(name for name in shape["members"] if name.lower() == "message")

    assert kind.status == shape["error"]["httpStatusCode"]
    assert kind.message_key == text
    assert bool(kind.kind) == ("Type" in shape["members"])


def test_the_model_knows_most_of_our_errors() -> None:
    """Else the test above would hold nothing."""
    assert len(list(_known())) >= 12
