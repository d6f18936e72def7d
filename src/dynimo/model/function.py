"""What a function is: its configuration, and its versions. Values only; nothing is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dynimo.model.names import LATEST, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """How lines are written. ``form`` is AWS's ``Text`` or ``JSON``; levels hold for JSON only."""

    form: str = "Text"
    group: str = ""
    """The log group; empty means ``/aws/lambda/NAME``."""
    application_level: str = ""
    system_level: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that the owner of a function decides about one version of it.

    The first part is AWS's, under its meanings (UpdateFunctionConfiguration). ``environment`` is
    None when none was ever given, which AWS shows differently from an empty one. ``layers`` are
    ARNs of layer versions, in the order in which they are laid over each other.

    The second part is Dynimo's own: ``network`` is one of ``sdk.app.NETWORKS``; ``concurrency`` is
    how many requests one environment serves at once; ``reserve`` environments are kept ready;
    ``limit`` is how many may exist (0: one a core for apps, the account's limit for the rest);
    ``idle_seconds`` is how long an idle one is kept; ``packages`` come from the platform's own
    installation; ``files`` are keys of the app's settings whose values are paths it may read.
    """

    handler: str = ""
    runtime: str = "python3.11"
    role: str = ""
    description: str = ""
    timeout_seconds: float = 3
    memory_mib: int = 128
    ephemeral_mib: int = 512
    environment: Mapping[str, str] | None = None
    layers: tuple[str, ...] = ()
    architecture: str = "x86_64"
    dead_letter: str = ""
    logging: Logging = field(default_factory=Logging)
    tracing: str = "PassThrough"
    snap_start: str = "None"
    network: str = "internet"
    concurrency: int = 1
    reserve: int = 0
    limit: int = 0
    idle_seconds: float = 10
    sources: bool = False
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of one function: what can be run.

    ``number`` 0 is ``$LATEST``, the only one that changes; it changes by being replaced by a value
    with another ``revision``. ``sha256`` is the content hash of the code (hex); ``code`` is where
    that content lies, ``layers`` the merged content of its layers, if it has any.
    """

    function: str
    number: int
    sha256: str
    code: Path
    configuration: Configuration
    revision: str = ""
    layers: Path | None = None
    place: Place = field(default_factory=Place)
    # Asked for several times at every invocation, so they are made once.
    label: str = field(init=False, repr=False, compare=False)
    """``$LATEST`` or the number: AWS's Version, and what ExecutedVersion says."""
    function_arn: str = field(init=False, repr=False, compare=False)
    """The name without a qualifier, in AWS's form."""
    arn: str = field(init=False, repr=False, compare=False)
    """The qualified name, in AWS's form."""
    name: str = field(init=False, repr=False, compare=False)
    """Function and label, as people read them."""

    def __post_init__(self) -> None:
        label = str(self.number) if self.number else LATEST
        for attribute, value in (
            ("label", label),
            ("function_arn", self.place.function(self.function)),
            ("arn", self.place.function(self.function, label)),
            ("name", f"{self.function}:{label}"),
        ):
            object.__setattr__(self, attribute, value)

    @property
    def log_group(self) -> str:
        """Where its lines go."""
        return self.configuration.logging.group or f"/aws/lambda/{self.function}"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a name with its qualifier leads.

    ``choices`` are (version, weight) with weights that sum to 1; one only, unless the qualifier is
    an alias with an additional version. ``alias`` is its name, or empty. ``revision`` changes when
    the alias does. ``arn`` is what was asked for, which becomes ``invoked_function_arn``.
    """

    arn: str
    choices: tuple[tuple[Version, float], ...]
    alias: str = ""
    revision: str = ""
