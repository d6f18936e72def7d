"""IIIF on the real program: its public validator, CORS from end to end, a viewer in a browser."""

from __future__ import annotations

import ctypes.util
import json
import os
import queue
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import origins
from tests.e2e.iiif import tools
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TESTS_MIN = {"3.0": 33, "2.0": 30}
"""What level 2 was when this was written."""
BEYOND = {
    "3.0": ("rot_mirror", "rot_full_non90", "rot_region_non90", "linkheader_canonical",
            "linkheader_profile", "format_tif", "format_gif"),
    "2.0": ("rot_mirror", "rot_full_non90", "rot_region_non90", "linkheader_canonical",
            "linkheader_profile", "format_tif", "format_gif", "size_up"),
}  # fmt: skip
"""Tests of level 3 for what we say that there is beyond level 2."""
RUNS_MAX = 3
"""The validator waits 5 s for an answer, which a busy machine may miss; faults come every time."""
SQUARE = 300
COUNT = 8
"""Of squares in each direction, in the picture for the browser."""
BROWSER_SECONDS = 90.0
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "deep-zoom.md"
SEEN_TOLERANCE = 12
"""Of 255: tiles are JPEGs."""


def colour(column: int, row: int) -> tuple[int, int, int]:
    """No two of these are alike within 20 steps."""
    return 20 + 30 * column, 20 + 30 * row, (60 * (column + row)) % 256


def painted(side: int, colours: list[list[tuple[int, int, int]]]) -> Image.Image:
    made = Image.new("RGB", (side * len(colours), side * len(colours[0])))
    for x, column in enumerate(colours):
        for y, each in enumerate(column):
            made.paste(each, (x * side, y * side, (x + 1) * side, (y + 1) * side))
    return made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iiif") / "pics"
    folder.mkdir()
    rows = [[colour(x, y) for y in range(COUNT)] for x in range(COUNT)]
    painted(SQUARE, rows).save(folder / "large.png")
    return folder


@pytest.fixture(scope="module")
def server(pictures: Path) -> Iterator[Server]:
    """Run the program, behind a proxy that it believes: us."""
    settings = pictures.parent / "dynimo.toml"
    settings.write_text('[gateway]\ntrusted_proxies = ["127.0.0.1"]\n')
    flags = ("--source", f"pics={pictures}", "--config", str(settings))
    started = Server(pictures.parent / "data", flags).start()
    yield started
    started.stop()


@pytest.mark.parametrize("version", ["3.0", "2.0"])
def test_the_public_validator_is_content(server: Server, pictures: Path, version: str) -> None:
    """All of level 2, and of level 3 what info.json says that there is."""
    if ctypes.util.find_library("magic") is None:
        pytest.skip("the validator needs libmagic (on Debian: apt-get install libmagic1)")
    python = tools.validator()
    painted(100, tools.squares(python)).save(pictures / "squares-1.png")
    prefix = f"/iiif/{version[0]}/pics%2Fsquares-1.png"
    assert server.get(f"{prefix}/info.json").status == 200  # and by now all of it has started
    address = f"127.0.0.1:{server.port}"
    count, failed = tools.validate(python, address, version, "--level", "2")
    assert count >= TESTS_MIN[version]
    again = [*failed, *BEYOND[version]]
    for _ in range(RUNS_MAX - 1):
        flags = [flag for name in again for flag in ("--test", name)]
        _, failed = tools.validate(python, address, version, *flags)
        again = list(failed)
        if not again:
            return
    assert failed == {}


def test_pages_of_any_origin_may_read_everything(server: Server) -> None:
    """Descriptions, pictures, hits, redirects and refusals; and browsers may ask before."""
    base = "/iiif/3/pics%2Flarge.png"
    origin = {"Origin": "https://viewer.example"}
    answers = {
        f"{base}/info.json": 200, f"{base}/full/90,/0/default.jpg": 200, base: 303,
        f"{base}/full/9000,/0/default.jpg": 400, f"{base}/full/2500,/0/default.jpg": 400,
        f"{base}/9000,0,5,5/max/0/default.jpg": 400, "/iiif/3/pics%2Fnone/info.json": 404,
        "/iiif/3/none/full/max/0/default.jpg": 404, "/iiif/": 404,
    }  # fmt: skip
    for path, status in answers.items():
        for _ in range(2):
            answer = server.get(path, origin)
            assert (answer.status, answer.headers.get("access-control-allow-origin")) == (
                status, "*",
            ), path  # fmt: skip
    asked = {**origin, "Access-Control-Request-Method": "GET"}
    preflight = server.get(f"{base}/info.json", asked, method="OPTIONS")
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD"


