"""The main job, from outside: a picture that did not exist a moment ago, and then is kept."""

from __future__ import annotations

import io
import itertools
import re
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import SAMPLE
from tests.e2e.meeting import WAITS, Meeting
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e
ONE_RENDER = 'dynimo_invocations_total{function="images-generate"}'


def _size(body: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(body)).size


def test_a_picture_is_made_on_demand_and_then_kept(shared: Server) -> None:
    """Miss, then hit; both with all that a cache and a person want to know."""
    first = shared.get("/img/pics/a.jpg?w=321")
    second = shared.get("/img/pics/a.jpg?w=321")

    assert (first.status, second.status) == (200, 200)
    assert _size(first.body)[0] == 321
    assert second.body == first.body
    assert first.headers["content-type"] == "image/jpeg"
    assert first.headers["cache-status"] == "Dynimo; fwd=uri-miss; stored"
    assert re.fullmatch(r"Dynimo; hit; ttl=\d+", second.headers["cache-status"])
    assert re.fullmatch(r'"[\w.-]+"', first.headers["etag"])
    assert first.headers["vary"].lower() == "accept"
    assert "public" in first.headers["cache-control"]
    assert int(first.headers["content-length"]) == len(first.body)
    assert "last-modified" in first.headers
    for span in ("queue", "init", "fetch", "decode", "resize", "encode"):
        assert span in first.headers["server-timing"]


def test_validators_give_304(shared: Server) -> None:
    """Who has it need not get it again."""
    answer = shared.get("/img/pics/a.jpg?w=322")
    by_tag = shared.get("/img/pics/a.jpg?w=322", {"if-none-match": answer.headers["etag"]})
    by_date = shared.get(
        "/img/pics/a.jpg?w=322", {"if-modified-since": answer.headers["last-modified"]}
    )

    assert (by_tag.status, by_tag.body) == (304, b"")
    assert (by_date.status, by_date.body) == (304, b"")
    assert by_tag.headers["etag"] == answer.headers["etag"]


def test_head_is_get_without_the_body(shared: Server) -> None:
    """Also when it is the first to ask."""
    head = shared.get("/img/pics/a.jpg?w=323", method="HEAD")
    got = shared.get("/img/pics/a.jpg?w=323")

    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(got.body))
    assert head.headers["etag"] == got.headers["etag"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/avif,image/webp,*/*", "image/avif"),
        ("image/avif;q=0.1,image/webp;q=0.9", "image/webp"),
        ("image/avif;q=0,image/webp", "image/webp"),
        ("image/*,*/*;q=0.8", "image/jpeg"),
        ("", "image/jpeg"),
    ],
)
def test_accept_chooses_the_format(shared: Server, accept: str, kind: str) -> None:
    """By q-values; what is only a wildcard is no promise to understand a new format."""
    answer = shared.get("/img/pics/a.jpg?w=100", {"accept": accept} if accept else {})

    assert (answer.status, answer.headers["content-type"]) == (200, kind)


def test_many_spellings_are_one_picture_and_one_render(shared: Server) -> None:
    """The second key is the recipe, so a new spelling costs rules and no pixels."""
    before = shared.metric(ONE_RENDER)
    spellings = [
        "?w=150&h=90&fit=cover&q=70",
        "?q=70&fit=cover&h=90&w=150",
        "?w=75&h=45&dpr=2&fit=cover&q=70",
        "?fm=jpg&w=150&h=90&fit=cover&q=70&bg=fff",
    ]
    answers = [shared.get("/img/pics/a.jpg" + each) for each in spellings]

    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers[:3]}) == 1
    assert shared.metric(ONE_RENDER) - before <= 2  # fm=jpg is a recipe of its own, if at all


def test_a_thousand_at_once_are_one_render(shared: Server) -> None:
    """One fills, the others wait; all get the same bytes."""
    before = shared.metric(ONE_RENDER)
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: shared.get("/img/pics/a.jpg?w=777"), range(1000)))

    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert shared.metric(ONE_RENDER) - before == 1
    assert any("collapsed" in answer.headers["cache-status"] for answer in answers)


def test_names_with_spaces_and_letters_of_the_world(shared: Server) -> None:
    """A path is percent-decoded once."""
    assert shared.get("/img/pics/sub%20dir/%C3%BC.jpg?w=50").status == 200


