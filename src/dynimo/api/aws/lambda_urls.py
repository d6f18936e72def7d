"""Function URLs, the control plane: create, read, change, list, delete; served elsewhere.

Kept as documents of kind ``url``, one a qualifier; ``function_urls`` serves them.
Source: Lambda API reference; recorded answers of the service.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from typing import Any

from dynimo.api.aws import pages
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.names import Named, function_arn, parse
from dynimo.api.aws.validation import Faults
from dynimo.model.errors import ResourceConflict, ResourceNotFound
from dynimo.model.names import Place
from dynimo.registry.documents import Documents
from dynimo.registry.registry import Registry, timestamp

KIND = "url"
ID_CHARACTERS = 32
PAGE_MAX = 50
_ALPHABET = string.ascii_lowercase + string.digits
_PATH = "/2021-10-31/functions/{FunctionName}/url"
_QUALIFIER = r"((?!^\d+$)^[0-9a-zA-Z-_]+$)"
_NO_FUNCTION = "Function does not exist"
_CORS_LISTS = ("AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders")
_METHODS = ("GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*")
CORS_ITEMS_MAX = 100
MAX_AGE_SECONDS_MAX = 86_400


class UrlTable:
    """Every function URL by its id, ready for each request to be asked."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._held = {
            value["Id"]: (account, function, key)
            for account, function, key, value in documents.find(KIND)
        }

    def find(self, url_id: str) -> tuple[str, str, str, dict[str, Any]] | None:
        """(account, function, qualifier, document) of an id; None when there is no such URL."""
        held = self._held.get(url_id)
        if held is None:
            return None
        document = self._documents.get(KIND, *held)
        if document is None or document["Id"] != url_id:  # its function is gone, and it with it
            del self._held[url_id]
            return None
        return *held, document

    def put(self, place: Place, named: Named, document: dict[str, Any]) -> None:
        """Keep one."""
        key = (place.account, named.function, named.qualifier)
        self._documents.put(KIND, *key, document)
        self._held[document["Id"]] = key


