"""Hostile input and sudden deaths, against the real program: it answers, and nobody suffers."""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests import origins
from tests.e2e.serving import Server, family, name_of

pytestmark = pytest.mark.e2e


def _big(path: Path, side: int = 6000) -> None:
    """A picture that takes a while: noise, so that nothing is easy."""
    noise = Image.frombytes("RGB", (side // 4, side // 4), os.urandom((side // 4) ** 2 * 3))
    noise.resize((side, side)).save(path, quality=90)


def _environments(server: Server) -> list[int]:
    return [pid for pid in server.family() if name_of(pid).startswith("env images-gen")]


def _zygotes(server: Server) -> list[int]:
    return [pid for pid in server.family() if name_of(pid) == "zygote"]


@pytest.fixture
def big(serve: Callable[..., Server], tmp_path: Path) -> Server:
    """A server with one slow picture."""
    (tmp_path / "pics").mkdir()
    _big(tmp_path / "pics" / "big.jpg")
    return serve("--source", f"pics={tmp_path / 'pics'}")


def test_an_environment_killed_in_the_middle_costs_nobody_the_picture(
    big: Server, wait_until: Callable[..., None]
) -> None:
    """The safe request is tried again, once, in a new environment."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(big.get, "/img/pics/big.jpg?w=900&fm=avif")
        wait_until(lambda: _environments(big))
        os.kill(_environments(big)[0], signal.SIGKILL)
        answer = asked.result(60)

    assert (answer.status, answer.headers["content-type"]) == (200, "image/avif")


def test_a_killed_zygote_is_replaced(big: Server, wait_until: Callable[..., None]) -> None:
    """With all its environments gone, the next request is served all the same."""
    assert big.get("/img/pics/big.jpg?w=50").status == 200
    for pid in _zygotes(big):
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: big.get("/readyz").status == 200)
    assert big.get("/img/pics/big.jpg?w=51").status == 200
    wait_until(
        lambda: all(told["zygote_restarts"] >= 1 for told in big.statistics()["functions"].values())
    )


def test_a_killed_server_leaves_no_process_and_an_intact_cache(
    serve: Callable[..., Server], wait_until: Callable[..., None]
) -> None:
    """Kill -9: children go with it; what was stored is served by the next."""
    server = serve()
    made = server.get("/img/sample/boats.jpg?w=300")
    wait_until(lambda: _all_written(server.statistics()["edge"]))
    relatives = server.family()
    server.stop(signal.SIGKILL)

    wait_until(lambda: not any(_alive(pid) for pid in relatives))
    again = serve().get("/img/sample/boats.jpg?w=300")
    assert again.body == made.body
    assert again.headers["cache-status"].startswith("Dynimo; hit")


def _all_written(edge: dict[str, int]) -> bool:
    """Whether the disk has what the edge wanted to keep."""
    return edge["disk_writes"] >= 1 and edge["disk_pending"] == 0


def _alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _png_bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _gif_bomb() -> bytes:
    frames = [Image.new("P", (8, 8), number % 256) for number in range(10_000)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], optimize=False)
    return out.getvalue()


def test_bombs_are_answered_and_disturb_nobody(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """An answer for each, from a worker within its limits, while others are served."""
    pics = tmp_path / "pics"
    pics.mkdir()
    Image.new("RGB", (100, 100), "green").save(pics / "good.png")
    (pics / "bomb.png").write_bytes(_png_bomb())
    (pics / "bomb.gif").write_bytes(_gif_bomb())
    (pics / "bomb.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="99999999" height="99999999"/>'
    )
    (pics / "bomb.tif").write_bytes(
        b"II*\0\x08\0\0\0\x02\0"
        + struct.pack("<HHII", 256, 4, 1, 2**31)
        + struct.pack("<HHII", 257, 4, 1, 2**31)
        + b"\0" * 4
    )
    (pics / "text.jpg").write_text("not a picture at all")
    (pics / "empty.jpg").write_bytes(b"")
    whole = io.BytesIO()
    Image.effect_noise((800, 800), 50).convert("RGB").save(whole, "JPEG")
    (pics / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    server = serve("--source", f"pics={pics}")
    names = ["bomb.png", "bomb.svg", "bomb.tif", "text.jpg", "empty.jpg", "cut.jpg"]

    with ThreadPoolExecutor(8) as pool:
        bad = list(pool.map(lambda name: server.get(f"/img/pics/{name}?w=50"), names))
        good = list(pool.map(lambda n: server.get(f"/img/pics/good.png?w={n}"), range(20, 60)))
        gif = server.get("/img/pics/bomb.gif?w=50")

    assert {name: answer.status for name, answer in zip(names, bad, strict=True)} == dict.fromkeys(
        names, 422
    )
    assert all(answer.json["message"] for answer in bad)
    assert {answer.status for answer in good} == {200}
    assert gif.status in {200, 422}


@pytest.mark.parametrize(
    "path",
    [
        "../../../../etc/passwd",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%2f..%2fetc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%5c..%5cetc%5cpasswd",
        "a.jpg%00.png",
        "%252e%252e%252fetc%252fpasswd",
        "link.jpg",
        "sub/../../secret.jpg",
        "%c0%ae%c0%ae/secret.jpg",
        "fifo.jpg",
        "",
        ".",
    ],
)
def test_no_path_leads_out_of_a_source(shared: Server, path: str) -> None:
    """In any spelling: 400 or 404, and never a byte of it."""
    pics = shared.data.parent / "pics"
    secret = shared.data.parent / "secret.jpg"
    if not secret.exists():
        Image.new("RGB", (8, 8)).save(secret)
        (pics / "link.jpg").symlink_to(secret)
        os.mkfifo(pics / "fifo.jpg")

    answer = shared.get(f"/img/pics/{path}")

    assert answer.status in {400, 404, 422}
    assert b"root:" not in answer.body


class _Origin(origins.Handler):
    """A source server that behaves as its path says."""

    def get(self) -> None:
        match self.path.rpartition("/")[2]:
            case "slow.jpg":
                time.sleep(30)
            case "endless.jpg":
                self.send_response(200)
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(b"x" * 65536)
                except OSError:
                    return
            case "short.jpg":
                self.say(200, b"\xff\xd8\xff", {"content-length": "100000"})
            case "inside.jpg":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:1/secret.jpg")
                self.end_headers()
            case "good.png":
                out = io.BytesIO()
                Image.new("RGB", (64, 64), "teal").save(out, "PNG")
                self.say(200, out.getvalue())
            case _:
                self.send_error(404)


@pytest.fixture
def origin() -> Iterator[str]:
    """A source server on loopback."""
    with origins.listening(_Origin) as port:
        yield f"http://127.0.0.1:{port}/"


TOLD = {"accept": "application/json"}
"""Who wants no picture is told what is wrong, instead of being given something in its place."""


def test_a_source_server_may_be_as_bad_as_it_likes(
    serve: Callable[..., Server], origin: str, tmp_path: Path
) -> None:
    """Slow, endless, lying, redirecting inside: an error with a reason, and the good one works."""
    config = tmp_path / "dynimo.toml"
    config.write_text("[apps.images.limits]\nread_seconds = 1.5\nsource_bytes = 10_000_000\n")
    server = serve("--source", f"far={origin}", "--config", str(config))
    names = ["slow.jpg", "endless.jpg", "short.jpg", "inside.jpg", "none.jpg", "good.png"]
    with ThreadPoolExecutor(6) as pool:
        answers = dict(
            zip(
                names,
                pool.map(lambda n: server.get(f"/img/far/{n}?w=32", TOLD), names),
                strict=True,
            )
        )

    assert answers["good.png"].status == 200
    assert answers["none.jpg"].status == 404
    assert answers["slow.jpg"].status in {422, 504}
    assert answers["endless.jpg"].status == 422
    assert answers["short.jpg"].status in {422, 502}
    assert answers["inside.jpg"].status in {404, 502}
    assert all(answers[name].json["message"] for name in names[:-1])


def test_a_full_disk_is_said_and_served_on(
    serve: Callable[..., Server], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """Without room to store, pictures are still made and kept in memory."""
    if os.geteuid() != 0:
        pytest.skip("a small file system needs root to mount")
    data = tmp_path / "small"
    data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(data)])
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        server = serve(data=data)
        _fill(data / "fill")
        answers = [server.get(f"/img/sample/boats.jpg?w={width}") for width in range(400, 420)]
        again = server.get("/img/sample/boats.jpg?w=400")

        assert {answer.status for answer in answers} == {200}
        assert again.headers["cache-status"].startswith("Dynimo; hit")
        wait_until(lambda: server.statistics()["edge"]["disk_error"])
        server.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def _fill(path: Path) -> None:
    """Take all the room there is, to the last byte."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    for size in (4096, 1):
        try:
            while os.write(file, b"x" * size):
                pass
        except OSError:
            continue
    os.close(file)


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (b"GET /img/pics/a.jpg?w=50&" + b"x" * 65_536 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {414}),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", {431}),
        (b"GET / HTTP/1.1\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding:chunked\r\n\r\n",
            {400},
        ),
        (
            b"GET /img/pics/a.jpg?w=60 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
            {200, 400},
        ),
    ],
    ids=["64 KB URL", "200 headers", "no Host", "two Hosts", "CL and TE", "body on GET"],
)
def test_bad_requests_get_clear_answers(shared: Server, raw: bytes, statuses: set[int]) -> None:
    """And the server lives on."""
    with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as client:
        client.sendall(raw)
        line = client.makefile("rb").readline()

    assert int(line.split()[1]) in statuses
    assert shared.get("/livez").status == 200


