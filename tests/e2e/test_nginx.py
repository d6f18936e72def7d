"""nginx as the edge: the real one, in front of two real Dynimo edges, in front of an origin."""

from __future__ import annotations

import functools
import os
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import certificates
from tests.e2e import nginxes, serving
from tests.e2e.edges import Origin, cli
from tests.e2e.nginxes import Front

pytestmark = pytest.mark.e2e

HEADERS = {
    "cache-control": "max-age=600",
    "surrogate-key": "red blue",
    "vary": "Accept",
    "etag": '"1"',
    "content-type": "text/plain",
}
OFFERS = ("--offer", "text/html", "--offer", "text/markdown")


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    """An origin whose answers are fresh, bear tags and vary by Accept."""
    with Origin(headers=HEADERS).running() as running:
        yield running


@pytest.fixture(scope="module")
def front(origin: Origin) -> Iterator[Front]:
    """Nginx before two edges; each test asks for paths of its own."""
    nginxes.needed()
    with (
        nginxes.folder() as place,
        nginxes.in_front(origin.address, place, *OFFERS, count=2) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def _own_headers(origin: Origin) -> Iterator[None]:
    """A tag of one test's is no other's: a purge by tag takes what bears it for seconds more."""
    kept = dict(origin.headers)
    yield
    origin.headers = kept


def _hit(front: Front, target: str, **headers: str) -> bool:
    answered = front.get(target, headers)
    assert answered.status == 200
    return answered.headers["cache-status"].endswith("nginx; hit")


def test_what_was_asked_for_is_answered_by_nginx(front: Front, origin: Origin) -> None:
    """A second request reaches nobody behind; what is for caches stays with them."""
    first, second = front.get("/kept"), front.get("/kept")

    assert (first.status, first.body) == (200, b"/kept 1")
    assert (second.status, second.body) == (200, b"/kept 1")
    assert first.headers["cache-status"].endswith("nginx; fwd=miss")
    assert second.headers["cache-status"].endswith("nginx; hit")
    assert origin.asked["/kept"] == 1
    assert not second.headers.keys() & {"surrogate-key", "cache-tag", "x-accel-expires"}
    assert front.get("/kept", {"if-none-match": '"1"'}).status == 304
    assert front.get("/kept", {"range": "bytes=1-4"}).body == b"kept"


def test_many_spellings_are_one_key(front: Front, origin: Origin) -> None:
    """What clients accept is reduced to what is offered; the upstream is told that same form."""
    one = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
    other = "TEXT/HTML ; q=0.7, text/plain, text/markdown;q=0"

    assert not _hit(front, "/many", accept=one)
    assert _hit(front, "/many", accept=other)
    assert not _hit(front, "/many", accept="text/markdown,text/html")
    assert not _hit(front, "/many", accept="text/html;q=0.0")
    assert _hit(front, "/many")
    told = [seen["accept"] for seen in origin.seen if "text/html,*/*" in seen.get("accept", "")]
    assert told


def test_what_varies_by_anything_else_is_not_stored(front: Front, origin: Origin) -> None:
    """The key holds Accept and Accept-Encoding; an answer chosen by more is passed."""
    with Origin(headers={**HEADERS, "vary": "Accept, Accept-Language"}).running() as varied:
        origin.headers, kept = varied.headers, origin.headers
        try:
            for _ in range(2):
                assert not _hit(front, "/varied")
        finally:
            origin.headers = kept


def test_what_is_one_persons_is_neither_looked_up_nor_stored(front: Front) -> None:
    """A request with credentials passes nginx's cache by, in both directions."""
    front.get("/private", {"authorization": "Basic x"})
    assert not _hit(front, "/private")
    assert not _hit(front, "/private", authorization="Basic x")


def test_nginx_keeps_an_answer_no_longer_than_it_is_fresh(
    front: Front, origin: Origin, wait_until: Callable[..., None]
) -> None:
    """The age that an answer had when it came counts, though nginx knows no ages."""
    before = set(front.held())
    origin.headers["age"] = "500"
    try:
        front.get("/aged")
    finally:
        del origin.headers["age"]
    wait_until(lambda: set(front.held()) - before)
    (file,) = set(front.held()) - before
    (until,) = struct.unpack_from("@q", file.read_bytes(), 8)

    assert 0 < until - time.time() <= 101


def test_the_operators_paths_are_not_for_clients(front: Front) -> None:
    """No spelling of them leads through."""
    for target in ("/_dynimo/statistics", "/metrics", "/%5fdynimo/purge", "/x/../_dynimo/health"):
        assert front.get(target).status == 404


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [(("/P/a?x=1",), {"a?x=1"}), (("--prefix", "/P/a"), {"a?x=1", "ab"}),
     (("--tag", "2tag"), {"a?x=1", "ab", "b"}), (("--all",), {"a?x=1", "ab", "b"})],
    ids=["url", "prefix", "tag", "all"],
)  # fmt: skip
def test_what_is_purged_is_asked_for_again(
    front: Front,
    origin: Origin,
    wait_until: Callable[..., None],
    arguments: tuple[str, ...],
    gone: set[str],
) -> None:
    """By URL in all its variants, by prefix, by tag, and all; the servers behind are purged too."""
    place = f"/{len(arguments)}{arguments[0].strip('-/P')[:3]}"
    origin.headers["surrogate-key"] = f"red {place[1:]}"
    targets = {name: f"{place}/{name}" for name in ("a?x=1", "ab", "b")}
    for target in targets.values():  # until it is stored, which is after its first answer
        wait_until(functools.partial(_hit, front, target))
    wait_until(lambda: _hit(front, targets["a?x=1"], accept="text/html"))
    before = origin.asked.copy()

    told = front.purged(*(each.replace("/P", place) for each in arguments))

    assert told.endswith("dropped"), told
    found = {name for name, target in targets.items() if not _hit(front, target)}
    assert found == gone
    assert {name for name in targets if origin.asked[targets[name]] > before[targets[name]]} == gone
    assert _hit(front, targets["a?x=1"], accept="text/html") == ("a?x=1" not in gone)


