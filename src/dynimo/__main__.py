"""``python -m dynimo`` and the ``dynimo`` command. Turns argv into one verb; no work of its own."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; never returns."""
    _open_what_is_closed()
    try:
        # The whole CLI loads here and not at import, so that importing dynimo stays free.
        from dynimo.cli import app

        sys.exit(app.run())
    except KeyboardInterrupt:  # before the command line could listen
        sys.exit(130)


def _open_what_is_closed() -> None:
    """Give closed standard streams (``>&-``) a file, before another file takes their number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            # Lives as long as the program: nobody closes it.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
            os.set_inheritable(number, True)


if __name__ == "__main__":
    main()
