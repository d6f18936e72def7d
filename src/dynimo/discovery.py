"""Where apps are found: the built-in ones, those that other packages bring, those a person names.

All three are folders with an app.toml and are loaded alike; nothing here knows any of them by name.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from dynimo.model.errors import DeployError
from dynimo.sdk import app as sdk_app

ENTRY_POINTS = "dynimo.apps"
_PACKAGE = Path(__file__).resolve().parent


def apps(folders: Iterable[str], configured: Container[str] | None = None) -> list[sdk_app.App]:
    """Read every app; a named folder replaces a built-in app of the same name.

    One that comes by itself and waits for settings (``opt_in``) is left out when ``configured``,
    the names of apps with settings, lacks it; without ``configured`` every app is read.

    Raises:
        DeployError: an app.toml cannot be used, or two named folders hold the same app.
    """
    found: dict[str, sdk_app.App] = {}
    for folder in _brought():
        app = _read(folder)
        if not app.opt_in or configured is None or app.name in configured:
            found[app.name] = app
    named: dict[str, Path] = {}
    for folder in map(Path, folders):
        app = _read(folder)
        if app.name in named:
            raise DeployError(
                f"{folder} and {named[app.name]} both hold an app named {app.name!r}."
            )
        named[app.name] = folder
        found[app.name] = app
    return list(found.values())


def _brought() -> list[Path]:
    """Folders of the built-in apps (beside the package, or in the checkout), then entry points."""
    installed, checkout = _PACKAGE.parent / "dynimo_apps", _PACKAGE.parents[1] / "apps"
    home = installed if installed.is_dir() else checkout
    folders = sorted(each.parent for each in home.glob(f"*/{sdk_app.MANIFEST_NAME}"))
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        spec = find_spec(entry.value)
        if spec is None or not spec.submodule_search_locations:
            raise DeployError(f"The entry point {entry.name!r} names no package: {entry.value}")
        folders.append(Path(spec.submodule_search_locations[0]))
    return folders


def _read(folder: Path) -> sdk_app.App:
    try:
        return sdk_app.read(folder)
    except sdk_app.ManifestError as error:
        raise DeployError(str(error)) from None
