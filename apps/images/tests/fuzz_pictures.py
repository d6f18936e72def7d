"""Fuzzes one parser of `picture_parsers` for as long as one likes (atheris). CONTRIBUTING.md.

python apps/images/tests/fuzz_pictures.py TARGET FOLDER [-max_total_time=SECONDS]; the corpus stays
in FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from tests import fuzzing

if __name__ == "__main__":
    fuzzing.run("picture_parsers", [
        "decode", "decoding", "dialects", "jpeg", "metadata", "preview", "profiles", "progressive",
        "sfnt", "sniff",
    ])  # fmt: skip
