"""Writes the page of results: ``scripts/cache-tests``; with ``--nginx`` nginx is run anew too."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.e2e import nginxes
from tests.e2e.cache_tests import nginx, suite, table

PAGE = Path(__file__).parents[3] / "docs/reference/cache-tests.md"
OTHERS = suite.HERE / "others.json"
"""What the suite found of caches that are not run each time, by the name in the page."""


def main() -> None:
    """Run, and write; ``--id ID`` runs one test alone and shows all that went over the wire."""
    package = suite.package()
    tests = suite.cases(package)
    one = sys.argv[sys.argv.index("--id") + 1] if "--id" in sys.argv else ""
    with tempfile.TemporaryDirectory() as scratch, suite.origin(package) as upstream:
        if "--nginx" in sys.argv:
            others = {}
            for name, running in nginx.CACHES.items():
                with nginxes.folder() as folder, running(upstream, folder) as address:
                    others[name] = suite.judged(tests, suite.results(package, address))
            OTHERS.write_text(json.dumps(others, indent=0) + "\n")
        with suite.edge(upstream, Path(scratch)) as address:
            if one:
                sys.stdout.write(suite.results(package, address, one)["text"])
                return
            found = suite.results(package, address)
    ours = suite.judged(tests, found)
    for test in tests:
        if ours[test.id] in table.MISSED and test.kind != "check":
            sys.stderr.write(f"{test.kind} {test.id}: {ours[test.id]} {found.get(test.id)}\n")
    sys.stderr.write(f"{suite.counted(tests, ours)}\n")
    others = json.loads(OTHERS.read_text())
    PAGE.write_text(table.page(tests, ours, others, suite.version(package)))


if __name__ == "__main__":
    main()
