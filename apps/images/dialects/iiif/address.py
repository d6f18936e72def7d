"""What an IIIF address names: a version, an identifier, and what is wanted of it. Pure.

Segments stay percent-encoded here: each is decoded once, by whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import iiif_terms as terms
import paths
import refusals
from ops.base import Text

FORM = (
    "it is /iiif/VERSION/IDENTIFIER/region/size/rotation/quality.format, or …/info.json; version 2"
    " or 3, and of the identifier NAME/path each / is written %2F"
)
PARAMETERS = ("region", "size", "rotation", "quality")
RANGES_MAX = 32
"""Media ranges of an Accept header that are looked at."""
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """``rest`` is empty for a base address, and else info.json or the four parameters."""

    version: str
    identifier: str
    rest: tuple[str, ...]


def parse(path: str) -> Address:
    """Split what follows ``/iiif/``.

    Raises:
        Refusal: 404; it names no version or nothing of it. 400; it is too long.
    """
    if len(path) > paths.PATH_MAX:
        raise refusals.malformed_path(f"the path is longer than {paths.PATH_MAX} characters")
    version, _, rest = path.partition("/")
    identifier, *asked = rest.split("/")
    if version not in terms.VERSIONS or not identifier:
        raise refusals.not_found(form=FORM)
    return Address(version=version, identifier=identifier, rest=tuple(asked))


def base(found: Address, headers: Mapping[str, str]) -> Text:
    """Give the base address as the client has asked for it; without a host, only its path.

    Raises:
        Refusal: 400; the host is no name and no address.
    """
    path = f"{terms.PREFIX}{found.version}/{found.identifier}"
    host = headers.get("x-forwarded-host") or headers.get("host", "")
    if not host:
        return Text(path)
    if not _HOST.fullmatch(host):
        raise refusals.malformed_path("the host of the request is no name and no address")
    scheme = "https" if headers.get("x-forwarded-proto") == "https" else "http"
    return Text(f"{scheme}://{host}{path}")


def wants_plain(accept: str, version: str) -> bool:
    """Tell whether a client would rather have JSON than JSON-LD.

    Who asks for neither gets what the version says: 2 JSON, 3 JSON-LD.
    """
    weights = {terms.JSON: 0.0, terms.JSON_LD: 0.0}
    for each in accept.split(",")[:RANGES_MAX]:
        name, *parameters = (piece.strip().lower() for piece in each.split(";"))
        if name in weights:
            weights[name] = max(weights[name], _weight(parameters))
    if weights[terms.JSON] == weights[terms.JSON_LD]:
        return version == "2" and not weights[terms.JSON_LD]
    return weights[terms.JSON] > weights[terms.JSON_LD]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _WEIGHT.fullmatch(value.strip()) else 0.0
    return 1.0
