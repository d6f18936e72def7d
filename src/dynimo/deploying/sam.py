"""A SAM template as what is wanted: functions, layers, and a list of all that has no effect here.

Pure but for the template's own file. Whatever is not served is named with its line; nothing is
dropped in silence. Source: AWS SAM specification, "AWS::Serverless::Function" and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dynimo.deploying import shapes, template
from dynimo.deploying.meaning import FUNCTION_TYPES, Reading, as_text, check_parameters, is_call
from dynimo.deploying.plain import ROLE
from dynimo.deploying.template import Table
from dynimo.deploying.wanted import Output, Wanted, WantedFunction, WantedLayer
from dynimo.model.errors import DeployError
from dynimo.model.names import Place

NAMES = ("template.yaml", "template.yml", "template.json")
LAYER_TYPES = ("AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion")
_COPIED = (
    "Handler", "Runtime", "Description", "MemorySize", "Timeout", "Role", "Environment",
    "EphemeralStorage", "Architectures", "LoggingConfig", "SnapStart",
)  # fmt: skip
_SERVED = {
    *_COPIED, "CodeUri", "Code", "InlineCode", "FunctionName", "Layers", "Tags", "Tracing",
    "TracingConfig", "AutoPublishAlias", "FunctionUrlConfig", "Events", "DeadLetterQueue",
    "DeadLetterConfig", "ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig",
    "EventInvokeConfig", "PackageType",
}  # fmt: skip
_TOP = {"AWSTemplateFormatVersion", "Transform", "Description", "Globals", "Parameters", "Mappings",
        "Conditions", "Resources", "Outputs", "Metadata"}  # fmt: skip
_ELSEWHERE = ("AWS::SQS::Queue", "AWS::SNS::Topic")
"""What is not made here, but may be there already (``backlog.aws_endpoint``)."""


def find(folder: Path) -> Path | None:
    """The template of a folder, if it has one."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read(path: Path, place: Place, parameters: Mapping[str, str]) -> Wanted:
    """Read a template.

    Raises:
        DeployError: it is no template, or is not shaped like one; a parameter has no value; it
            holds no function.
    """
    tree = template.read(path)
    shapes.check(path, tree)
    reading = Reading(path.parent, tree, place, parameters)
    check_parameters(path, tree, parameters)
    for key in tree:
        if key not in _TOP:
            reading.ignore(tree.lines[key], key, "not served here")
    defaults = _globals(reading)
    functions: list[WantedFunction] = []
    layers: list[WantedLayer] = []
    for name, resource in tree["Resources"].items():
        line = tree["Resources"].lines[name]
        kind = str(resource.get("Type")) if isinstance(resource, Table) else "nothing"
        if isinstance(resource, Table) and not reading.made(name, resource):
            continue  # the template's own wish, hence nothing that is ignored
        if kind in FUNCTION_TYPES:
            functions.append(_function(reading, name, resource, defaults))
        elif kind in LAYER_TYPES:
            layers += _layer(reading, name, resource)
        elif kind in _ELSEWHERE:
            why = "not made here; what names it finds it at backlog.aws_endpoint"
            reading.ignore(line, f"{name} ({kind})", why)
        else:
            reading.ignore(line, f"{name} ({kind})", "resources of this type are not made here")
        for key in resource if isinstance(resource, Table) else ():
            if key not in {"Type", "Properties", "Metadata", "DependsOn", "Condition"}:
                reading.ignore(resource.lines[key], f"{name}.{key}", "not served here")
    if not functions:
        raise DeployError(f"{path} holds no function ({' or '.join(FUNCTION_TYPES)}).")
    outputs = tuple(_outputs(reading))
    ignored = tuple(dict.fromkeys(sorted(reading.ignored, key=lambda each: each.line)))
    return Wanted(
        functions=tuple(functions), layers=tuple(layers), ignored=ignored, outputs=outputs
    )


def _outputs(reading: Reading) -> Iterator[Output]:
    reading.deployed = True
    outputs = reading.tree.get("Outputs")
    for name, output in outputs.items() if isinstance(outputs, Table) else ():
        if not isinstance(output, Table) or not reading.made(name, output):
            continue
        value = reading.value(output, "Value", f"Outputs.{name}")
        if value is not None:
            about = reading.value(output, "Description", f"Outputs.{name}")
            yield Output(name, as_text(value), str(about or ""))