def test_a_soft_purge_lets_the_old_answer_serve_once_more(
    front: Front, wait_until: Callable[..., None]
) -> None:
    """It is stale from then on: answered while nginx asks behind, then renewed."""
    # For seconds after a purge by tag, what bears the tag and is stored then is taken once more;
    # the tag may be another test's.
    wait_until(lambda: _hit(front, "/soft") and front.purged("/soft", "--soft") == "1 made stale")

    again = front.get("/soft")

    assert (again.status, again.headers["cache-status"][-13:]) == (200, " detail=stale")
    wait_until(lambda: _hit(front, "/soft"))


def test_a_fill_under_way_does_not_survive_a_purge(
    front: Front, origin: Origin, wait_until: Callable[..., None]
) -> None:
    """What was asked for before a purge and stored after it is taken when it is seen."""
    door, asked = threading.Event(), threading.Event()
    origin.headers["surrogate-key"] = "slow"

    def hold(path: str) -> None:
        if path == "/slow":
            asked.set()
            door.wait(30)

    origin.hold = hold
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(front.get, "/slow")
        assert asked.wait(30)
        front.purged("--tag", "slow")
        door.set()
        assert slow.result().body == b"/slow 1"
    origin.hold = None

    wait_until(lambda: front.get("/slow").body != b"/slow 1")


def test_a_crowd_asks_the_origin_once(front: Front, origin: Origin) -> None:
    """Nginx lets one through, and the Dynimo behind joins those whom nginx did not hold."""
    door = threading.Event()
    origin.hold = lambda path: path == "/crowd" and door.wait(30)
    with ThreadPoolExecutor(12) as pool:
        crowd = [pool.submit(front.get, "/crowd") for _ in range(12)]
        door.set()
        assert {each.result().body for each in crowd} == {b"/crowd 1"}
    origin.hold = None

    assert origin.asked["/crowd"] == 1


