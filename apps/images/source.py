"""Which kind of source a name stands for, and opening a file in it.

The kinds are `folder` and `remote`; both give an `original.Found`. An address of its own (see
`urls`) is its own base, and so are colours (see `solid`).
"""

from __future__ import annotations

from collections.abc import Mapping

import folder
import limits as limit_names
import original
import paths
import refusals
import remote
import solid
import urls


def base(name: str, sources: Mapping[str, str]) -> str | None:
    """Give what a name stands for; None for nothing."""
    return name if name in (*paths.ADDRESSES, solid.NAME) else sources.get(name)


def open_file(
    base: str | None, path: str, *, client: remote.Client, limits: limit_names.Limits
) -> original.Found:
    """Open ``path`` in the source at ``base``: a folder, or an http(s) address.

    Raises:
        Refusal: 404 when there is no such source or file; 5xx when it cannot be reached.
    """
    if base is None:
        raise refusals.not_found()
    if base in paths.ADDRESSES:
        return client.open_url(urls.address(base, path))
    if base == solid.NAME:
        return solid.open_file(path)
    if base.startswith(("http://", "https://")):
        return client.open_file(base, path)
    return folder.open_file(base, path, limits)
