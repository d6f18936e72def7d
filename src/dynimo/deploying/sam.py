"""A SAM template as what is wanted: functions, layers, and a list of all that has no effect here.

Pure but for the template's own file. Whatever is not served is named with its line; nothing is
dropped in silence. Source: AWS SAM specification, "AWS::Serverless::Function" and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynimo.deploying import template
from dynimo.deploying.plain import ROLE
from dynimo.deploying.template import NO_VALUE, Table, Unresolved
from dynimo.deploying.wanted import Ignored, Wanted, WantedFunction, WantedLayer
from dynimo.model.errors import DeployError
from dynimo.model.names import Place

NAMES = ("template.yaml", "template.yml", "template.json")
FUNCTION_TYPES = ("AWS::Serverless::Function", "AWS::Lambda::Function")
LAYER_TYPES = ("AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion")
_COPIED = (
    "Handler", "Runtime", "Description", "MemorySize", "Timeout", "Role", "Environment",
    "EphemeralStorage", "Architectures", "LoggingConfig", "SnapStart",
)  # fmt: skip
_SERVED = {
    *_COPIED, "CodeUri", "Code", "InlineCode", "FunctionName", "Layers", "Tags", "Tracing",
    "TracingConfig", "AutoPublishAlias", "FunctionUrlConfig", "Events", "DeadLetterQueue",
    "DeadLetterConfig", "ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig",
    "EventInvokeConfig",
}  # fmt: skip
_TOP = {"AWSTemplateFormatVersion", "Transform", "Description", "Globals", "Parameters", "Mappings",
        "Resources", "Outputs", "Metadata"}  # fmt: skip


@dataclass(slots=True)
class _Reading:
    """One template being read: what its names mean, and what has been left out so far."""

    folder: Path
    tree: Table
    place: Place
    parameters: Mapping[str, str]
    ignored: list[Ignored] = field(default_factory=list)

    def ignore(self, line: int, what: str, why: str) -> None:
        self.ignored.append(Ignored(line, what, why))

    def value(self, table: Table, key: str, where: str) -> Any:
        """A property, resolved; None if it is absent or cannot be known here (and then named)."""
        if key not in table:
            return None
        try:
            found = template.resolved(table[key], self.lookup, self.tree.get("Mappings") or {})
        except Unresolved as error:
            self.ignore(table.lines.get(key, table.line), f"{where}.{key}", str(error))
            return None
        return None if found is NO_VALUE else found

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
            return self._parameter(name, declared[name])
        resource = self.tree["Resources"].get(name)
        if not isinstance(resource, Table):
            raise Unresolved(f"there is no {name!r} in this template")
        return self._of_resource(name, resource, attribute)

    def _parameter(self, name: str, declared: Any) -> str:
        default = declared.get("Default") if isinstance(declared, Mapping) else None
        found = self.parameters.get(name, default)
        if found is None:
            raise DeployError(
                f"The template's parameter {name} has no default; give --parameter {name}=VALUE."
            )
        return str(found)

    def _of_resource(self, name: str, resource: Table, attribute: str) -> Any:
        kind = str(resource.get("Type"))
        if kind in FUNCTION_TYPES:
            function = self.function_name(name, resource)
            return self.place.function(function) if attribute == "Arn" else function
        if kind == "AWS::SQS::Queue":
            queue = _text(resource, "QueueName") or name
            return self.place.arn("sqs", queue) if attribute == "Arn" else queue
        if kind == "AWS::SNS::Topic":
            return self.place.arn("sns", _text(resource, "TopicName") or name)
        raise Unresolved(f"{name} is an {kind}, which nothing here makes")

    def function_name(self, logical: str, resource: Table) -> str:
        """A function's own name, or the one that the template calls it by."""
        properties = resource.get("Properties")
        if isinstance(properties, Table) and "FunctionName" in properties:
            named = self.value(properties, "FunctionName", logical)
            if isinstance(named, str):
                return named
        return logical


