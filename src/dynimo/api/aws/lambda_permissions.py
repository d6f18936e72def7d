"""A function's own policy: AddPermission, RemovePermission, GetPolicy. Who it lets is identity's.

Kept as documents of kind ``policy``, one for the function (key empty) and one for each version or
alias that has one: the policy as JSON, exactly as GetPolicy gives it. Its revision is that of what
it is for. Source: recorded answers of the service.
"""

from __future__ import annotations

import json
import re
from typing import Any

from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.names import Named, check_qualifier, function_arn, named
from dynimo.api.aws.validation import Faults
from dynimo.model.errors import (
    InvalidParameterValue,
    PolicyLengthExceeded,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
)
from dynimo.model.names import LATEST
from dynimo.registry.documents import Documents
from dynimo.registry.records import FunctionRecord
from dynimo.registry.registry import Registry

KIND = "policy"
POLICY_BYTES_MAX = 20_480
_PATH = "/2015-03-31/functions/{FunctionName}/policy"
_STATEMENT = r"([a-zA-Z0-9-_]+)"
_REMOVED_STATEMENT = r"([a-zA-Z0-9-_.]+)"
_ACTION = r"(lambda:[*]|lambda:[a-zA-Z]+|[*])"
_SOURCE = (
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-"
    r"\d{1})?:(\d{12})?:(.*)"
)
_ALIAS = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9-_]+")
_SERVICE = re.compile(r"[a-z0-9][a-z0-9.-]*\.(amazonaws\.com(\.cn)?|alexa\.com|amazon\.com)")
_PRINCIPAL = re.compile(
    r"arn:aws[a-zA-Z-]*:(iam::\d{12}:(root|user/[^\s*?]+|role/[^\s*?]+)"
    r"|sts::\d{12}:assumed-role/[^\s*?]+)"
)


