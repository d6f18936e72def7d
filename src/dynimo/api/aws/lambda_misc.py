"""The small settings of a function that have operations of their own.

Runtime management, recursion control, code signing: kept as documents, shown as the service does.
"""

from __future__ import annotations

from typing import Any

from dynimo.api.aws import lambda_documents as documents
from dynimo.api.aws import names
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.validation import Faults
from dynimo.model.errors import InvalidParameterValue
from dynimo.registry.registry import Registry

RECURSION, RUNTIME_MANAGEMENT = "recursion", "runtime-management"
_FUNCTION = "functions/{FunctionName}"
_RECURSION = f"/2024-08-31/{_FUNCTION}/recursion-config"
_RUNTIME = f"/2021-07-20/{_FUNCTION}/runtime-management-config"
_SIGNING = f"/2020-06-30/{_FUNCTION}/code-signing-config"
_NO_SIGNING = "Dynimo does not sign code; leave code signing configurations out."


class Misc:
    """The operations on small settings."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._documents = registry.documents

    def operations(self) -> list[Operation]:
        """All of them."""
        arn = names.function_arn

        def one(name: str, method: str, path: str, run: Any, status: int = 200) -> Operation:
            return Operation(
                name=name, method=method, path=path, run=run, status=status, resource=arn
            )

        return [
            one("GetFunctionRecursionConfig", "GET", _RECURSION, self._get_recursion),
            one("PutFunctionRecursionConfig", "PUT", _RECURSION, self._put_recursion),
            one("GetRuntimeManagementConfig", "GET", _RUNTIME, self._get_runtime),
            one("PutRuntimeManagementConfig", "PUT", _RUNTIME, self._put_runtime),
            one("GetFunctionCodeSigningConfig", "GET", _SIGNING, self._get_signing),
            one("PutFunctionCodeSigningConfig", "PUT", _SIGNING, self._put_signing),
            one("DeleteFunctionCodeSigningConfig", "DELETE", _SIGNING, self._delete_signing, 204),
        ]

    async def _get_recursion(self, call: Call) -> Answer:
        named = self._named(call)
        held = self._documents.get(RECURSION, named.place.account, named.function)
        return Answer(document=held or {"RecursiveLoop": "Terminate"})

    async def _put_recursion(self, call: Call) -> Answer:
        named = self._named(call)
        wanted = asked(call).get("RecursiveLoop")
        faults = Faults()
        faults.required(wanted, "recursiveLoop")
        faults.one_of(wanted, "recursiveLoop", ("Terminate", "Allow"))
        faults.check()
        document = {"RecursiveLoop": wanted}
        self._documents.put(RECURSION, named.place.account, named.function, "", document)
        return Answer(document=document)

    async def _get_runtime(self, call: Call) -> Answer:
        named = names.named(call)
        self._registry.record(named.place, named.function, named.qualifier)
        key = (named.place.account, named.function, named.qualifier)
        held = self._documents.get(RUNTIME_MANAGEMENT, *key) or {"UpdateRuntimeOn": "Auto"}
        return Answer(document={**held, "FunctionArn": named.arn})

    async def _put_runtime(self, call: Call) -> Answer:
        named = names.named(call)
        record = self._registry.record(named.place, named.function, named.qualifier)
        wanted = asked(call)
        faults = Faults()
        when = wanted.get("UpdateRuntimeOn")
        faults.required(when, "updateRuntimeOn")
        faults.one_of(when, "updateRuntimeOn", ("Auto", "Manual", "FunctionUpdate"))
        faults.check()
        document: dict[str, Any] = {"UpdateRuntimeOn": when}
        if when == "Manual":
            arn = wanted.get("RuntimeVersionArn")
            if arn != documents.runtime_arn(record):
                raise InvalidParameterValue(
                    f"The runtime version {arn} is not on this host, which has"
                    f" {documents.runtime_arn(record)}."
                )
            document["RuntimeVersionArn"] = arn
        key = (named.place.account, named.function, named.qualifier)
        self._documents.put(RUNTIME_MANAGEMENT, *key, document)
        return Answer(document={**document, "FunctionArn": named.arn})

    async def _get_signing(self, call: Call) -> Answer:
        named = self._named(call)
        return Answer(document={"CodeSigningConfigArn": "", "FunctionName": named.function})

    async def _put_signing(self, call: Call) -> Answer:
        self._named(call)
        raise InvalidParameterValue(_NO_SIGNING)

    async def _delete_signing(self, call: Call) -> Answer:
        self._named(call)
        return Answer(status=204)

    def _named(self, call: Call) -> names.Named:
        """The function of a call, which must exist."""
        named = names.named(call)
        self._registry.function(named.place, named.function)
        return named
