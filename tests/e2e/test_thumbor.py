"""thumbor's URLs against the running program: signed by its clients, answered as by itself."""

from __future__ import annotations

import base64
import hmac
import io
import shutil
import time
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.e2e.conftest import SAMPLE
from tests.e2e.serving import Answer, Server

pytestmark = pytest.mark.e2e

KEY = "my-security-key"


def signed(path: str) -> str:
    """Sign as thumbor's clients do."""
    digest = hmac.new(KEY.encode(), path.encode(), "sha1").digest()
    return f"/thumbor/{base64.urlsafe_b64encode(digest).decode()}/{path}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as a thumbor deployment would start it: with thumbor's own environment."""
    folder = tmp_path_factory.mktemp("thumbor")
    (folder / "pics" / "some").mkdir(parents=True)
    shutil.copy(SAMPLE, folder / "pics" / "some" / "image.jpg")
    environment = {"SECURITY_KEY": KEY, "ALLOW_UNSAFE_URL": "True"}
    source = ("--source", f"pics={folder / 'pics'}")
    started = Server(folder / "data", source, environment).start()
    yield started
    started.stop()


def size(answer: Answer) -> tuple[int, int]:
    assert answer.status == 200, answer.body
    with Image.open(io.BytesIO(answer.body)) as image:
        image.load()
        return image.size


def test_a_signed_url_is_answered_and_a_changed_one_is_not(server: Server) -> None:
    """400 for another size under the same hash, as thumbor says it."""
    url = signed("300x200/pics/some/image.jpg")
    answer = server.get(url)
    assert size(answer) == (300, 200)
    assert "skipped-filters" not in answer.headers
    changed = server.get(url.replace("300x200", "301x200"), {"accept": "application/json"})
    assert (changed.status, changed.json["error"]) == (400, "bad_signature")


def test_left_out_filters_are_named_in_each_answer(server: Server) -> None:
    """Also in one from the cache; and not in that of another URL of the same picture."""
    path = "/thumbor/unsafe/50x40/filters:red_eye():format(png)/pics/some/image.jpg"
    for _ in range(2):
        answer = server.get(path)
        assert size(answer) == (50, 40)
        assert answer.headers["skipped-filters"] == "red_eye"
    other = server.get(path.replace("red_eye():", ""))
    assert "hit" in other.headers["cache-status"]
    assert (other.body, other.headers.get("skipped-filters")) == (answer.body, None)


def test_meta_tells_what_would_be_done(server: Server) -> None:
    """JSON in thumbor's words, and no picture in its place."""
    answer = server.get("/thumbor/unsafe/meta/fit-in/300x300/pics/some/image.jpg")
    assert answer.headers["content-type"] == "application/json"
    told = answer.json["thumbor"]
    with Image.open(SAMPLE) as image:
        assert (told["source"]["width"], told["source"]["height"]) == image.size
    assert told["target"]["width"] == 300
    assert [one["type"] for one in told["operations"]] == ["resize"]


def test_a_colour_needs_no_file_and_a_layer_comes_from_a_source(server: Server) -> None:
    """Imagor's composition: a canvas of one colour, and a picture with operations of its own."""
    layer = "image(/40x30/pics/some/image.jpg,right,bottom)"
    answer = server.get(f"/thumbor/unsafe/100x80/filters:{layer}:format(png)/color:0000ff")
    assert size(answer) == (100, 80)
    with Image.open(io.BytesIO(answer.body)) as image:
        seen = image.convert("RGB")
    assert seen.getpixel((1, 1)) == seen.getpixel((59, 49)) == (0, 0, 255)
    assert seen.getpixel((80, 65)) != (0, 0, 255)


def test_what_is_good_for_a_time_is_not_kept_longer(server: Server) -> None:
    """The stored picture may live on; this URL's answer does not."""
    until = int((time.time() + 100) * 1000)
    path = "/thumbor/unsafe/60x40/filters:{}format(png)/pics/some/image.jpg"
    assert server.get(path.format("")).headers["cache-control"].startswith("public, max-age=3600")
    answer = server.get(path.format(f"expire({until}):"))
    assert "hit" in answer.headers["cache-status"]
    assert 60 <= int(answer.headers["cache-control"].rpartition("=")[2]) <= 100
    expired = server.get(path.format("expire(1000):"), {"accept": "application/json"})
    assert expired.status == 410
