"""What the names of one SAM template mean: parameters, conditions, resources, and what SAM makes.

Notes what cannot be known here, with its line. What a function is made of, is ``sam``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynimo.deploying import intrinsics
from dynimo.deploying.intrinsics import NO_VALUE, Unresolved
from dynimo.deploying.template import Table
from dynimo.deploying.wanted import Ignored, url_mark
from dynimo.model.errors import DeployError
from dynimo.model.names import Place

FUNCTION_TYPES = ("AWS::Serverless::Function", "AWS::Lambda::Function")


@dataclass(slots=True)
class Reading:
    """One template being read: what its names mean, and what has been left out so far."""

    folder: Path
    tree: Table
    place: Place
    parameters: Mapping[str, str]
    ignored: list[Ignored] = field(default_factory=list)
    deployed: bool = False
    """Whether what is read is told after the deployment, when URLs are known."""

    def ignore(self, line: int, what: str, why: str) -> None:
        """Note what has no effect."""
        self.ignored.append(Ignored(line, what, why))

    def value(self, table: Table, key: str, where: str) -> Any:
        """A property, resolved; None if it is absent or cannot be known here (and then named)."""
        if key not in table:
            return None
        try:
            found = intrinsics.resolved(table[key], self.scope)
        except Unresolved as error:
            if isinstance(table[key], Table) and not is_call(table[key]):
                return self._known(table[key], f"{where}.{key}")
            self.ignore(table.lines.get(key, table.line), f"{where}.{key}", str(error))
            return None
        return None if found is NO_VALUE else found

    def _known(self, table: Table, where: str) -> Table:
        """Of a structure, what can be known here."""
        known = Table(table.line)
        known.lines = table.lines
        for key in table:
            found = self.value(table, key, where)
            if found is not None:
                known[key] = found
        return known

    @property
    def scope(self) -> intrinsics.Scope:
        """What names mean in this template."""
        mappings, conditions = (self.tree.get(key) or {} for key in ("Mappings", "Conditions"))
        return intrinsics.Scope(self.lookup, mappings, conditions)

    def made(self, logical: str, resource: Table) -> bool:
        """Whether the resource's condition is true, or it has none; what is unknown is made."""
        if "Condition" not in resource:
            return True
        try:
            return intrinsics.holds(str(resource["Condition"]), self.scope)
        except Unresolved as error:
            self.ignore(resource.lines["Condition"], f"{logical}.Condition", str(error))
            return True

    def lookup(self, name: str, attribute: str) -> Any:
        """What ``Ref`` (no attribute) or ``GetAtt`` gives."""
        pseudo = {
            "AWS::Region": self.place.region, "AWS::AccountId": self.place.account,
            "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.folder.resolve().name, "AWS::NoValue": NO_VALUE,
        }  # fmt: skip
        if name in pseudo and not attribute:
            return pseudo[name]
        declared = self.tree.get("Parameters") or {}
        if name in declared and not attribute:
            return parameter(name, declared[name], self.parameters.get(name))
        logical, dot, property_ = name.partition(".")
        if dot and not attribute:  # !Ref Function.Alias is SAM's own
            name, attribute = logical, property_
        resource = self.tree["Resources"].get(name)
        if not isinstance(resource, Table):
            return self._made_by_sam(name, attribute)
        if not self.made(name, resource):
            raise Unresolved(f"{name} is not made: its condition is false")
        return self._of_resource(name, resource, attribute)

    def _made_by_sam(self, name: str, attribute: str) -> Any:
        """What SAM makes beside a function: its URL, under the function's name and ``Url``."""
        logical = name.removesuffix("Url")
        function = self.tree["Resources"].get(logical)
        if logical == name or not isinstance(function, Table):
            raise Unresolved(f"there is no {name!r} in this template")
        if attribute != "FunctionUrl" or not self.deployed:
            raise Unresolved(f"the URL of {logical} is known only after it is deployed")
        return url_mark(self.function_name(logical, function))

    def _of_resource(self, name: str, resource: Table, attribute: str) -> Any:
        kind = str(resource.get("Type"))
        if kind in FUNCTION_TYPES:
            return self._of_function(name, resource, attribute)
        if kind == "AWS::SQS::Queue":
            queue = _plain(resource, "QueueName") or name
            if not attribute:
                return f"https://sqs.{self.place.region}.amazonaws.com/{self.place.account}/{queue}"
            return self.place.arn("sqs", queue) if attribute == "Arn" else queue
        if kind == "AWS::SNS::Topic":
            return self.place.arn("sns", _plain(resource, "TopicName") or name)
        raise Unresolved(f"{name} is an {kind}, which nothing here makes")

    def _of_function(self, name: str, resource: Table, attribute: str) -> str:
        function = self.function_name(name, resource)
        if attribute in {"", "Arn"}:
            return self.place.function(function) if attribute else function
        properties = resource.get("Properties")
        alias = (
            self.value(properties, "AutoPublishAlias", name)
            if isinstance(properties, Table)
            else None
        )
        if attribute == "Alias" and alias:
            return self.place.function(function, str(alias))
        raise Unresolved(f"{name} has no {attribute!r} that is known before it is deployed")

    def function_name(self, logical: str, resource: Table) -> str:
        """A function's own name, or the one that the template calls it by."""
        properties = resource.get("Properties")
        if isinstance(properties, Table) and "FunctionName" in properties:
            named = self.value(properties, "FunctionName", logical)
            if isinstance(named, str):
                return named
        return logical


def is_call(table: Table) -> bool:
    """Whether this is an intrinsic function and no structure."""
    return len(table) == 1 and (next(iter(table)).startswith("Fn::") or "Ref" in table)


def parameter(name: str, declared: Any, given: str | None) -> Any:
    """A parameter's value: the one given, else its default.

    Raises:
        DeployError: there is none, or it is not among the allowed.
    """
    declared = declared if isinstance(declared, Mapping) else {}
    found = declared.get("Default") if given is None else given
    if found is None:
        raise DeployError(
            f"The template's parameter {name} has no default; give --parameter {name}=VALUE."
        )
    text = as_text(found)
    allowed = [as_text(each) for each in declared.get("AllowedValues") or []]
    if allowed and text not in allowed:
        raise DeployError(f"The template's parameter {name} must be one of {', '.join(allowed)}.")
    listed = str(declared.get("Type", "")) in {"CommaDelimitedList", "List<Number>"}
    return [each.strip() for each in text.split(",")] if listed else text


def check_parameters(path: Path, tree: Table, given: Mapping[str, str]) -> None:
    """Refuse a parameter that the template does not declare.

    Raises:
        DeployError: there is one.
    """
    declared = sorted(tree.get("Parameters") or {})
    for name in given:
        if name not in declared:
            there = f"it has {', '.join(declared)}" if declared else "it has none"
            raise DeployError(f"{path} has no parameter {name}; {there}.")


def as_text(value: Any) -> str:
    """A value as CloudFormation makes text of it."""
    if isinstance(value, list):
        return ",".join(as_text(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(resource: Table, key: str) -> str:
    found = (resource.get("Properties") or {}).get(key)
    return found if isinstance(found, str) else ""
