"""``dynimo deploy``: show what would change, then change it. A file, or a SAM template."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

from dynimo.cli import exits, words
from dynimo.cli.alias import share
from dynimo.cli.connecting import Refused, account, connected, data_option, json_option, region

MANIFEST_NAME = "app.toml"
Say: TypeAlias = Callable[[str], None]


@click.command("deploy")
@click.argument("source")
@click.option("--name", default="", help="The function's name (a single file only).")
@click.option("--alias", "aliases", help="NAME or NAME=PERCENT%: publish, and lead it there.")
@click.option("--dry-run", is_flag=True, help="Show the difference and stop.")
@click.option("--strict", is_flag=True, help="Refuse a template of which anything is ignored.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="A template's parameter; may be repeated.")  # fmt: skip
@data_option
@json_option
def command(
    source: str,
    name: str,
    aliases: str | None,
    dry_run: bool,
    strict: bool,
    parameters: tuple[str, ...],
    data: str,
    as_json: bool,
) -> int:
    """Deploy SOURCE: FILE[::HANDLER], a folder with app.toml, or one with template.yaml.

    \b
    Examples:
      dynimo deploy hello.py
      dynimo deploy hello.py::greet --name greeter --alias live
      dynimo deploy . --dry-run
      dynimo deploy shop --alias live=10%
    """
    lead = share(aliases) if aliases else None
    if (Path(source) / MANIFEST_NAME).is_file():
        return _app(Path(source), Path(data), lead, dry_run=dry_run, as_json=as_json)

    def say(text: str) -> None:
        if not as_json:
            click.echo(text)

    with connected(data) as client:
        wanted = _wanted(client, source, name, parameters, strict=strict, dry_run=dry_run, say=say)
        report = [
            _row(client, plan, lead, dry_run=dry_run, say=say) for plan in _plans(client, wanted)
        ]
    if as_json:
        ignored = [str(each) for each in wanted.ignored]
        click.echo(json.dumps({"functions": report, "ignored": ignored, "dry_run": dry_run}))
    return exits.OK


def _app(folder: Path, data: Path, lead: Any, *, dry_run: bool, as_json: bool) -> int:
    from dynimo.cli import deploy_app
    from dynimo.model.errors import DeployError

    try:
        return deploy_app.deploy(folder, data, share=lead, dry_run=dry_run, as_json=as_json)
    except DeployError as error:
        raise Refused(str(error), exits.FAILED) from None


def _wanted(
    client: Any,
    source: str,
    name: str,
    parameters: tuple[str, ...],
    *,
    strict: bool,
    dry_run: bool,
    say: Say,
) -> Any:
    """What the source describes, its layers published; tells what of it is ignored."""
    from dynimo.deploying import applying
    from dynimo.model.errors import DeployError

    wanted = read_source(source, name, dict(_pairs(parameters)))
    for each in wanted.ignored:
        click.echo(words.styled(f"ignored  {each}", fg="yellow"), err=True)
    if strict and wanted.ignored:
        raise DeployError(f"{len(wanted.ignored)} things would be ignored (--strict).")
    arns = {each.name: applying.layer(client, each, publish=not dry_run) for each in wanted.layers}
    for arn in arns.values():
        say(f"layer {arn}")
    return applying.with_layers(wanted, arns)


def _plans(client: Any, wanted: Any) -> Any:
    from dynimo.deploying import applying

    return applying.plans(client, wanted)


def _row(client: Any, plan: Any, lead: Any, *, dry_run: bool, say: Say) -> dict[str, Any]:
    """Show the difference of one function, and bring it about unless it is a dry run."""
    say(f"{plan.function.name}")
    changes = [str(change) for change in plan.changes]
    for change in changes:
        say(f"  {change}")
    done: list[str] = []
    if dry_run:
        say("  unchanged" if plan.nothing else "  not done (--dry-run)")
    else:
        done = _carry_out(client, plan, lead, say)
    return {"function": plan.function.name, "changes": changes, "done": done}


def _carry_out(client: Any, plan: Any, lead: Any, say: Say) -> list[str]:
    from dataclasses import replace

    from dynimo.deploying import applying

    done: list[str] = []

    def tell(text: str) -> None:
        done.append(text)
        say(words.styled(f"  ✓ {text}", fg="green"))

    function = plan.function
    if lead is not None:
        function = replace(function, alias=lead[0])
    version = applying.carry_out(client, replace(plan, function=function), tell=tell)
    if version:
        percent = lead[1] if lead is not None else 100.0
        tell(f"version {version}")
        tell(applying.move_alias(client, function.name, function.alias, version, percent))
    return done


def read_source(source: str, name: str, parameters: dict[str, str]) -> Any:
    """The source as what is wanted, by what it is."""
    from dynimo.deploying import plain, sam
    from dynimo.model.names import Place

    path, handler = plain.parse(source)
    place = Place(account(), region())
    if path.is_file() and path.suffix in {".yaml", ".yml", ".json", ".template"}:
        return sam.read(path, place, parameters)
    if path.is_file():
        return plain.read(path, handler, name=name, account=place.account)
    if path.is_dir():
        template = sam.find(path)
        if template is not None:
            return sam.read(template, place, parameters)
        files = sorted(path.glob("*.py"))
        hint = f" Did you mean {files[0]}?" if len(files) == 1 else ""
        text = f"{path} holds neither app.toml nor {' nor '.join(sam.NAMES)}.{hint}"
        raise Refused(text, exits.USAGE)
    raise Refused(f"{path}: there is no such file or folder.", exits.NOT_FOUND)


def _pairs(parameters: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for each in parameters:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.UsageError(f"--parameter {each!r} must be NAME=VALUE")
        pairs.append((name, value))
    return pairs
