"""Which kind of source a name stands for, and opening a file in it.

The kinds are `folder` and `remote`; both give an `original.Found`.
"""

from __future__ import annotations

import folder
import limits as limit_names
import original
import refusals
import remote


def open_file(
    base: str | None, path: str, *, client: remote.Client, limits: limit_names.Limits
) -> original.Found:
    """Open ``path`` in the source at ``base``: a folder, or an http(s) address.

    Raises:
        Refusal: 404 when there is no such source or file; 5xx when it cannot be reached.
    """
    if base is None:
        raise refusals.not_found()
    if base.startswith(("http://", "https://")):
        return client.open_file(base, path)
    return folder.open_file(base, path, limits)
