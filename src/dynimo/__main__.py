"""``python -m dynimo`` and the ``dynimo`` command. Turns argv into one verb; no work of its own."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; never returns."""
    try:
        # The whole CLI loads here and not at import, so that importing dynimo stays free.
        from dynimo.cli import app

        sys.exit(app.run())
    except KeyboardInterrupt:  # before the command line could listen
        sys.exit(130)


if __name__ == "__main__":
    main()
