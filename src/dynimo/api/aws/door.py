"""The door for AWS's clients: whose request is it, which operation, may they; then the answer.

Given its parts by assembly: the services' operations, who proves a caller, who decides. What is not
AWS-shaped goes on to the next handler. No operation's work happens here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from dynimo.api.aws import lambda_conditions, wire
from dynimo.api.aws.calls import Call, Operation
from dynimo.api.aws.routing import Table
from dynimo.identity.refusals import InvalidSignature
from dynimo.model.caller import Caller
from dynimo.model.caller import Proof as Proof  # noqa: PLC0414 - told on from here
from dynimo.model.errors import AwsError, DynimoError
from dynimo.model.names import Place
from dynimo.web import ids
from dynimo.web.message import Handler, Request, Response

log = logging.getLogger("dynimo.api")

_ALGORITHM = "AWS4-HMAC-SHA256"
_SIGNATURE_QUERY = "X-Amz-Signature="
_REST_PREFIXES = (
    "/2014-11-13/", "/2015-03-31/", "/2016-08-19/", "/2017-03-31/", "/2017-10-31/", "/2018-10-31/",
    "/2019-09-25/", "/2019-09-30/", "/2020-04-22/", "/2020-06-30/", "/2021-07-20/", "/2021-10-31/",
    "/2021-11-15/", "/2024-08-31/", "/2025-11-30/", "/2025-12-01/", "/2026-07-09/",
)  # fmt: skip
_FUNCTION_URL = ".lambda-url."
"""In the Host of a function's address; there every path is the function's own."""
_FUNCTION_URL_PATH = "/lambda-url/"
_THREAD_BYTES_MIN = 512 * 1024
"""A body of this size is hashed beside the loop, which has others to serve."""
_NAME_BYTES_MAX = 4096
"""Where in a body the Query protocol's Action is looked for."""
_TARGETS = {"Logs_20140328": "logs", "TrentService": "kms"}
"""The first part of X-Amz-Target → the service's signing name."""


class Unknown(AwsError):
    """No operation is behind that."""

    status = 404
    code = "UnknownOperationException"
    message_key = "Message"


class Gatekeeper(Protocol):
    """Who proves callers, and decides what they may."""

    def authenticate(self, request: Request) -> Proof:
        """Prove it. Raises AwsError when the request is not what it says."""

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, Sequence[str]]
    ) -> None:
        """Let it pass. Raises AccessDenied."""


