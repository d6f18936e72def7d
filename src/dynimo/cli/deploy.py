"""``dynimo deploy``: show what would change, then change it. A file, or a SAM template."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from dynimo.cli import exits, words
from dynimo.cli.alias import share
from dynimo.cli.connecting import Refused, account, connected, data_option, json_option, region

if TYPE_CHECKING:
    from dynimo.deploying.client import Client
    from dynimo.deploying.wanted import Wanted

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
    given = dict(_pairs(parameters))
    lead = share(aliases) if aliases else None
    if (Path(source) / MANIFEST_NAME).is_file():
        _only_for_templates(source, "an app", name=name, parameters=given)
        return _app(Path(source), Path(data), lead, dry_run=dry_run, as_json=as_json)
    say: Say = (lambda _: None) if as_json else click.echo
    with connected(data) as client:
        wanted = _wanted(source, name, given, strict=strict)
        return _deploy(client, wanted, lead, dry_run=dry_run, as_json=as_json, say=say)


def _app(folder: Path, data: Path, lead: Any, *, dry_run: bool, as_json: bool) -> int:
    from dynimo.cli import deploy_app
    from dynimo.model.errors import DeployError

    try:
        return deploy_app.deploy(folder, data, share=lead, dry_run=dry_run, as_json=as_json)
    except DeployError as error:
        raise Refused(str(error), exits.FAILED) from None


def _wanted(source: str, name: str, parameters: dict[str, str], *, strict: bool) -> Wanted:
    """What the source describes; tells what of it is ignored, and which packages are not there."""
    from dynimo.deploying import requirements
    from dynimo.model.errors import DeployError

    wanted = read_source(source, name, parameters)
    for each in wanted.ignored:
        click.echo(words.styled(f"ignored  {each}", fg="yellow"), err=True)
    if strict and wanted.ignored:
        count = len(wanted.ignored)
        things = "1 thing" if count == 1 else f"{count} things"
        raise DeployError(f"{things} would be ignored (--strict).")
    for text in requirements.missing(wanted):
        click.echo(words.styled(text, fg="yellow"), err=True)
    return wanted


def _deploy(
    client: Client,
    wanted: Wanted,
    lead: tuple[str, float] | None,
    *,
    dry_run: bool,
    as_json: bool,
    say: Say,
) -> int:
    """Show every difference, then bring it about unless it is a dry run."""
    from dynimo.deploying import applying

    layers = {each.name: applying.layer(client, each, publish=False) for each in wanted.layers}
    planned = list(applying.plans(client, applying.with_layers(wanted, layers)))
    for each in layers.values():
        say(f"layer {each}")
    for one in planned:
        say(one.function.name)
        for text in [str(change) for change in one.changes] or ["unchanged"]:
            say(f"  {text}")
        if dry_run and lead:
            say(f"  alias {lead[0]}: {lead[1]:g}% to what is new")
    rows = {
        one.function.name: {"changes": [str(change) for change in one.changes], "done": []}
        for one in planned
    }
    outputs: dict[str, str] = {}
    if dry_run:
        say("not done (--dry-run)")
    else:
        outputs = _carry_out(client, wanted, lead, rows, say)
    if as_json:
        ignored = [str(each) for each in wanted.ignored]
        functions = [{"function": name, **row} for name, row in rows.items()]
        told = {"functions": functions, "ignored": ignored, "outputs": outputs, "dry_run": dry_run}
        click.echo(json.dumps(told))
    return exits.OK


def _carry_out(
    client: Client,
    wanted: Wanted,
    lead: tuple[str, float] | None,
    rows: dict[str, Any],
    say: Say,
) -> dict[str, str]:
    """Deploy; return the template's outputs."""
    from dynimo.deploying import applying, besides

    def tell(name: str, text: str) -> None:
        rows[name]["done"].append(text)
        say(words.styled(f"✓ {name}: {text}", fg="green"))

    to = applying.Lead(*lead) if lead else None
    done = applying.deploy(client, wanted, tell=tell, lead=to)
    urls = {each.name: besides.address(client, each) for each in done.functions if each.url}
    for name, url in urls.items():
        rows[name]["url"] = url
        say(f"  {name}  {url.rstrip('/')}")
    outputs = {each.name: _with_urls(each.value, urls) for each in wanted.outputs}
    for output, value in outputs.items():
        say(f"  {output} = {value}")
    return outputs


def _with_urls(text: str, urls: dict[str, str]) -> str:
    from dynimo.deploying.wanted import url_mark

    for name, url in urls.items():
        text = text.replace(url_mark(name), url)
    return text


def _only_for_templates(
    source: str, what: str, *, name: str = "", parameters: dict[str, str]
) -> None:
    """Refuse options that would have no effect."""
    for option, value in (("--name", name), ("--parameter", parameters)):
        if value:
            fits = "a single file" if option == "--name" else "a template"
            raise click.UsageError(f"{source} is {what}, and {option} is for {fits}")


def read_source(source: str, name: str, parameters: dict[str, str]) -> Wanted:
    """The source as what is wanted, by what it is."""
    from dynimo.deploying import plain, sam
    from dynimo.deploying.trial import near
    from dynimo.model.names import Place

    path, handler = plain.parse(source)
    place = Place(account(), region())
    if path.is_file() and path.suffix in {".yaml", ".yml", ".json", ".template"}:
        _only_for_templates(source, "a template", name=name, parameters={})
        return sam.read(path, place, parameters)
    if path.is_file():
        _only_for_templates(source, "a file", parameters=parameters)
        return plain.read(path, handler, name=name, account=place.account)
    if path.is_dir():
        template = sam.find(path)
        if template is not None:
            _only_for_templates(source, "a template", name=name, parameters={})
            return sam.read(template, place, parameters)
        files = sorted(path.glob("*.py"))
        hint = f" Did you mean {files[0]}?" if len(files) == 1 else ""
        text = f"{path} holds neither app.toml nor {' nor '.join(sam.NAMES)}.{hint}"
        raise Refused(text, exits.NOT_FOUND)
    raise Refused(f"{path}: there is no such file or folder.{near(path)}", exits.NOT_FOUND)


def _pairs(parameters: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for each in parameters:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.UsageError(f"--parameter {each!r} must be NAME=VALUE")
        pairs.append((name, value))
    return pairs