class Permissions:
    """The operations on function policies."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def operations(self) -> list[Operation]:
        """What the door is to know."""
        return [
            Operation(name="AddPermission", method="POST", path=_PATH, run=self.add, status=201,
                      resource=function_arn),
            Operation(name="GetPolicy", method="GET", path=_PATH, run=self.get,
                      resource=function_arn),
            Operation(name="RemovePermission", method="DELETE", path=_PATH + "/{StatementId}",
                      run=self.remove, status=204, resource=function_arn),
        ]  # fmt: skip

    async def add(self, call: Call) -> Answer:
        """Let somebody call the function: one more statement."""
        given = asked(call)
        if call.first("Qualifier") == LATEST:
            raise InvalidParameterValue("We currently do not support adding policies for $LATEST.")
        _check(given)
        name = named(call)
        if name.qualifier == LATEST:
            raise InvalidParameterValue("We currently do not support adding policies for $LATEST.")
        function = self._registry.function(name.place, name.function)
        _check_exists(function, name)
        held = self._held(name)
        _check_revision(given.get("RevisionId"), function, name.qualifier)
        statements = _statements(held)
        sid = given["StatementId"]
        if any(each["Sid"] == sid for each in statements):
            raise ResourceConflict(
                f"The statement id ({sid}) provided already exists. Please provide a new statement"
                " id, or remove the existing statement."
            )
        made = statement(given, name.arn)
        self._keep(name, function, [*statements, made])
        return Answer(document={"Statement": _text(made)})

    async def remove(self, call: Call) -> Answer:
        """Take a statement away; with the last one goes the policy."""
        sid = call.parameters["StatementId"]
        faults = Faults()
        faults.pattern(sid, "statementId", _REMOVED_STATEMENT)
        faults.at_most(sid, "statementId", 100)
        faults.check()
        name = named(call)
        if not self._registry.exists(name.place, name.function):
            raise ResourceNotFound(f"No policy found for: {name.arn}")
        function = self._registry.function(name.place, name.function)
        _check_exists(function, name)
        held = self._held(name)
        statements = _statements(held)
        if not statements:
            raise ResourceNotFound("No policy is associated with the given resource.")
        kept = [each for each in statements if each["Sid"] != sid]
        if len(kept) == len(statements):
            raise ResourceNotFound(f"Statement {sid} is not found in resource policy.")
        _check_revision(call.first("RevisionId"), function, name.qualifier)
        self._keep(name, function, kept)
        return Answer()

    async def get(self, call: Call) -> Answer:
        """The policy."""
        name = named(call)
        function = self._registry.function(name.place, name.function, name.qualifier)
        held = self._held(name)
        if held is None:
            _check_exists(function, name)
            raise ResourceNotFound("The resource you requested does not exist.")
        revision = _revision(function, name.qualifier)
        return Answer(document={"Policy": held["Policy"], "RevisionId": revision})

    def _held(self, name: Named) -> dict[str, str] | None:
        documents = self._registry.documents
        found = documents.get(KIND, name.place.account, name.function, _key(name.qualifier))
        return found if isinstance(found, dict) else None

    def _keep(
        self, name: Named, function: FunctionRecord, statements: list[dict[str, Any]]
    ) -> None:
        documents, key = self._registry.documents, _key(name.qualifier)
        if not statements:
            documents.delete(KIND, name.place.account, name.function, key)
            self._registry.touch(function, key)
            return
        text = _text({"Version": "2012-10-17", "Id": "default", "Statement": statements})
        size = len(text.encode())
        if size > POLICY_BYTES_MAX:
            raise PolicyLengthExceeded(
                f"The final policy size ({size}) is bigger than the limit ({POLICY_BYTES_MAX})."
            )
        documents.put(KIND, name.place.account, name.function, key, {"Policy": text})
        self._registry.touch(function, key)


def policy_of(documents: Documents, arn: str) -> tuple[str, str]:
    """(policy as JSON or empty, the ARN that its statements name) of a function's ARN.

    ``$LATEST`` is the function itself, which the policy of the function is about.
    """
    parts = arn.split(":")
    if len(parts) < 7 or parts[2] != "lambda" or parts[5] != "function":
        return "", arn
    key = _key(parts[7]) if len(parts) > 7 else ""
    found = documents.get(KIND, parts[4], parts[6], key)
    return (found["Policy"] if found else ""), (arn if key else ":".join(parts[:7]))


def statement(given: dict[str, Any], arn: str) -> dict[str, Any]:
    """The statement that AddPermission makes of its parameters.

    Raises:
        InvalidParameterValue: the principal is none.
    """
    made: dict[str, Any] = {
        "Sid": given["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(given["Principal"]),
        "Action": given["Action"],
        "Resource": arn,
    }
    equals = {
        key: given[member]
        for member, key in (
            ("FunctionUrlAuthType", "lambda:FunctionUrlAuthType"),
            ("PrincipalOrgID", "aws:PrincipalOrgID"),
            ("SourceAccount", "AWS:SourceAccount"),
            ("EventSourceToken", "lambda:EventSourceToken"),
        )
        if given.get(member)
    }
    condition: dict[str, Any] = {}
    if equals:
        condition["StringEquals"] = equals
    if given.get("InvokedViaFunctionUrl") is not None:
        told = "true" if given["InvokedViaFunctionUrl"] else "false"
        condition["Bool"] = {"lambda:InvokedViaFunctionUrl": told}
    if given.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": given["SourceArn"]}
    if condition:
        made["Condition"] = condition
    return made


def _principal(text: str) -> Any:
    if text == "*":
        return text
    if re.fullmatch(r"\d{12}", text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if _PRINCIPAL.fullmatch(text):
        return {"AWS": text}
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    raise InvalidParameterValue(
        "The provided principal was invalid. Please check the principal and try again."
    )


def _check(given: dict[str, Any]) -> None:
    """The service model's constraints on AddPermission. Raises ValidationFailed."""
    faults = Faults()
    for member in ("StatementId", "Action", "Principal"):
        faults.required(given.get(member), _camel(member))
    for member, pattern in (
        ("StatementId", _STATEMENT), ("Action", _ACTION), ("Principal", r"[^\s]+"),
        ("SourceArn", _SOURCE), ("SourceAccount", r"\d{12}"),
        ("EventSourceToken", r"[a-zA-Z0-9._\-]+"), ("PrincipalOrgID", r"o-[a-z0-9]{10,32}"),
    ):  # fmt: skip
        faults.pattern(given.get(member), _camel(member), pattern)
    faults.at_most(_string(given.get("StatementId")), "statementId", 100)
    faults.at_most(_string(given.get("EventSourceToken")), "eventSourceToken", 256)
    auth = given.get("FunctionUrlAuthType")
    faults.one_of(auth, "functionUrlAuthType", ("NONE", "AWS_IAM"))
    via = given.get("InvokedViaFunctionUrl")
    if via is not None and not isinstance(via, bool):
        faults.add(via, "invokedViaFunctionUrl", "Member must be a boolean")
    faults.check()
    # The patterns above take anything that can be written; what is kept is text.
    texts = {key: value for key, value in given.items() if not isinstance(value, bool | None)}
    given |= {key: str(value) for key, value in texts.items()}
    if auth and given["Action"] not in {"lambda:InvokeFunctionUrl", "lambda:*", "*"}:
        raise InvalidParameterValue(
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"
        )


def _check_exists(function: FunctionRecord, name: Named) -> None:
    """Refuse a version or alias that is not there, in the words for each."""
    qualifier = name.qualifier
    if qualifier in ("", LATEST) or qualifier in function.aliases:
        return
    check_qualifier(qualifier)
    if _ALIAS.fullmatch(qualifier):
        raise ResourceNotFound(f"Cannot find alias arn: {name.arn}")
    if not qualifier.isdecimal() or int(qualifier) not in function.versions:
        raise ResourceNotFound(f"Function not found: {name.arn}")


def _check_revision(given: str | None, function: FunctionRecord, qualifier: str) -> None:
    """Refuse a change made from an old view of what it is for. Raises PreconditionFailed."""
    if given and given != _revision(function, qualifier):
        raise PreconditionFailed(
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API"
            " to retrieve the latest Revision Id"
        )


def _revision(function: FunctionRecord, qualifier: str) -> str:
    if qualifier in function.aliases:
        return function.aliases[qualifier].revision
    record = function.versions.get(int(qualifier)) if qualifier.isdecimal() else None
    return (record or function.latest).revision


def _statements(held: dict[str, str] | None) -> list[dict[str, Any]]:
    if held is None:
        return []
    found: list[dict[str, Any]] = json.loads(held["Policy"])["Statement"]
    return found


def _key(qualifier: str) -> str:
    return "" if qualifier == LATEST else qualifier


def _camel(member: str) -> str:
    return member[0].lower() + member[1:]


def _string(value: Any) -> str | None:
    return None if value is None else str(value)


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