class Door:
    """A Handler in front of another: takes what is AWS's, hands on the rest."""

    def __init__(
        self,
        services: Mapping[str, Sequence[Operation]],
        gatekeeper: Gatekeeper,
        following: Handler,
        *,
        region: str,
    ) -> None:
        self._rest = {"lambda": Table(services.get("lambda", ()))}
        self._named = {
            name: {operation.path: operation for operation in operations}
            for name, operations in services.items()
        }
        self._gatekeeper = gatekeeper
        self._following = following
        self._region = region

    @staticmethod
    def is_upload(request: Request) -> bool:
        """Whether a request may carry a zip, or a payload that is to be refused in AWS's words."""
        return request.method in {"POST", "PUT"} and request.path.startswith(_REST_PREFIXES)

    async def __call__(self, request: Request) -> Response:
        """Answer a request of AWS's kind; give any other to the next handler."""
        service = self._service(request)
        if service is None:
            return await self._following(request)
        request_id = request.request_id = request.request_id or ids.request_id()
        rpc = service not in self._rest
        try:
            answer = await self._run(request, service)
        except DynimoError as error:
            return self._refusal(error, request_id, service, rpc=rpc)
        except Exception:
            log.exception(
                "%s %s failed", request.method, request.path, extra={"request": request_id}
            )
            return self._refusal(wire.internal_error(), request_id, service, rpc=rpc)
        return answer

    async def _run(self, request: Request, service: str) -> Response:
        if isinstance(request.proof, Proof):
            proof = request.proof
        elif len(request.body) < _THREAD_BYTES_MIN:
            proof = self._gatekeeper.authenticate(request)
        else:
            proof = await asyncio.to_thread(self._gatekeeper.authenticate, request)
        operation, parameters = self._operation(request, service)
        if proof.caller.signed and proof.service != service:
            raise InvalidSignature(f"Credential should be scoped to correct service: '{service}'.")
        call = Call(
            request=request,
            place=Place(proof.caller.account, self._region),
            caller=proof.caller,
            parameters=parameters,
            signed_region=proof.region,
        )
        if not operation.decides:
            action = operation.action or f"{service}:{operation.name}"
            resource = operation.resource(call) if operation.resource is not None else "*"
            context = lambda_conditions.of(operation.name, call)
            self._gatekeeper.authorize(proof.caller, action, resource, context)
        answer = await operation.run(call)
        return wire.response(answer, operation.status, request.request_id)

    def _service(self, request: Request) -> str | None:
        """The signing name of the service that a request is for, or None if for no such."""
        if _FUNCTION_URL in request.headers.get("host") or request.path.startswith(
            _FUNCTION_URL_PATH
        ):
            return None
        target = request.headers.get("x-amz-target")
        if target:
            return _TARGETS.get(target.partition(".")[0], "")
        if request.path.startswith(_REST_PREFIXES):
            return "lambda"
        if request.path == "/" and request.method == "POST":
            authorization = request.headers.get("authorization")
            if authorization.startswith(_ALGORITHM) and "/sts/" in authorization:
                return "sts"
            if _action(request.body):
                return "sts"
        if request.path == "/" and request.method == "GET" and "Action=" in request.query:
            return "sts" if _SIGNATURE_QUERY in request.query else None
        return None

    def _operation(self, request: Request, service: str) -> tuple[Operation, dict[str, str]]:
        if service in self._rest:
            found = self._rest[service].find(request.method, request.path, request.query)
        else:
            operation = self._named.get(service, {}).get(_operation_name(request))
            found = (operation, {}) if operation is not None else None
        if found is None:
            asked = _operation_name(request) or f"{request.method} {request.path}"
            # Whom the client means says its signature; by the path alone, IAM's is STS's.
            meant = credential_scope(request)[2] or service or "that service"
            raise Unknown(f"Dynimo serves no operation {asked!r} of {meant}.")
        return found

    def _refusal(self, error: DynimoError, request_id: str, service: str, *, rpc: bool) -> Response:
        if service == "sts":
            return wire.query_refusal(error, request_id)
        return wire.refusal(error, request_id, rpc=rpc)


def _operation_name(request: Request) -> str:
    """The name that JSON-RPC puts in a header, and the Query protocol into the body."""
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2]
    return _action(request.body if request.method == "POST" else request.query.encode())


def _action(form: bytes) -> str:
    """The Action of the Query protocol, or nothing."""
    for part in form[:_NAME_BYTES_MAX].split(b"&"):
        if part.startswith(b"Action="):
            return part[7:].decode("ascii", "replace")
    return ""


class Open:
    """A gatekeeper that lets everybody in as the account's root: for a platform without keys.

    A 12-digit access key id names the account, as clients of a development endpoint expect.
    """

    def __init__(self, account: str) -> None:
        self._account = account

    def authenticate(self, request: Request) -> Proof:
        """Believe the access key id, if it is an account's number."""
        scope = credential_scope(request)
        account = scope[0] if len(scope[0]) == 12 and scope[0].isdigit() else self._account
        caller = Caller(arn=f"arn:aws:iam::{account}:root", account=account, access_key=scope[0])
        return Proof(caller=caller, region=scope[1], service=scope[2])

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, Sequence[str]]
    ) -> None:
        """Everything is allowed."""


def credential_scope(request: Request) -> tuple[str, str, str]:
    """(access key id, region, service) as the request names them, unproved; empty when absent."""
    text = request.headers.get("authorization")
    if not text.startswith(_ALGORITHM) and _SIGNATURE_QUERY in request.query:
        from urllib.parse import unquote  # noqa: PLC0415 - presigned requests are few

        text = unquote(request.query).replace("X-Amz-Credential=", "Credential=")
    _, found, rest = text.partition("Credential=")
    parts = rest.partition(",")[0].partition("&")[0].strip().split("/")
    return (parts[0], parts[2], parts[3]) if found and len(parts) == 5 else ("", "", "")
