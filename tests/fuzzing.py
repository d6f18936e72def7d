"""What fuzzing a parser shares: how bytes are damaged, and the run for as long as one likes.

An app's table of targets lies beside its tests: by name what is promised for any bytes, and bytes
to begin from. No asserts, and no parser.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Target = Callable[[bytes], None]
"""Returns where the parser kept its promise; what it raises is a mistake of ours."""
Table = Mapping[str, tuple[Target, Callable[[], list[bytes]]]]

_EDITS = st.lists(
    st.tuples(st.integers(0, 5_000), st.integers(0, 9), st.binary(max_size=9)),
    min_size=1,
    max_size=4,
)


@st.composite
def damaged(draw: Any, seeds: list[bytes]) -> bytes:
    """One of the seeds, bytes cut out and others put in, up to four times."""
    body: bytes = draw(st.sampled_from(seeds))
    for at, cut, put in draw(_EDITS):
        begin = at % (len(body) + 1)
        body = body[:begin] + put + body[begin + cut :]
    return body


def run(table: str, include: list[str]) -> None:
    """Fuzz by the command line: TARGET FOLDER, then options of atheris's; the corpus stays there.

    ``table`` is the module beside the script that has ``TARGETS``; the run is led by what it
    reaches in the modules ``include``. A mistake is written to a file in the working folder.
    """
    import atheris

    here, name, folder, *options = sys.argv
    tests = Path(here).resolve().parent
    sys.path[:0] = [str(tests), str(tests.parent), str(tests.parents[2] / "src")]
    with atheris.instrument_imports(include=include):
        targets: Table = import_module(table).TARGETS
    target, seeds = targets[name]
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    begins = seeds()
    for number, seed in enumerate(begins):
        (corpus / f"seed-{number}").write_bytes(seed)
    longest = f"-max_len={2 * max(map(len, begins))}"
    atheris.Setup([here, str(corpus), longest, *options], target)
    atheris.Fuzz()
