"""imgproxy's URLs against the running program: keys from its environment, folders and addresses."""

from __future__ import annotations

import hmac
import http.client
import io
import os
import shutil
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e import nginxes
from tests.e2e.conftest import SAMPLE
from tests.e2e.serving import Answer, Server
from tests.origins import serving

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "move-from-imgproxy.md"
KEY, SALT = b"a secret of this test", b"its salt"
ENCRYPTION_KEY, IV = "1b" * 32, "a7" * 16


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server with a key, a source, and one address that it may ask; gives both."""
    folder = tmp_path_factory.mktemp("imgproxy")
    pictures = folder / "pics"
    pictures.mkdir()
    shutil.copy(SAMPLE, pictures / "a b.jpg")
    with serving(pictures) as port:
        config = folder / "dynimo.toml"
        config.write_text(f'[apps.images]\nprivate_hosts = ["127.0.0.1:{port}"]\n')
        server = Server(
            folder / "data",
            (
                *("--source", f"pics={pictures}", "--source", "dead=http://127.0.0.1:9/"),
                *("--config", str(config)),
            ),
            {
                "IMGPROXY_KEY": KEY.hex(),
                "IMGPROXY_SALT": SALT.hex(),
                "IMGPROXY_SOURCE_URL_ENCRYPTION_KEY": ENCRYPTION_KEY,
                "IMGPROXY_ENABLE_CLIENT_HINTS": "true",
                "IMGPROXY_PRESETS": "small=rs:fill:80:60",
                "IMGPROXY_ALLOWED_SOURCES": f"local://,http://127.0.0.1:{port}/",
            },
        ).start()
        yield server, f"http://127.0.0.1:{port}"
        server.stop()


def signed(path: str) -> str:
    """The path of a URL, as imgproxy's clients make it."""
    mac = hmac.digest(KEY, SALT + path.encode(), "sha256")
    return f"/imgproxy/{urlsafe_b64encode(mac).decode().rstrip('=')}{path}"


def encrypted(url: str) -> str:
    """The source of such a URL, made by another program."""
    command = ["openssl", "enc", "-aes-256-cbc", "-K", ENCRYPTION_KEY, "-iv", IV]
    made = subprocess.run(command, input=url.encode(), capture_output=True, check=True, timeout=30)
    return urlsafe_b64encode(bytes.fromhex(IV) + made.stdout).decode().rstrip("=")


def size(answer: Answer) -> tuple[int, int]:
    """The size of an answer, which must be a picture and no stand-in."""
    assert answer.status == 200, answer.body
    assert "dynimo-step" not in answer.headers
    with Image.open(io.BytesIO(answer.body)) as image:
        image.load()
        assert image.get_format_mimetype() == answer.headers["content-type"]
        return image.size


def test_a_signed_url_gives_the_picture_and_a_changed_one_403(there: tuple[Server, str]) -> None:
    """Plain and encoded, of a folder and of an address; percent signs and colons come through."""
    server, web = there
    encoded = urlsafe_b64encode(b"local:///pics/a%20b.jpg").decode().rstrip("=")
    address = f"/pr:small/plain/{web}/a%2520b.jpg@png"
    for path, wanted in (
        ("/rs:fill:120:90:1/g:fp:0.2:0.3/q:70/plain/local:///pics/a%2520b.jpg@jpg", (120, 90)),
        ("/pr:small/w%3A40:1/plain/local:///pics/a%2520b.jpg", None),
        (f"/pr:small/{encoded[:7]}/{encoded[7:]}.webp", (80, 60)),
        (address, (80, 60)),
        ("/rs:fill:40:40/pd:5/-/w:20/plain/local:///pics/a%2520b.jpg", (20, 20)),
    ):
        answer = server.get(signed(path))
        assert (size(answer) if wanted else answer.status) == (wanted or 404)
        assert server.get(signed(path)[:-1] + "x").status == 403
        assert server.get(f"/imgproxy/unsafe{path}").status == 403
    assert "hit" in server.get(signed(address)).headers["cache-status"]


def test_what_is_not_allowed_is_not_asked(there: tuple[Server, str]) -> None:
    """Another port, the server itself, a file: 404, and the answer does not repeat the address."""
    server, _ = there
    for url in (
        f"http://127.0.0.1:{server.port}/",
        "http://169.254.169.254/x",
        "file:///etc/passwd",
    ):
        answer = server.get(signed(f"/plain/{url}"))
        assert answer.status == 404
        assert b"169.254" not in answer.body


def test_an_encrypted_address_is_seen_by_nobody(there: tuple[Server, str]) -> None:
    """In no header, no body and no line of the log, whether there is a picture or not."""
    server, web = there
    for name, status in (("a%20b.jpg", 200), ("gone.jpg", 404)):
        path = f"/w:30/att:1/enc/{encrypted(f'{web}/{name}?token=hidden')}"
        answer = server.get(signed(path))
        assert answer.status == status
        said = repr((answer.headers, b"" if status == 200 else answer.body))
        assert web.removeprefix("http://") not in said
        assert "hidden" not in said + server.words()


