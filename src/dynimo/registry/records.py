"""What the registry knows of functions, as values and small holders. No storage, no decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynimo.model.function import Configuration
from dynimo.model.names import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Which content: ``sha256`` (hex) of the zip, or of the folder's content for an app.

    ``size`` is the zip's, in bytes; 0 for an app's folder, which was never zipped.
    """

    sha256: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """One version as it is kept; ``number`` 0 is ``$LATEST``. ``modified`` is AWS's text."""

    place: Place
    function: str
    number: int
    configuration: Configuration
    code: Code
    revision: str
    modified: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRecord:
    """One alias; ``additional`` is (version, weight) of its other version, if it has one."""

    name: str
    version: int
    additional: tuple[tuple[int, float], ...] = ()
    description: str = ""
    revision: str


@dataclass(slots=True, kw_only=True)
class FunctionRecord:
    """One function: ``$LATEST``, its versions and aliases, and what is being done to it now.

    ``state`` and ``update`` are AWS's State and LastUpdateStatus. They live in memory only: after a
    restart everything is as active as it can be. ``app`` says that a folder with app.toml made it.
    """

    latest: VersionRecord
    versions: dict[int, VersionRecord] = field(default_factory=dict)
    aliases: dict[str, AliasRecord] = field(default_factory=dict)
    next_number: int = 1
    state: str = "Active"
    update: str = "Successful"
    app: bool = False

    def numbered(self, number: int) -> VersionRecord:
        """The version of a number; 0 is ``$LATEST``. Raises KeyError."""
        return self.versions[number] if number else self.latest


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRecord:
    """One version of a layer. ``created`` is AWS's text."""

    place: Place
    name: str
    number: int
    code: Code
    created: str
    description: str = ""
    license: str = ""
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    policy: Mapping[str, object] | None = None

    @property
    def arn(self) -> str:
        """The layer version's ARN."""
        return self.place.layer(self.name, self.number)
