"""What every kind of source gives back: a file that was found, and then its bytes.

The seam between `source` and the kinds (`folder`, `remote`); values and a protocol only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A whole source file. ``revision`` changes whenever ``data`` does.

    ``modified`` is epoch seconds, None when the source does not say.
    """

    data: bytes
    revision: str
    modified: float | None


class Found(Protocol):
    """A file that exists and may be read; ``close`` it in any case.

    ``revision`` is None when only the bytes can tell.
    """

    @property
    def revision(self) -> str | None:
        """The revision, known without reading the bytes."""

    @property
    def modified(self) -> float | None:
        """When the file last changed, epoch seconds."""

    def read(self) -> Original:
        """Read all of it, within the limits.

        Raises:
            Refusal: over a limit, or it could not be read.
        """

    def beginning(self, size: int) -> bytes:
        """Read the first ``size`` bytes; all of it, if it has no more. Then only `close` it.

        Raises:
            Refusal: it could not be read.
        """

    def close(self) -> None:
        """Give back what is held."""
