"""``python -m dynimo.fronts``: one front process; the core begins it."""

import sys

from dynimo.fronts.process import main

main(sys.argv[1:])