def _globals(reading: Reading) -> Table:
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
        if isinstance(before, Table) and isinstance(value, Table) and not is_call(value):
            table[key] = _merged(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            table[key] = [*before, *value]
        else:
            table[key] = value
    return table


def _function(reading: Reading, logical: str, resource: Table, defaults: Table) -> WantedFunction:
    own = resource.get("Properties")
    properties = _merged(defaults, own if isinstance(own, Table) else Table(resource.line))
    for key in properties:
        if key not in _SERVED:
            line = properties.lines.get(key, resource.line)
            reading.ignore(line, f"{logical}.{key}", "not served here")

    def value(key: str) -> Any:
        found = reading.value(properties, key, logical)
        shapes.check_property(properties, key, found, logical)
        return found

    name = reading.function_name(logical, resource)
    settings = {key: found for key in _COPIED if (found := value(key)) is not None}
    settings.setdefault("Role", ROLE.format(account=reading.place.account, name=name))
    for key, number in (("MemorySize", 128), ("Timeout", 3)):
        settings[key] = _number(settings.get(key, number))
    _extras(settings, value)
    code, inline = _code(reading, properties, logical)
    here, elsewhere = _layers(reading, properties, logical)
    mappings = tuple(_events(reading, properties, logical))
    if elsewhere:
        settings["Layers"] = elsewhere
    provisioned = value("ProvisionedConcurrencyConfig") or {}
    count = _count(provisioned, f"{logical}.ProvisionedConcurrencyConfig")
    reserved = value("ReservedConcurrentExecutions")
    alias = str(value("AutoPublishAlias") or "")
    if count and not alias:
        line = properties.lines["ProvisionedConcurrencyConfig"]
        where = f"{logical}.ProvisionedConcurrencyConfig"
        reading.ignore(line, where, "only an alias can have it; add AutoPublishAlias")
    return WantedFunction(
        name=name,
        settings=settings,
        code=code,
        inline=inline,
        tags=_tags(value("Tags")),
        alias=alias,
        url=_url(value("FunctionUrlConfig")),
        mappings=mappings,
        reserved=int(_number(reserved)) if reserved is not None else None,
        provisioned=count or None,
        asynchronous=_asynchronous(reading, value("EventInvokeConfig"), logical),
        layers_here=here,
    )


def _count(provisioned: Mapping[str, Any], where: str) -> int:
    key = "ProvisionedConcurrentExecutions"
    count = provisioned.get(key, 0)
    table = provisioned if isinstance(provisioned, Table) else Table(0)
    shapes.check_property(table, key, count, where)
    return int(count)


def _extras(settings: dict[str, Any], value: Any) -> None:
    dead = value("DeadLetterQueue") or value("DeadLetterConfig")
    if isinstance(dead, Mapping) and dead.get("TargetArn"):
        settings["DeadLetterConfig"] = {"TargetArn": dead["TargetArn"]}
    tracing = value("Tracing") or (value("TracingConfig") or {}).get("Mode")
    if tracing in {"Active", "PassThrough"}:
        settings["TracingConfig"] = {"Mode": tracing}
    variables = (settings.get("Environment") or {}).get("Variables")
    if isinstance(variables, Mapping):  # YAML has numbers; an environment has texts
        settings["Environment"] = {
            "Variables": {str(key): as_text(each) for key, each in variables.items()}
        }
    if isinstance(settings.get("EphemeralStorage"), Mapping):
        settings["EphemeralStorage"] = {
            key: _number(each) for key, each in settings["EphemeralStorage"].items()
        }


def _code(reading: Reading, properties: Table, logical: str) -> tuple[Path | None, str]:
    """A local path, or the text of an only module.

    Raises:
        DeployError: the code is somewhere else, or no zip.
    """
    if reading.value(properties, "PackageType", logical) not in {None, "Zip"}:
        raise DeployError(f"{logical}.PackageType is not Zip, and nothing else is served.")
    inline = reading.value(properties, "InlineCode", logical)
    for key in ("CodeUri", "Code"):
        found = reading.value(properties, key, logical)
        if isinstance(found, Mapping) and isinstance(found.get("ZipFile"), str):
            return None, str(found["ZipFile"])
        if isinstance(found, str) and "://" not in found:
            return reading.folder / found, ""
        if found is not None:
            where = f"line {properties.lines[key]}: {logical}.{key}"
            raise DeployError(f"{where}: only a path beside the template can be deployed.")
    return (None, str(inline)) if inline is not None else (reading.folder, "")


def _layers(reading: Reading, properties: Table, logical: str) -> tuple[tuple[str, ...], list[str]]:
    """Layers of this template by name, and others by ARN."""
    here: list[str] = []
    elsewhere: list[str] = []
    layers = properties.get("Layers") or []
    if isinstance(layers, Table):  # an intrinsic function gives the list
        layers = reading.value(properties, "Layers", logical)
    shapes.check_property(properties, "Layers", layers, logical)
    for each in layers or []:
        name = each.get("Ref") if isinstance(each, Mapping) else None
        resource = reading.tree["Resources"].get(name) if name else None
        if isinstance(resource, Table) and resource.get("Type") in LAYER_TYPES:
            here += [layer.name for layer in _layer(reading, str(name), resource)]
            continue
        holder = Table(properties.lines.get("Layers", properties.line))
        holder["Layers"] = each
        found = reading.value(holder, "Layers", logical)
        if isinstance(found, str):
            elsewhere.append(found)
    return tuple(here), elsewhere


def _layer(reading: Reading, logical: str, resource: Table) -> list[WantedLayer]:
    own = resource.get("Properties")
    properties = own if isinstance(own, Table) else Table(resource.line)
    content = reading.value(properties, "ContentUri", logical) or "."
    if "Content" in properties or "://" in str(content) or isinstance(content, Mapping):
        line = properties.lines.get("Content", properties.line)
        reading.ignore(line, f"{logical}.Content", "only a path beside the template is taken")
        return []
    runtimes = reading.value(properties, "CompatibleRuntimes", logical) or []
    return [
        WantedLayer(
            name=str(reading.value(properties, "LayerName", logical) or logical),
            content=reading.folder / str(content),
            runtimes=tuple(map(str, runtimes)),
            description=str(reading.value(properties, "Description", logical) or ""),
        )
    ]


def _events(reading: Reading, properties: Table, logical: str) -> list[dict[str, Any]]:
    mappings: list[dict[str, Any]] = []
    events = properties.get("Events")
    shapes.check_property(properties, "Events", events, logical)
    for name, event in events.items() if isinstance(events, Table) else ():
        assert isinstance(events, Table)
        where = f"{logical}.Events.{name}"
        kind = str(event.get("Type")) if isinstance(event, Table) else "nothing"
        if kind != "SQS":
            hint = "; a function URL serves HTTP" if kind in {"Api", "HttpApi"} else ""
            why = f"events of type {kind} are not served{hint}"
            reading.ignore(events.lines[name], where, why)
            continue
        wanted = reading.value(event, "Properties", where)
        if not isinstance(wanted, Mapping) or "Queue" not in wanted:
            reading.ignore(events.lines[name], where, "it names no Queue")
            continue
        mapping = {"EventSourceArn": wanted["Queue"]}
        mapping |= {key: _number(each) for key, each in wanted.items() if key != "Queue"}
        mappings.append(mapping)
    return mappings


def _url(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


def _tags(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        return {str(each["Key"]): str(each["Value"]) for each in value}
    return {str(key): str(each) for key, each in (value or {}).items()}


def _asynchronous(reading: Reading, value: Any, logical: str) -> dict[str, Any] | None:
    if not isinstance(value, Table):
        return None
    wanted = {key: _number(each) for key, each in value.items() if key != "DestinationConfig"}
    places = value.get("DestinationConfig")
    found: dict[str, Any] = {}
    for key, place in places.items() if isinstance(places, Table) else ():
        assert isinstance(places, Table)
        if isinstance(place, Mapping) and place.get("Destination"):
            found[key] = {"Destination": place["Destination"]}
            continue
        where = f"{logical}.EventInvokeConfig.DestinationConfig.{key}"
        why = "it names no Destination that is known here, and none is made"
        reading.ignore(places.lines[key], where, why)
    return {**wanted, **({"DestinationConfig": found} if found else {})} or None


def _number(value: Any) -> Any:
    """A parameter's value is text; where it is a number or a truth, it is meant as one."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