@pytest.mark.parametrize(
    ("target", "parameter"),
    [
        ("/img/pics/a.jpg?w=abc", "w"),
        ("/img/pics/a.jpg?w=0", "w"),
        ("/img/pics/a.jpg?w=999999", "w"),
        ("/img/pics/a.jpg?q=101", "q"),
        ("/img/pics/a.jpg?fit=squeeze", "fit"),
        ("/img/pics/a.jpg?fm=tga", "fm"),
        ("/img/pics/a.jpg?dpr=9", "dpr"),
        ("/img/pics/a.jpg?bg=nope", "bg"),
        ("/img/pics/a.jpg?width=5", "width"),
        ("/img/pics/a.jpg?w=1&w=2", "w"),
    ],
)
def test_a_bad_parameter_is_named(shared: Server, target: str, parameter: str) -> None:
    """400, in JSON, with what is allowed."""
    answer = shared.get(target)

    assert answer.status == 400
    assert answer.json["parameter"] == parameter
    assert answer.json["allowed"]


@pytest.mark.parametrize("target", ["/img/nobody/a.jpg", "/img/pics/nothing.jpg", "/nothing"])
def test_what_is_not_there_is_a_404(shared: Server, target: str) -> None:
    """In JSON, like every refusal."""
    answer = shared.get(target)

    assert answer.status == 404
    assert answer.json["error"]


def test_nobody_reaches_the_generator_directly(shared: Server) -> None:
    """Recipes are made by rules; an internal path is not there for anyone outside."""
    assert shared.get("/_images/anything").status == 404


def test_health_and_metrics(shared: Server) -> None:
    """What an operator asks first."""
    assert [shared.get(path).status for path in ("/health", "/livez", "/readyz")] == [200] * 3
    metrics = shared.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in ("dynimo_requests_total", "dynimo_request_span_duration_seconds_bucket"):
        assert name.encode() in metrics.body


def test_purge_needs_the_key(shared: Server) -> None:
    """What changes state is not for everyone."""
    refused = shared.get(
        "/_dynimo/purge", {"x-dynimo-key": "x"}, method="POST", body=b'{"everything": true}'
    )

    assert refused.status == 403


def test_a_changed_source_shows_after_a_purge(shared: Server) -> None:
    """The old picture or the new one, never something between."""
    pics = shared.data.parent / "pics"
    Image.new("RGB", (400, 300), "red").save(pics / "changed.png")
    red = shared.get("/img/pics/changed.png?w=40")
    Image.new("RGB", (300, 400), "blue").save(pics / "new.png")
    (pics / "new.png").replace(pics / "changed.png")

    assert shared.get("/img/pics/changed.png?w=40").body == red.body
    assert shared.purge(everything=True).json["purged"] >= 1
    blue = shared.get("/img/pics/changed.png?w=40")

    assert _size(blue.body) == (40, 53)
    assert Image.open(io.BytesIO(blue.body)).convert("RGB").getpixel((5, 5)) == (0, 0, 255)
    assert blue.headers["etag"] != red.headers["etag"]


def test_the_cache_survives_a_restart(serve: Callable[..., Server], tmp_path: Path) -> None:
    """What was made once is not made again by the next process."""
    first = serve()
    made = first.get("/img/sample/boats.jpg?w=200")
    assert first.stop() == 0
    second = serve()
    kept = second.get("/img/sample/boats.jpg?w=200")

    assert kept.body == made.body
    assert kept.headers["cache-status"].startswith("Dynimo; hit")
    assert second.metric(ONE_RENDER) == 0


def test_environments_come_with_demand_and_go(
    serve: Callable[..., Server], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """From zero, to need, to zero."""
    folder = tmp_path / "wanted"
    folder.mkdir()
    (folder / "app.toml").write_text(
        'name = "wanted"\n[functions.now]\nhandler = "wanted.handler"\nidle_seconds = 0.2\n'
        '[[routes]]\npath = "/now"\nfunction = "now"\n'
    )
    code = "def handler(event, context): waits(int(event['queryStringParameters']['port']))\n"
    (folder / "wanted.py").write_text(WAITS + code)
    server = serve("--app", str(folder))

    def environments(function: str = "wanted-now") -> int:
        count: int = server.statistics()["functions"][function]["environments"]
        return count

    assert (environments(), environments("images-generate")) == (0, 0)
    with ThreadPoolExecutor(1) as pool, Meeting() as meeting:
        asked = pool.submit(server.get, f"/now?port={meeting.port}")
        meeting.arrived()
        assert environments() == 1
        meeting.open()
    timing = asked.result().headers["server-timing"]
    assert float(re.search(r"init;dur=([\d.]+)", timing)[1]) > 0  # type: ignore[index]
    wait_until(lambda: environments() == 0)


def test_an_app_of_ones_own(serve: Callable[..., Server], tmp_path: Path) -> None:
    """A stranger's folder deploys in the same form as the built-in apps."""
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "app.toml").write_text(
        'name = "hello"\n[functions.greet]\nhandler = "hello.handler"\n'
        '[[routes]]\npath = "/hello"\nfunction = "greet"\n'
    )
    (folder / "hello.py").write_text(
        "def handler(event, context):\n"
        "    name = event.get('queryStringParameters', {}).get('name', 'world')\n"
        "    return {'hello': name, 'version': context.function_version}\n"
    )
    server = serve("--app", str(folder))

    assert server.get("/hello?name=Ada").json == {"hello": "Ada", "version": "1"}


