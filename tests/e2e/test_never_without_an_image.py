"""Never without an image: whatever fails behind it, who asks for a picture gets one, marked.

Against the running program, with things really killed, broken and overloaded; and when they are
well again the real picture comes by itself.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests import origins
from tests.e2e.conftest import SAMPLE
from tests.e2e.serving import Answer, Server, name_of

pytestmark = pytest.mark.e2e

BROWSER = {"accept": "image/avif,image/webp,image/png,*/*;q=0.8"}
STEPS = {"stale", "nearest", "cheaper", "preview", "placeholder"}
SHORT = {"DYNIMO_EDGE_STEP_SECONDS": "0.5"}
"""How long a stand-in is good here."""


def _seen(answer: Answer) -> tuple[str, tuple[int, int]]:
    """The step and the size of an answer, which must be a picture."""
    assert answer.status == 200, answer.body
    with Image.open(io.BytesIO(answer.body)) as image:
        image.load()
        assert image.get_format_mimetype() == answer.headers["content-type"]
        size = image.size
    step = answer.headers.get("dynimo-step", "")
    if step:
        assert step in STEPS
        assert answer.headers["cache-control"] == "max-age=1"
        assert f"detail={step}" in answer.headers["cache-status"] or step == "stale"
    return step, size


@dataclass
class Source:
    """A server of one picture that can be made to fail; counts how often it was asked."""

    failing: bool = False
    asked: int = 0
    port: int = 0

    @contextmanager
    def running(self) -> Iterator[Source]:
        source, picture = self, SAMPLE.read_bytes()

        class Handler(origins.Handler):
            def get(self) -> None:
                source.asked += 1
                status, body = (500, b"") if source.failing else (200, picture)
                with contextlib.suppress(OSError):
                    self.say(status, body, {"etag": '"1"'})

        with origins.listening(Handler) as self.port:
            yield self


def test_a_source_that_fails(serve: Callable[..., Server], wait_until: Callable[..., None]) -> None:
    """A placeholder, then the nearest form there is; and the real one when it is well again."""
    with Source(failing=True).running() as source:
        server = serve("--source", f"far=http://127.0.0.1:{source.port}", **SHORT)

        assert _seen(server.get("/img/far/a.jpg?w=300&h=300", BROWSER)) == (
            "placeholder",
            (480, 480),
        )
        asked = source.asked
        assert _seen(server.get("/img/far/a.jpg?w=300&h=300", BROWSER))[0] == "placeholder"
        assert source.asked == asked  # a failure is met once
        source.failing = False
        wait_until(lambda: _seen(server.get("/img/far/a.jpg?w=300", BROWSER))[0] == "")

        source.failing = True
        _kill(server, ("env images-gen",))  # what they keep of the file would do for ten seconds
        step, size = _seen(server.get("/img/far/a.jpg?w=280", BROWSER))
        assert (step, size) == ("nearest", (300, 188))
        plain = server.get("/img/far/a.jpg?w=280", {"accept": "image/jpeg,image/*"})
        assert _seen(plain)[0] == "placeholder"  # the form that there is is AVIF
        refused = server.get("/img/far/a.jpg?w=281", {"accept": "application/json"})
        assert (refused.status, "dynimo-fallback" in refused.headers) == (502, False)
        assert server.get("/img/far/a.jpg?w=0", BROWSER).status == 400
        assert server.get("/img/nowhere/a.jpg?w=1", BROWSER).status == 404


def _kill(server: Server, names: tuple[str, ...]) -> None:
    """Kill every process of these names below a server."""
    for pid in server.family():
        if name_of(pid).startswith(names):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def _killing(server: Server, names: tuple[str, ...]) -> Iterator[None]:
    """Kill every process of these names below a server, over and over."""
    over = threading.Event()

    def kill() -> None:
        while not over.is_set():
            _kill(server, names)
            time.sleep(0.005)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_zygotes_and_environments_that_die_all_the_time(
    serve: Callable[..., Server], wait_until: Callable[..., None]
) -> None:
    """Nothing of the app runs any more, and nobody sees an error; then all is well by itself."""
    server = serve(DYNIMO_EDGE_STEP_PATIENCE_SECONDS="2", **SHORT)
    assert _seen(server.get("/img/sample/boats.jpg?w=300&fm=jpg"))[0] == ""

    with _killing(server, ("zygote", "env images")):
        wait_until(lambda: server.get("/readyz").status != 200)
        targets = [
            f"/img/sample/boats.jpg?w={w}&fm={fm}" for w in (90, 600) for fm in ("jpg", "webp")
        ]
        with ThreadPoolExecutor(4) as pool:
            seen = [_seen(answer) for answer in pool.map(server.get, targets)]

    assert {step for step, _ in seen} <= STEPS
    assert "nearest" in {step for step, _ in seen}  # the path alone says what it is
    assert all(width >= 64 for _, (width, _) in seen)
    for target in targets:
        wait_until(lambda t=target: _seen(server.get(t))[0] == "", seconds=30)


def test_more_than_can_be_done(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Ten times the work, no queue: each gets a picture of a sensible size, and is told so."""
    pics = tmp_path / "pics"
    pics.mkdir()
    shutil.copy(SAMPLE, pics / "a.jpg")
    none = {"DYNIMO_SHEDDING_QUEUE_MAX": "0", "DYNIMO_FUNCTIONS_QUEUE_MAX": "0"}
    server = serve("--source", f"pics={pics}", **none, **SHORT)
    targets = [f"/img/pics/a.jpg?w={w}&fm=avif" for w in range(900, 930)]
    assert "images-spare" not in server.statistics()["functions"]  # nobody needed it so far

    with ThreadPoolExecutor(20) as pool:
        seen = [_seen(answer) for answer in pool.map(server.get, targets)]

    steps = [step for step, _ in seen]
    assert "" in steps  # what can be done is done
    assert set(steps) - {""} <= STEPS
    assert len(set(steps)) > 1
    assert all(width >= 320 for _, (width, _) in seen)
    assert "images-spare" in server.statistics()["functions"]
    counted = server.statistics()["edge"]
    assert counted["steps_placeholder"] + counted["steps_fallback"] + counted["steps_nearest"] > 0