def test_an_environment_may_not_eat_the_machine(
    serve: Callable[..., Server], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """Over its memory it is killed, over its time it is killed, and others do not notice."""
    folder = tmp_path / "greedy"
    folder.mkdir()
    (folder / "app.toml").write_text(
        'name = "greedy"\n'
        '[functions.memory]\nhandler = "greedy.memory"\nmemory_mib = 64\ntimeout_seconds = 20\n'
        '[functions.time]\nhandler = "greedy.forever"\ntimeout_seconds = 0.5\n'
        '[functions.well]\nhandler = "greedy.well"\n'
        '[[routes]]\npath = "/memory"\nfunction = "memory"\n'
        '[[routes]]\npath = "/time"\nfunction = "time"\n'
        '[[routes]]\npath = "/well"\nfunction = "well"\n'
    )
    (folder / "greedy.py").write_text(
        "def memory(event, context):\n"
        "    kept = []\n"
        "    while True:\n"
        "        kept.append(bytearray(b'x') * 1_000_000)\n"
        "def forever(event, context):\n"
        "    while True:\n"
        "        pass\n"
        "def well(event, context):\n"
        "    return 'well'\n"
    )
    server = serve("--app", str(folder))
    with ThreadPoolExecutor(4) as pool:
        memory, late = pool.submit(server.get, "/memory"), pool.submit(server.get, "/time")
        well = [server.get("/well").status for _ in range(20)]

    assert (memory.result().status, memory.result().json["error"]) == (502, "over_memory")
    assert (late.result().status, late.result().json["error"]) == (504, "over_time")
    assert well == [200] * 20
    wait_until(lambda: "REPORT RequestId" in server.words())
    assert len(family(server.process.pid)) > 0  # type: ignore[union-attr]