def find(folder: Path) -> Path | None:
    """The template of a folder, if it has one."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read(path: Path, place: Place, parameters: Mapping[str, str]) -> Wanted:
    """Read a template.

    Raises:
        DeployError: it is no template, a parameter has no value, or it holds no function.
    """
    tree = template.read(path)
    reading = _Reading(path.parent, tree, place, parameters)
    for key in tree:
        if key not in _TOP:
            reading.ignore(tree.lines[key], key, "not served here")
    defaults = _globals(reading)
    functions: list[WantedFunction] = []
    layers: list[WantedLayer] = []
    for name, resource in tree["Resources"].items():
        line = tree["Resources"].lines[name]
        kind = str(resource.get("Type")) if isinstance(resource, Table) else "nothing"
        if kind in FUNCTION_TYPES:
            functions.append(_function(reading, name, resource, defaults))
        elif kind in LAYER_TYPES:
            layers.append(_layer(reading, name, resource))
        else:
            reading.ignore(line, f"{name} ({kind})", "resources of this type are not made here")
        for key in resource if isinstance(resource, Table) else ():
            if key not in {"Type", "Properties", "Metadata", "DependsOn"}:
                reading.ignore(resource.lines[key], f"{name}.{key}", "not served here")
    if not functions:
        raise DeployError(f"{path} holds no function ({' or '.join(FUNCTION_TYPES)}).")
    ignored = tuple(dict.fromkeys(sorted(reading.ignored, key=lambda each: each.line)))
    return Wanted(functions=tuple(functions), layers=tuple(layers), ignored=ignored)


def _globals(reading: _Reading) -> Table:
    tree = reading.tree.get("Globals")
    if not isinstance(tree, Table):
        return Table(0)
    for key in tree:
        if key != "Function":
            reading.ignore(tree.lines[key], f"Globals.{key}", "not served here")
    found = tree.get("Function")
    return found if isinstance(found, Table) else Table(0)


def _merged(defaults: Table, own: Table) -> Table:
    """SAM's rule: mappings are merged, lists put one behind the other, the rest replaced."""
    table = Table(own.line)
    table.update(defaults)
    table.lines = {**defaults.lines, **own.lines}
    for key, value in own.items():
        before = defaults.get(key)
        if isinstance(before, Table) and isinstance(value, Table) and not _is_call(value):
            table[key] = _merged(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            table[key] = [*before, *value]
        else:
            table[key] = value
    return table


def _is_call(table: Table) -> bool:
    return len(table) == 1 and (next(iter(table)).startswith("Fn::") or "Ref" in table)


def _function(reading: _Reading, logical: str, resource: Table, defaults: Table) -> WantedFunction:
    own = resource.get("Properties")
    properties = _merged(defaults, own if isinstance(own, Table) else Table(resource.line))
    for key in properties:
        if key not in _SERVED:
            line = properties.lines.get(key, resource.line)
            reading.ignore(line, f"{logical}.{key}", "not served here")

    def value(key: str) -> Any:
        return reading.value(properties, key, logical)

    name = reading.function_name(logical, resource)
    settings = {key: found for key in _COPIED if (found := value(key)) is not None}
    settings.setdefault("Role", ROLE.format(account=reading.place.account, name=name))
    for key, number in (("MemorySize", 128), ("Timeout", 3)):
        settings[key] = int(settings.get(key, number))
    _extras(settings, value)
    here, elsewhere = _layers(reading, properties, logical)
    if elsewhere:
        settings["Layers"] = elsewhere
    provisioned = value("ProvisionedConcurrencyConfig") or {}
    reserved = value("ReservedConcurrentExecutions")
    return WantedFunction(
        name=name,
        settings=settings,
        code=_code(reading, properties, logical),
        inline=str(value("InlineCode") or ""),
        tags=_tags(value("Tags")),
        alias=str(value("AutoPublishAlias") or ""),
        url=_url(value("FunctionUrlConfig")),
        mappings=tuple(_events(reading, properties, logical)),
        reserved=int(reserved) if reserved is not None else None,
        provisioned=int(provisioned.get("ProvisionedConcurrentExecutions", 0)) or None,
        asynchronous=_asynchronous(value("EventInvokeConfig")),
        layers_here=here,
    )


def _extras(settings: dict[str, Any], value: Any) -> None:
    dead = value("DeadLetterQueue") or value("DeadLetterConfig")
    if isinstance(dead, Mapping) and dead.get("TargetArn"):
        settings["DeadLetterConfig"] = {"TargetArn": dead["TargetArn"]}
    tracing = value("Tracing") or (value("TracingConfig") or {}).get("Mode")
    if tracing in {"Active", "PassThrough"}:
        settings["TracingConfig"] = {"Mode": tracing}


def _code(reading: _Reading, properties: Table, logical: str) -> Path | None:
    for key in ("CodeUri", "Code"):
        found = reading.value(properties, key, logical)
        if isinstance(found, str) and "://" not in found:
            return reading.folder / found
        if found is not None:
            reading.ignore(properties.lines[key], f"{logical}.{key}", "only a local path is taken")
    return None if "InlineCode" in properties else reading.folder


def _layers(
    reading: _Reading, properties: Table, logical: str
) -> tuple[tuple[str, ...], list[str]]:
    """Layers of this template by name, and others by ARN."""
    here: list[str] = []
    elsewhere: list[str] = []
    for each in properties.get("Layers") or []:
        name = each.get("Ref") if isinstance(each, Mapping) else None
        resource = reading.tree["Resources"].get(name) if name else None
        if isinstance(resource, Table) and resource.get("Type") in LAYER_TYPES:
            here.append(_layer(reading, str(name), resource).name)
            continue
        holder = Table(properties.lines.get("Layers", properties.line))
        holder["Layers"] = each
        found = reading.value(holder, "Layers", logical)
        if isinstance(found, str):
            elsewhere.append(found)
    return tuple(here), elsewhere


def _layer(reading: _Reading, logical: str, resource: Table) -> WantedLayer:
    own = resource.get("Properties")
    properties = own if isinstance(own, Table) else Table(resource.line)
    content = reading.value(properties, "ContentUri", logical) or "."
    runtimes = reading.value(properties, "CompatibleRuntimes", logical) or []
    return WantedLayer(
        name=str(reading.value(properties, "LayerName", logical) or logical),
        content=reading.folder / str(content),
        runtimes=tuple(map(str, runtimes)),
        description=str(reading.value(properties, "Description", logical) or ""),
    )


def _events(reading: _Reading, properties: Table, logical: str) -> list[dict[str, Any]]:
    mappings: list[dict[str, Any]] = []
    events = properties.get("Events")
    for name, event in events.items() if isinstance(events, Table) else ():
        assert isinstance(events, Table)
        where, kind = f"{logical}.Events.{name}", str((event or {}).get("Type"))
        if kind != "SQS":
            why = f"events of type {kind} are not served; a function URL serves HTTP"
            reading.ignore(events.lines[name], where, why)
            continue
        wanted = reading.value(event, "Properties", where) or {}
        if "Queue" not in wanted:
            reading.ignore(events.lines[name], where, "it names no Queue")
            continue
        mapping = {"EventSourceArn": wanted["Queue"]}
        mapping |= {key: each for key, each in wanted.items() if key != "Queue"}
        mappings.append(mapping)
    return mappings


def _url(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


def _tags(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        return {str(each["Key"]): str(each["Value"]) for each in value}
    return {str(key): str(each) for key, each in (value or {}).items()}


def _asynchronous(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    wanted = {key: each for key, each in value.items() if key != "DestinationConfig"}
    places = value.get("DestinationConfig") or {}
    found = {
        key: {"Destination": places[key]["Destination"]}
        for key in ("OnSuccess", "OnFailure")
        if isinstance(places.get(key), Mapping) and places[key].get("Destination")
    }
    return {**wanted, **({"DestinationConfig": found} if found else {})}


def _text(resource: Table, key: str) -> str:
    found = (resource.get("Properties") or {}).get(key)
    return found if isinstance(found, str) else ""
