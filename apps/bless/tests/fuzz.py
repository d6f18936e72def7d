"""Fuzzes one parser of `fuzz_parsers` for as long as one likes (atheris). CONTRIBUTING.md.

python apps/bless/tests/fuzz.py TARGET FOLDER [-max_total_time=SECONDS]; the corpus stays in FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from tests import fuzzing

if __name__ == "__main__":
    fuzzing.run("fuzz_parsers", ["sshca", "possession", "revocation", "transparency"])
