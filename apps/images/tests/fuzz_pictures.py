"""Fuzzes one parser for as long as one likes, led by what it reaches (atheris). CONTRIBUTING.md.

python apps/images/tests/fuzz_pictures.py TARGET FOLDER [-max_total_time=SECONDS]; the corpus stays
in FOLDER. The targets are those of `picture_parsers`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
INCLUDE = [
    "decode", "decoding", "dialects", "jpeg", "metadata", "preview", "profiles", "progressive",
    "sfnt", "sniff",
]  # fmt: skip


def main() -> None:
    """Fuzz; a mistake is written to a file in the working folder, and ends it."""
    sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[2] / "src")]
    with atheris.instrument_imports(include=INCLUDE):
        from picture_parsers import TARGETS  # noqa: PLC0415
    name, folder, *options = sys.argv[1:]
    target, seeds = TARGETS[name]
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    begins = seeds()
    for number, seed in enumerate(begins):
        (corpus / f"seed-{number}").write_bytes(seed)
    longest = f"-max_len={2 * max(map(len, begins))}"
    atheris.Setup([sys.argv[0], str(corpus), longest, *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
