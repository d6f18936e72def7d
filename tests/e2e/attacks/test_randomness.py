"""Environments forked from one zygote must not draw the same numbers."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from dynimo.backends.sandboxes.config import Config
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import Environment, code, zygote

pytestmark = pytest.mark.e2e
SIBLINGS = 5

DRAWING = """
import os, random, secrets, ssl, string, tempfile, uuid
try:
    import numpy
except ImportError:
    numpy = None
# All of them are used before the fork, so that a state that is copied would show.
def draw():
    drawn = {
        "random": random.random(),
        "shuffled": "".join(random.sample(string.ascii_letters, 20)),
        "urandom": os.urandom(16).hex(),
        "secrets": secrets.token_hex(16),
        "uuid4": str(uuid.uuid4()),
        "uuid1": str(uuid.uuid1()),
        "openssl": ssl.RAND_bytes(16).hex(),
        "name": next(tempfile._get_candidate_names()),
        "getrandom": os.getrandom(16).hex(),
    }
    if numpy is not None:
        drawn["numpy"] = float(numpy.random.random())
        drawn["generator"] = float(numpy.random.default_rng().random())
    return drawn
before = draw()
def handler(event, context): return draw()
"""


async def test_siblings_draw_different_numbers(tmp_path: Path) -> None:
    """Every source that was already in use before the fork is fresh after it."""
    packages = ("numpy",) if importlib.util.find_spec("numpy") else ()
    sandbox = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch"))
    try:
        folder = code(tmp_path / "code", DRAWING)
        os.chmod(folder, 0o755)  # noqa: PTH101 - as deployed code is
        async with zygote(sandbox, folder, packages=packages) as started:
            drawn = [await Environment(started).call() for _ in range(SIBLINGS)]
    finally:
        await sandbox.close()
    for source in drawn[0]:
        assert len({each[source] for each in drawn}) == SIBLINGS, source
    assert ("numpy" in drawn[0]) == bool(packages)