def test_a_description_is_cached_by_how_it_was_asked_for(server: Server) -> None:
    """Each media type and each host has its own; the second time from the cache."""
    path = "/iiif/3/pics%2Flarge.png/info.json"
    for accept, kind in (("application/json", "application/json"), ("*/*", "application/ld+json")):
        for told in ("uri-miss|vary-miss", "hit"):
            answer = server.get(path, {"Accept": accept, "Host": "art.example"})
            assert answer.headers["content-type"].startswith(kind)
            assert any(word in answer.headers["cache-status"] for word in told.split("|"))
            assert answer.json["id"] == "http://art.example/iiif/3/pics%2Flarge.png"


def test_behind_a_proxy_the_address_is_the_viewers(server: Server) -> None:
    """Scheme and host that the proxy tells, each with a description of its own in the cache."""
    path = "/iiif/2/pics%2Flarge.png"
    for scheme in ("https", "http", "https"):
        told = {"X-Forwarded-Proto": scheme, "X-Forwarded-Host": "art.example", "Host": "inner"}
        answer = server.get(f"{path}/info.json", told)
        assert answer.json["@id"] == f"{scheme}://art.example{path}"
    assert "hit" in answer.headers["cache-status"]


class Page(origins.Handler):
    """The guide's page, the viewer's files, and an ear for what the page tells."""

    page = b""
    files = Path()
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def get(self) -> None:
        """Give the page, or a file of the viewer's."""
        below = self.path.removeprefix("/openseadragon/")
        file = self.files / below
        known = below != self.path and ".." not in below and file.is_file()
        body = self.page if self.path == "/" else file.read_bytes() if known else b""
        kind = "text/javascript" if self.path.endswith(".js") else "text/html; charset=utf-8"
        kind = "image/png" if self.path.endswith(".png") else kind
        self.say(200 if body else 404, body, {"content-type": kind})

    def post(self) -> None:
        """Hear what the page tells."""
        self.told.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()


def page(info: str, setting: dict[str, Any]) -> bytes:
    """The guide's page with another address in it, and the probe behind it."""
    found = GUIDE.read_text().partition("```html\n")[2].partition("```")[0]
    shown = "http://127.0.0.1:4566/iiif/3/sample%2Fboats.jpg/info.json"
    assert shown in found
    found = found.replace(shown, info).replace(
        "OpenSeadragon({", 'OpenSeadragon({ drawer: "canvas",'
    )
    probe = (Path(tools.__file__).parent / "probe.js").read_text()
    return f"{found}<script>const SETTING = {json.dumps(setting)};{probe}</script>".encode()


def visited(browser: str, folder: Path, html: bytes) -> dict[str, Any]:
    """What the page tells when a browser opens it."""
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handler = type("ThisPage", (Page,), {"page": html, "files": tools.viewer(), "told": heard})
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--window-size=1000,800",
        f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0",
    ]  # fmt: skip
    with origins.listening(handler) as port, (folder / "browser.log").open("wb") as log:
        command.append(f"http://127.0.0.1:{port}/")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            told: dict[str, Any] = heard.get(timeout=BROWSER_SECONDS)
        except queue.Empty:
            said = (folder / "browser.log").read_text(errors="replace")
            raise RuntimeError(f"the page told nothing; the browser said: {said[-2000:]}") from None
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # what we started may be a script around it
            process.wait()
    return told


@pytest.mark.parametrize("version", ["3", "2"])
def test_a_viewer_in_a_browser_shows_the_picture(
    server: Server, tmp_path: Path, version: str
) -> None:
    """The guide's page, from another origin: whole, then near, and every tile where it belongs."""
    browser = tools.browser()
    if shutil.which("npm") is None:
        pytest.skip("npm is needed, for the viewer (on Debian: apt-get install npm)")
    if browser is None:
        pytest.skip("no browser (on Debian: apt-get install chromium-headless-shell)")
    info = f"http://127.0.0.1:{server.port}/iiif/{version}/pics%2Flarge.png/info.json"
    server.get(f"/iiif/{version}/pics%2Flarge.png/full/64,/0/default.jpg")  # all has started now
    middles = [SQUARE // 2 + SQUARE * place for place in range(COUNT)]
    whole = [(x, y) for x in middles for y in middles]
    near = [(x, y) for x in middles[3:5] for y in middles[3:5]]
    detail = [3 * SQUARE, 3 * SQUARE, 2 * SQUARE]
    told = visited(browser, tmp_path, page(info, {"whole": whole, "near": near, "detail": detail}))
    assert told.get("error") is None
    assert (told["width"], told["height"]) == (SQUARE * COUNT, SQUARE * COUNT)
    for points, seen in ((whole, told["whole"]), (near, told["detail"])):
        for (x, y), colours in zip(points, seen, strict=True):
            wanted = colour(x // SQUARE, y // SQUARE)
            away = max(abs(a - b) for a, b in zip(colours, wanted, strict=True))
            assert away <= SEEN_TOLERANCE, (x, y, colours, wanted)
    assert any(",512,512/512,512/" in url or "/512,/" in url for url in told["loaded"])