def test_a_url_ends_at_its_second(there: tuple[Server, str]) -> None:
    """Until then it is a picture, afterwards 404; no cache of ours keeps it longer."""
    server, _ = there
    ends = int(time.time()) + 2
    path = signed(f"/exp:{ends}/w:31/plain/local:///pics/a%2520b.jpg@jpg")
    first = server.get(path)
    assert size(first)[0] == 31
    assert first.headers["cache-control"] in {"public, max-age=1", "public, max-age=2"}
    while time.time() < ends + 1.1:
        time.sleep(0.1)
    gone = server.get(path)
    assert (gone.status, gone.json["error"]) == (404, "expired")


def test_another_file_stands_in_and_is_marked(there: tuple[Server, str]) -> None:
    """For a file that is not there, and for a server that is not."""
    server, _ = there
    other = urlsafe_b64encode(b"local:///pics/a%20b.jpg").decode()
    gone = server.get(signed(f"/w:40/fiu:{other}/plain/local:///pics/gone.jpg@jpg"))
    assert size(gone)[0] == 40
    assert gone.headers["fallback-image"] == "1"
    dead = server.get(signed(f"/w:40/fiu:{other}/plain/local:///dead/a.jpg@jpg"))
    assert (dead.status, dead.headers["dynimo-step"]) == (200, "instead")
    assert dead.body == gone.body


def test_urls_without_the_prefix_come_through_nginx(there: tuple[Server, str]) -> None:
    """With the lines of the page about moving: signatures fit, whatever the path holds."""
    nginxes.needed()
    server, web = there
    lines = PAGE.read_text().partition("```nginx\n")[2].partition("```")[0]
    with nginxes.folder() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        location = lines.replace("127.0.0.1:4566", f"127.0.0.1:{server.port}")
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; server {{ listen 127.0.0.1:{port};\n{location}}} }}\n"
        )
        free.close()
        command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
        with subprocess.Popen(command, env={"PATH": path}, stderr=subprocess.DEVNULL) as running:
            try:
                for source in ("local:///pics/a%2520b.jpg", f"{web}/a%2520b.jpg%3Fx=1//2"):
                    target = signed(f"/pr:small/plain/{source}@png").removeprefix("/imgproxy")
                    assert size(_through(port, target)) == (80, 60)
            finally:
                running.terminate()


def _through(port: int, target: str) -> Answer:
    """One request to a server that may still be starting."""
    for _ in range(300):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", target)
            got = connection.getresponse()
            headers = {name.lower(): value for name, value in got.getheaders()}
            return Answer(got.status, headers, got.read())
        except ConnectionRefusedError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("nginx did not start")


def test_the_clients_screen_counts_and_caches_know_it(there: tuple[Server, str]) -> None:
    """Where the deployment switched it on."""
    server, _ = there
    path = signed("/w:40/plain/local:///pics/a%2520b.jpg@jpg")
    for _ in range(2):
        for hint, width in (("1", 40), ("2", 80), ("9", 40)):
            assert size(server.get(path, {"sec-ch-dpr": hint}))[0] == width


def test_no_key_is_shown(there: tuple[Server, str]) -> None:
    """Not in the log, nor by the API that describes functions."""
    server, _ = there
    described = server.get("/2015-03-31/functions/").body
    for secret in (KEY.hex(), SALT.hex(), ENCRYPTION_KEY):
        assert secret not in server.words()
        assert secret.encode() not in described


def test_unsigned_urls_are_for_loopback_and_native_ones_share_the_picture(shared: Server) -> None:
    """No key, in development: any signature does; and the native URL's picture is the same."""
    answer = shared.get("/imgproxy/_/rs:fit:64:64:0/q:60/plain/local:///pics/a.jpg@jpg")
    native = shared.get("/img/pics/a.jpg?w=64&h=64&fm=jpg&q=60")
    assert max(size(answer)) == 64
    assert answer.headers["etag"] == native.headers["etag"]
    assert answer.body == native.body


def test_the_format_follows_accept_through_the_cache(shared: Server) -> None:
    """Each client gets its own, from the cache too, and caches are told why."""
    path = "/imgproxy/_/w:48/plain/local:///pics/a.jpg"
    for _ in range(2):
        for accept, kind in (
            ("image/avif,image/webp,*/*", "image/avif"),
            ("image/webp", "image/webp"),
            ("*/*", "image/jpeg"),
        ):
            answer = shared.get(path, {"accept": accept})
            assert answer.headers["content-type"] == kind
            assert "accept" in answer.headers["vary"].lower()
    assert "hit" in answer.headers["cache-status"]
