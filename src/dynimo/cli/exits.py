"""Exit codes, in one place, as the manual lists them."""

OK = 0
FAILED = 1
"""The work was done and its result is a failure (a test, a check)."""
USAGE = 2
NOT_FOUND = 3
DENIED = 4
UNAVAILABLE = 69
"""Nothing answers there: is the server up?"""
INTERNAL = 70
CONFIG = 78
INTERRUPTED = 130