def test_a_busy_port_gives_way_to_the_next(
    serve: Callable[..., Server], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """And it says so."""
    first = serve()
    second = serve("--port", str(first.port), data=tmp_path / "other")

    assert second.port > first.port
    wait_until(lambda: f"port {first.port} is busy; using {second.port}" in second.words())


def test_a_data_folder_has_one_owner(serve: Callable[..., Server]) -> None:
    """Two servers on one folder would undo each other's work."""
    first = serve()
    assert first.process is not None
    with pytest.raises(RuntimeError, match=f"in use by pid {first.process.pid}"):
        serve()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_drains_and_leaves_nothing(
    serve: Callable[..., Server], wait_until: Callable[..., None], number: int
) -> None:
    """Exit status 0, and no process is left."""
    server = serve()
    server.get("/img/sample/boats.jpg?w=202")
    family = server.family()

    assert server.stop(number) == 0
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))
    assert not (server.data / "address").exists()


@pytest.fixture
def stuck(serve: Callable[..., Server], tmp_path: Path) -> Iterator[Server]:
    """A server with a request under way that will not end by itself."""
    folder = tmp_path / "stuck"
    folder.mkdir()
    (folder / "app.toml").write_text(
        'name = "stuck"\n[functions.wait]\nhandler = "wait.handler"\ntimeout_seconds = 600\n'
        '[[routes]]\npath = "/wait"\nfunction = "wait"\n'
    )
    (folder / "wait.py").write_text(
        "import time\ndef handler(event, context):\n"
        "    print('waiting', flush=True)\n    time.sleep(600)\n"
    )
    server = serve("--app", str(folder), DYNIMO_STOP_SECONDS="1")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        yield server


def test_a_request_that_does_not_end_does_not_keep_it(
    stuck: Server, wait_until: Callable[..., None]
) -> None:
    """Asked once, it waits its grace and no longer."""
    wait_until(lambda: "waiting" in stuck.words())
    family = stuck.family()

    assert stuck.stop(signal.SIGINT) == 0
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


def test_asked_twice_it_stops_at_once(stuck: Server, wait_until: Callable[..., None]) -> None:
    """The second Ctrl-C waits for nothing, and still leaves nothing behind."""
    wait_until(lambda: "waiting" in stuck.words())
    family = stuck.family()
    assert stuck.process is not None
    stuck.process.send_signal(signal.SIGINT)
    wait_until(lambda: "again stops at once" in stuck.words())

    assert stuck.stop(signal.SIGINT) == 130
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


def test_rules_are_reloaded_and_a_bad_file_changes_nothing(
    serve: Callable[..., Server], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """A bad rules file is refused with file, line and reason; the old rules stay."""
    tmp_path.chmod(0o755)  # functions run as users of their own
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\npath = "*"\nsizes = ["100x", "200x"]\n')
    config = tmp_path / "dynimo.toml"
    config.write_text('[apps.images]\nrules = "rules.toml"\n')
    server = serve("--config", str(config))
    refused = server.get("/img/sample/boats.jpg?w=150")
    assert refused.status == 400
    assert "100" in str(refused.json["allowed"])

    rules.write_text('[[rule]]\npath = "*"\nsizse = ["150x"]\n')
    asked = itertools.count(300)

    def refused_aloud() -> bool:
        server.get(f"/img/sample/boats.jpg?w={next(asked)}")  # a new one: the edge keeps refusals
        return "rules.toml:3: unknown key 'sizse'" in server.words()

    wait_until(refused_aloud)
    assert server.get("/img/sample/boats.jpg?w=152").status == 400
    assert server.get("/img/sample/boats.jpg?w=100").status == 200


def test_a_bad_rules_file_at_start_is_refused(serve: Callable[..., Server], tmp_path: Path) -> None:
    """With no old rules to keep, there is nothing to serve by."""
    (tmp_path / "rules.toml").write_text("[[rule]\n")
    (tmp_path / "dynimo.toml").write_text('[apps.images]\nrules = "rules.toml"\n')

    with pytest.raises(RuntimeError, match=r"rules\.toml"):
        serve("--config", str(tmp_path / "dynimo.toml"))


def test_the_sample_has_its_licence_beside_it() -> None:
    """Author, origin and licence are named."""
    told = (SAMPLE.parent / "README.md").read_text()

    with Image.open(SAMPLE) as sample:
        assert max(sample.size) >= 1500
    assert "icence" in told
