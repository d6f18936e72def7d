"""The files that one picture is made of: its source, and what lies over it.

Opened together, so that their revisions are known before a byte is read; read together, so that
the validator and the pixels speak of the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

import limits as limit_names
import original as originals
import paths
import refusals

Open = Callable[[str, str], originals.Found]
Read = Callable[[originals.Found, str, str], originals.Original]


class Used:
    """The source, and the further files by their reference ``NAME/path``; `close` it."""

    def __init__(
        self,
        source: tuple[str, str],
        further: Iterable[str],
        open_file: Open,
        *,
        besides: str = "",
    ) -> None:
        """Open them all; ``besides`` is the revision of what else the picture is made of.

        Raises:
            Refusal: one of them is not there; a further one is named.
        """
        self._source = source
        self._besides = besides
        self._held = ExitStack()
        self._further: dict[str, tuple[tuple[str, str], originals.Found]] = {}
        self._read: dict[str, originals.Original] = {}
        self._whole: list[originals.Original] = []
        try:
            self._found = open_file(*source)
            self._held.callback(self._found.close)
            for reference in further:
                place = paths.split(paths.encode(reference))
                try:
                    found = open_file(*place)
                except refusals.Refusal as refusal:
                    raise refusals.of_layer(refusal, reference) from refusal
                self._held.callback(found.close)
                self._further[reference] = place, found
        except BaseException:
            self.close()
            raise

    @property
    def revision(self) -> str | None:
        """The revision of all of them; None when only the bytes can tell. Known after `read`."""
        revisions = [one.revision for one in self._known]
        if None in revisions:
            return None
        return "\n".join(filter(None, (*revisions, self._besides)))

    @property
    def modified(self) -> float | None:
        """When the last of them changed; None when one does not say."""
        times = [one.modified for one in self._known]
        return None if None in times else max(time for time in times if time is not None)

    @property
    def _known(self) -> Sequence[originals.Original | originals.Found]:
        return self._whole or [self._found, *(found for _, found in self._further.values())]

    def read(self, read_file: Read, limits: limit_names.Limits) -> originals.Original:
        """Read them all; give the source's.

        Raises:
            Refusal: one cannot be read; the further ones are too large together.
        """
        whole = read_file(self._found, *self._source)
        left = limits.source_bytes
        for reference, (place, found) in self._further.items():
            try:
                self._read[reference] = read_file(found, *place)
            except refusals.Refusal as refusal:
                raise refusals.of_layer(refusal, reference) from refusal
            left -= len(self._read[reference].data)
            if left < 0:
                raise refusals.unusable(
                    "layers_too_large",
                    f"the layers' files have more than {limits.source_bytes} bytes together"
                    " (limit source_bytes)",
                )
        self._whole = [whole, *self._read.values()]
        return whole

    def fetch(self, reference: str) -> bytes:
        """Give the bytes of a further file, after `read`.

        Raises:
            Refusal: 404; it is none of them.
        """
        if reference not in self._read:
            raise refusals.not_found()
        return self._read[reference].data

    def close(self) -> None:
        """Close them all."""
        self._held.close()