def test_sighup_loads_anew_and_keeps_the_cache(
    front: Front, wait_until: Callable[..., None]
) -> None:
    """Other processes serve then, and what was stored is there."""
    wait_until(lambda: _hit(front, "/reloaded"))
    assert front.process is not None
    before = set(serving.family(front.process.pid))
    front.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "read anew" in front.words(), 30)

    assert _hit(front, "/reloaded")
    assert set(serving.family(front.process.pid)) - before
    assert "files" in cli("edge", "stats", "--data", str(front.data)).stdout


def test_what_nginx_keeps_no_list_of_is_not_told(front: Front) -> None:
    """The operator hears who can tell it, not that a path of ours is missing."""
    ran = cli("edge", "top", "--data", str(front.data))

    assert ran.returncode == 3
    assert "name the --data of another" in ran.stderr


def test_an_upstream_that_is_gone_is_done_without(
    origin: Origin, wait_until: Callable[..., None]
) -> None:
    """One of two: nobody notices, but a purge says so. Both: what is stored is answered, stale."""
    nginxes.needed()
    with (
        nginxes.folder() as place,
        nginxes.in_front(origin.address, place, *OFFERS, count=2) as front,
    ):
        wait_until(
            lambda: _hit(front, "/stale") and front.purged("/stale", "--soft") == "1 made stale"
        )
        front.behind[0].stop(signal.SIGKILL)
        assert {front.get(f"/one-of-two/{number}").status for number in range(6)} == {200}
        assert "502" in front.purged("/other")
        front.behind[1].stop(signal.SIGKILL)

        assert front.get("/stale").body.startswith(b"/stale ")
        assert front.get("/never-asked-for").status == 502


def test_https_with_a_certificate_that_changes(
    origin: Origin, wait_until: Callable[..., None]
) -> None:
    """HTTP/2 is offered; SIGHUP reads the files anew, and nginx serves with the new one."""
    nginxes.needed()
    with nginxes.folder() as place:
        cert, key = certificates.write(place)
        files = ("--certificate", str(cert), "--certificate-key", str(key))
        front = Front(place / "front", files, upstreams=(origin.address,)).start()
        assert front.process is not None
        assert _presented(front.port) == ("h2", ssl.PEM_cert_to_DER_cert(cert.read_text()))
        certificates.write(place)
        front.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "read anew" in front.words(), 60)

        assert _presented(front.port)[1] == ssl.PEM_cert_to_DER_cert(cert.read_text())
        front.stop()


def _presented(port: int) -> tuple[str | None, bytes | None]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        context.wrap_socket(plain) as secure,
    ):
        return secure.selected_alpn_protocol(), secure.getpeercert(binary_form=True)


def test_neither_lives_without_the_other(origin: Origin, wait_until: Callable[..., None]) -> None:
    """A nginx that ended ends the verb with 1; a verb that was killed takes nginx along."""
    nginxes.needed()
    with nginxes.folder() as place:
        front = Front(place / "front", upstreams=(origin.address,)).start()
        assert front.process is not None
        first = int((place / "front/nginx/nginx.pid").read_text())
        os.kill(first, signal.SIGTERM)
        assert front.process.wait(30) == front.stop() == 1
        assert "nginx ended" in front.words()

        front = Front(place / "front", upstreams=(origin.address,)).start()
        assert front.process is not None
        pids = serving.family(front.process.pid)
        front.stop(signal.SIGKILL)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30)


def test_the_configuration_is_shown_tested_and_written() -> None:
    """--print, --check, and neither; what nginx refuses is told in its words, and not written."""
    nginxes.needed()
    with nginxes.folder() as place:
        asked = ("edge", "nginx", "--upstream", "http://127.0.0.1:1", "--data", str(place / "d"))
        shown, checked, written = cli(*asked, "--print"), cli(*asked, "--check"), cli(*asked)
        refused = cli(*asked, "--certificate", "x.pem", "--certificate-key", "x.key")

        assert shown.returncode == checked.returncode == written.returncode == 0
        assert (place / "d/nginx/nginx.conf").read_text() == shown.stdout
        assert (refused.returncode, refused.stdout) == (78, "")
        assert "nginx refuses" in refused.stderr
        assert "x.pem" in refused.stderr
