"""Reserved and provisioned concurrency: the limits that the owner of a function sets.

Kept as documents; whoever runs functions is told through ``changed`` and asked through ``state``.
Source: Lambda API reference; recorded answers of the service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from dynimo.api.aws import names, pages
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.validation import Faults
from dynimo.model.errors import (
    InvalidParameterValue,
    ProvisionedConcurrencyNotFound,
    ResourceConflict,
    ResourceNotFound,
)
from dynimo.model.names import LATEST, Place
from dynimo.registry.records import FunctionRecord
from dynimo.registry.registry import Registry, timestamp

RESERVED, PROVISIONED = "concurrency", "provisioned"
"""The kinds of the documents."""

PAGE_MAX = 50
_FUNCTION = "functions/{FunctionName}"
_PROVISIONED = f"/2019-09-30/{_FUNCTION}/provisioned-concurrency"


class ProvisionedState(NamedTuple):
    """How far the environments asked for have come; ``reason`` only when ``status`` is FAILED."""

    available: int
    status: str
    reason: str = ""


class Concurrency:
    """The operations on concurrency.

    ``changed(place, function)`` is awaited after a change; ``state(place, function, qualifier)``
    tells of provisioned environments. ``total`` is the account's limit, ``unreserved_min`` what no
    function may reserve.
    """

    def __init__(
        self,
        registry: Registry,
        changed: Callable[[Place, str], Awaitable[None]],
        state: Callable[[Place, str, str], ProvisionedState],
        *,
        total: int,
        unreserved_min: int,
    ) -> None:
        self._registry = registry
        self._documents = registry.documents
        self._changed = changed
        self._state = state
        self._total = total
        self._unreserved_min = unreserved_min

    def operations(self) -> list[Operation]:
        """All of them."""
        arn = names.function_arn
        put, get = f"/2017-10-31/{_FUNCTION}/concurrency", f"/2019-09-30/{_FUNCTION}/concurrency"

        def one(name: str, method: str, path: str, run: Any, status: int = 200) -> Operation:
            return Operation(
                name=name, method=method, path=path, run=run, status=status, resource=arn
            )

        return [
            one("PutFunctionConcurrency", "PUT", put, self._put_reserved),
            one("DeleteFunctionConcurrency", "DELETE", put, self._delete_reserved, 204),
            one("GetFunctionConcurrency", "GET", get, self._get_reserved),
            one("PutProvisionedConcurrencyConfig", "PUT", _PROVISIONED, self._put, 202),
            one("GetProvisionedConcurrencyConfig", "GET", _PROVISIONED, self._get),
            one("DeleteProvisionedConcurrencyConfig", "DELETE", _PROVISIONED, self._delete, 204),
            Operation(name="ListProvisionedConcurrencyConfigs", method="GET", path=_PROVISIONED,
                      run=self._list, query_flag=("List", "ALL"), resource=arn),
            Operation(name="GetAccountSettings", method="GET", path="/2016-08-19/account-settings",
                      run=self._account),
        ]  # fmt: skip

    # Reserved.

    async def _put_reserved(self, call: Call) -> Answer:
        named = names.named(call)
        if named.qualifier:
            raise InvalidParameterValue(
                "This operation is permitted on Lambda functions only. Aliases and versions do not"
                " support this operation. Please specify either a function name or an unqualified"
                " function ARN."
            )
        self._registry.function(named.place, named.function, LATEST)
        wanted = asked(call).get("ReservedConcurrentExecutions")
        faults = Faults()
        faults.required(wanted, "reservedConcurrentExecutions")
        faults.between(wanted, "reservedConcurrentExecutions", 0, float("inf"))
        faults.check()
        assert isinstance(wanted, int)
        account = named.place.account
        others = self._reserved_total(account, without=named.function)
        if self._total - others - wanted < self._unreserved_min:
            raise InvalidParameterValue(
                "Specified ReservedConcurrentExecutions for function decreases account's"
                " UnreservedConcurrentExecution below its minimum value of"
                f" [{self._unreserved_min}]."
            )
        provisioned = self._provisioned_total(named)
        if wanted < provisioned:
            raise InvalidParameterValue(
                f" ReservedConcurrentExecutions  {wanted} should not be lower than function's total"
                f" provisioned concurrency [{provisioned}]."
            )
        document = {"ReservedConcurrentExecutions": wanted}
        self._documents.put(RESERVED, account, named.function, "", document)
        await self._changed(named.place, named.function)
        return Answer(document=document)

    async def _get_reserved(self, call: Call) -> Answer:
        named = names.named(call)
        self._registry.function(named.place, named.function)
        held = self._documents.get(RESERVED, named.place.account, named.function)
        return Answer(document=held or {})

    async def _delete_reserved(self, call: Call) -> Answer:
        named = names.named(call)
        self._registry.function(named.place, named.function)
        self._documents.delete(RESERVED, named.place.account, named.function)
        await self._changed(named.place, named.function)
        return Answer(status=204)

    # Provisioned.

    async def _put(self, call: Call) -> Answer:
        wanted = asked(call).get("ProvisionedConcurrentExecutions")
        faults = Faults()
        faults.required(wanted, "provisionedConcurrentExecutions")
        faults.between(wanted, "provisionedConcurrentExecutions", 1, float("inf"))
        faults.check()
        assert isinstance(wanted, int)
        if call.first("Qualifier") == LATEST:
            raise InvalidParameterValue(
                "Provisioned Concurrency Configs cannot be applied to unpublished function"
                " versions."
            )
        named, function = self._qualified(call)
        self._check_exclusive(named, function)
        self._check_room(named, wanted)
        document = {"Requested": wanted, "LastModified": timestamp()}
        key = (named.place.account, named.function, named.qualifier)
        self._documents.put(PROVISIONED, *key, document)
        await self._changed(named.place, named.function)
        return Answer(document=_shown(document, ProvisionedState(0, "IN_PROGRESS")))

    async def _get(self, call: Call) -> Answer:
        named, _ = self._qualified(call)
        key = (named.place.account, named.function, named.qualifier)
        held = self._documents.get(PROVISIONED, *key)
        if held is None:
            raise ProvisionedConcurrencyNotFound(
                "No Provisioned Concurrency Config found for this function"
            )
        return Answer(document=_shown(held, self._state(named.place, *key[1:])))

    async def _delete(self, call: Call) -> Answer:
        named, _ = self._qualified(call)
        key = (named.place.account, named.function, named.qualifier)
        self._documents.delete(PROVISIONED, *key)
        await self._changed(named.place, named.function)
        return Answer(status=204)

    async def _list(self, call: Call) -> Answer:
        named = names.named(call)
        self._registry.function(named.place, named.function)
        held = [
            (key, value)
            for _, _, key, value in self._documents.find(
                PROVISIONED, named.place.account, named.function
            )
        ]

        def document(row: tuple[str, Any]) -> dict[str, Any]:
            arn = named.place.function(named.function, row[0])
            state = self._state(named.place, named.function, row[0])
            return {"FunctionArn": arn, **_shown(row[1], state)}

        found = pages.page(call, held, lambda row: row[0], document, most=PAGE_MAX)
        return Answer(document=pages.listed("ProvisionedConcurrencyConfigs", found))

    def _qualified(self, call: Call) -> tuple[names.Named, FunctionRecord]:
        """The alias or version that is meant."""
        named = names.named(call)
        if named.qualifier in ("", LATEST):
            raise InvalidParameterValue(
                "The function resource provided must be an alias or a published version."
            )
        if not self._registry.exists(named.place, named.function, named.qualifier):
            if named.qualifier.isdecimal():
                raise ResourceNotFound(f"Function not found: {named.arn}")
            raise ResourceNotFound(f"Cannot find alias arn: {named.arn}")
        return named, self._registry.function(named.place, named.function)

    def _check_exclusive(self, named: names.Named, function: FunctionRecord) -> None:
        """A version is provisioned by itself or through one alias, not both."""
        held = {
            key
            for _, _, key, _ in self._documents.find(
                PROVISIONED, named.place.account, named.function
            )
        }
        alias = function.aliases.get(named.qualifier)
        if alias is not None:
            if str(alias.version) in held:
                raise ResourceConflict(
                    "Alias can't be used for Provisioned Concurrency configuration on an already"
                    " Provisioned version"
                )
            return
        for key in held:
            other = function.aliases.get(key)
            if other is not None and str(other.version) == named.qualifier:
                raise ResourceConflict("Version is pointed by a Provisioned Concurrency alias")

    def _check_room(self, named: names.Named, wanted: int) -> None:
        account = named.place.account
        reserved = self._documents.get(RESERVED, account, named.function)
        total = wanted + self._provisioned_total(named)
        if reserved is not None:
            if total > reserved["ReservedConcurrentExecutions"]:
                raise InvalidParameterValue(
                    "Requested Provisioned Concurrency should not be greater than the"
                    " reservedConcurrentExecution for function"
                )
            return
        unreserved = self._total - self._reserved_total(account)
        if total > unreserved:
            raise InvalidParameterValue(
                "Specified ConcurrentExecutions for function is greater than account's unreserved"
                f" concurrency [{unreserved}]."
            )
        if unreserved - total < self._unreserved_min:
            raise InvalidParameterValue(
                "Specified ConcurrentExecutions for function decreases account's"
                " UnreservedConcurrentExecution below its minimum value of"
                f" [{self._unreserved_min}]."
            )

    def _provisioned_total(self, named: names.Named) -> int:
        """What the other qualifiers of a function have provisioned."""
        rows = self._documents.find(PROVISIONED, named.place.account, named.function)
        return sum(value["Requested"] for _, _, key, value in rows if key != named.qualifier)

    def _reserved_total(self, account: str, *, without: str = "") -> int:
        rows = self._documents.find(RESERVED, account)
        return sum(
            int(value["ReservedConcurrentExecutions"])
            for _, function, _, value in rows
            if function != without
        )

    # The account.

    async def _account(self, call: Call) -> Answer:
        account = call.place.account
        functions = self._registry.functions(account)
        config = self._registry.contents.config
        size = sum(
            record.code.size
            for function in functions
            for record in (function.latest, *function.versions.values())
        )
        return Answer(
            document={
                "AccountLimit": {
                    "TotalCodeSize": config.storage_bytes_max,
                    "CodeSizeUnzipped": config.code_bytes_max,
                    "CodeSizeZipped": config.zip_bytes_max,
                    "ConcurrentExecutions": self._total,
                    "UnreservedConcurrentExecutions": self._total - self._reserved_total(account),
                },
                "AccountUsage": {"TotalCodeSize": size, "FunctionCount": len(functions)},
            }
        )


def _shown(document: dict[str, Any], state: ProvisionedState) -> dict[str, Any]:
    shown = {
        "RequestedProvisionedConcurrentExecutions": document["Requested"],
        "AvailableProvisionedConcurrentExecutions": state.available,
        "AllocatedProvisionedConcurrentExecutions": state.available,
        "Status": state.status,
        "LastModified": document["LastModified"],
    }
    if state.reason:
        shown["StatusReason"] = state.reason
    return shown