class FunctionUrls:
    """The operations on URLs. ``address(id, call)`` is what a client is told to call."""

    def __init__(
        self, registry: Registry, table: UrlTable, address: Callable[[str, Call], str]
    ) -> None:
        self._registry = registry
        self._documents = registry.documents
        self._table = table
        self._address = address

    def operations(self) -> list[Operation]:
        """All of them."""

        def one(name: str, method: str, run: Any, status: int = 200, more: str = "") -> Operation:
            return Operation(
                name=name, method=method, path=_PATH + more, run=run, status=status,
                resource=function_arn,
            )  # fmt: skip

        return [
            one("CreateFunctionUrlConfig", "POST", self._create, 201),
            one("GetFunctionUrlConfig", "GET", self._get),
            one("UpdateFunctionUrlConfig", "PUT", self._update),
            one("DeleteFunctionUrlConfig", "DELETE", self._delete, 204),
            one("ListFunctionUrlConfigs", "GET", self._list, more="s"),
        ]

    async def _create(self, call: Call) -> Answer:
        wanted = asked(call)
        _check(wanted, creating=True)
        named = self._existing(call)
        if self._held(named) is not None:
            raise ResourceConflict(
                f"Failed to create function url config for [functionArn = {named.arn}]. Error"
                " message:  FunctionUrlConfig exists for this Lambda function"
            )
        now = timestamp()
        document = {
            "Id": "".join(secrets.choice(_ALPHABET) for _ in range(ID_CHARACTERS)),
            "AuthType": wanted["AuthType"],
            "InvokeMode": wanted.get("InvokeMode") or "BUFFERED",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        if wanted.get("Cors"):
            document["Cors"] = wanted["Cors"]
        self._table.put(named.place, named, document)
        shown = self._shown(call, named, document)
        del shown["LastModifiedTime"]
        return Answer(document=shown)

    async def _get(self, call: Call) -> Answer:
        named, document = self._found(call)
        return Answer(document=self._shown(call, named, document))

    async def _update(self, call: Call) -> Answer:
        wanted = asked(call)
        _check(wanted, creating=False)
        self._existing(call)
        named, document = self._found(call)
        changed = dict(document)
        for member in ("AuthType", "InvokeMode", "Cors"):
            if wanted.get(member) is not None:
                changed[member] = wanted[member]
        if not changed.get("Cors"):
            changed.pop("Cors", None)
        changed["LastModifiedTime"] = timestamp()
        self._table.put(named.place, named, changed)
        return Answer(document=self._shown(call, named, changed))

    async def _delete(self, call: Call) -> Answer:
        named, _ = self._found(call)
        self._documents.delete(KIND, named.place.account, named.function, named.qualifier)
        return Answer(status=204)

    async def _list(self, call: Call) -> Answer:
        named = self._named(call)
        if not self._registry.exists(named.place, named.function):
            raise ResourceNotFound(_NO_FUNCTION)
        rows = [
            (key, value)
            for _, _, key, value in self._documents.find(KIND, named.place.account, named.function)
        ]

        def shown(row: tuple[str, dict[str, Any]]) -> dict[str, Any]:
            one = Named(place=named.place, function=named.function, qualifier=row[0])
            return self._shown(call, one, row[1])

        found = pages.page(call, rows, lambda row: row[0], shown, most=PAGE_MAX)
        return Answer(document=pages.listed("FunctionUrlConfigs", found))

    def _named(self, call: Call) -> Named:
        qualifier = call.first("Qualifier")
        faults = Faults()
        faults.pattern(qualifier, "qualifier", _QUALIFIER)
        faults.check()
        return parse(call, call.parameters["FunctionName"], qualifier)

    def _existing(self, call: Call) -> Named:
        """The function or alias of a call, which must be there. Raises ResourceNotFound."""
        named = self._named(call)
        if not self._registry.exists(named.place, named.function, named.qualifier):
            raise ResourceNotFound(_NO_FUNCTION)
        return named

    def _held(self, named: Named) -> dict[str, Any] | None:
        key = (named.place.account, named.function, named.qualifier)
        held: dict[str, Any] | None = self._documents.get(KIND, *key)
        return held

    def _found(self, call: Call) -> tuple[Named, dict[str, Any]]:
        named = self._named(call)
        document = self._held(named)
        if document is None:
            raise ResourceNotFound("The resource you requested does not exist.")
        return named, document

    def _shown(self, call: Call, named: Named, document: dict[str, Any]) -> dict[str, Any]:
        shown = {key: value for key, value in document.items() if key != "Id"}
        url = self._address(document["Id"], call)
        return {"FunctionUrl": url, "FunctionArn": named.arn, **shown}


def _check(wanted: dict[str, Any], *, creating: bool) -> None:
    faults = Faults()
    if creating:
        faults.required(wanted.get("AuthType"), "authType")
    faults.one_of(wanted.get("AuthType"), "authType", ("NONE", "AWS_IAM"))
    faults.one_of(wanted.get("InvokeMode"), "invokeMode", ("RESPONSE_STREAM", "BUFFERED"))
    cors = wanted.get("Cors") or {}
    if not isinstance(cors, dict):
        faults.add(cors, "cors", "Member must be a structure")
        cors = {}
    for member in _CORS_LISTS:
        held = cors.get(member)
        if held is None:
            continue
        place = f"cors.{member[0].lower()}{member[1:]}"
        if not isinstance(held, list) or not all(isinstance(each, str) for each in held):
            faults.add(held, place, "Member must be a list of texts")
            continue
        faults.at_most(held, place, CORS_ITEMS_MAX)
        if member == "AllowMethods":
            for each in held:
                faults.one_of(each, place, _METHODS)
    faults.between(cors.get("MaxAge"), "cors.maxAge", 0, MAX_AGE_SECONDS_MAX)
    faults.check()
