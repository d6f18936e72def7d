"""Routes of a running platform: to servers that are killed, to texts and redirects, past poison."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

APP = """\
name = "front"
[functions.echo]
handler = "front.handler"
[[routes]]
path = "/echo/"
function = "echo"
[[routes]]
path = "/shop/"
upstream = "shop"
timeout_seconds = 5
[[routes]]
path = "/shop/"
headers = {x-beta = "1"}
text = "beta"
[[routes]]
path = "/old/{rest+}"
redirect = "/echo/{rest}"
[[routes]]
path = "/users/{user}"
methods = ["GET"]
function = "echo"
compress = true
cors_origins = ["https://page.example"]
[[routes]]
path = "/"
host = "*.tenants.example"
text = "a tenant"
"""
CODE = """\
import json
def handler(event, context):
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "cache-control": "max-age=60"},
        "body": json.dumps({"headers": event["headers"], "path": event["rawPath"],
                            "parameters": event.get("pathParameters"), "pad": "x" * 2000}),
    }
"""
ORIGIN = """\
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"port": self.server.server_port, "path": self.path,
                           "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
SETTINGS = """\
[gateway]
trusted_proxies = ["127.0.0.2"]
[gateway.upstreams]
shop = ["http://127.0.0.1:{0}", "http://127.0.0.1:{1}"]
[origins]
failures_max = 3
rest_seconds = 0.2
slow_start_seconds = 0.0
retry_burst = 100
"""


class Origin:
    """A server of somebody else's."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "origin.py"
        self.program.write_text(ORIGIN)
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(self.program), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass
class Site:
    """A platform, and the two servers behind its route."""

    server: Server
    origins: list[Origin]

    def ports(self, count: int) -> list[int]:
        """Which server answered each of so many requests; all of them must be answered."""
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.server.get("/shop/a"), range(count)))
        assert {answer.status for answer in answers} == {200}
        return [answer.json["port"] for answer in answers]

    def wait_for_both(self) -> None:
        """Ask until both have answered."""
        wanted, seen = {each.port for each in self.origins}, set[int]()
        deadline = time.monotonic() + 20
        while not wanted <= seen:
            assert time.monotonic() < deadline, "one was never asked again"
            answer = self.server.get("/shop/a")
            if answer.status == 200:
                seen.add(answer.json["port"])

    def counts(self) -> dict[str, int]:
        """What was counted of the upstream."""
        counted: dict[str, int] = self.server.statistics()["upstreams"]["shop"]
        return counted


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    origins = [Origin(folder), Origin(folder)]
    (folder / "settings.toml").write_text(SETTINGS.format(*(each.port for each in origins)))
    app = folder / "front"
    app.mkdir()
    (app / "app.toml").write_text(APP)
    (app / "front.py").write_text(CODE)
    arguments = ("--app", str(app), "--config", str(folder / "settings.toml"))
    server = Server(folder / "data", arguments).start()
    yield Site(server, origins)
    server.stop()
    for each in origins:
        each.kill()


def test_a_killed_server_costs_no_client_anything_and_comes_back(site: Site) -> None:
    """Its load goes to the other; started again, it is found and used."""
    first, second = site.origins
    site.wait_for_both()
    before = site.counts()

    first.kill()
    assert set(site.ports(60)) == {second.port}

    first.start()
    site.wait_for_both()

    assert site.counts()["retries"] > before["retries"]
    assert site.counts()["no_server"] == before["no_server"]


def test_with_all_servers_gone_the_answer_says_so(site: Site) -> None:
    """502 at first, then 503 without a try; never a wait."""
    for each in site.origins:
        each.kill()
    statuses = [site.server.get("/shop/a").status for _ in range(12)]
    for each in site.origins:
        each.start()

    assert set(statuses) <= {502, 503}
    site.wait_for_both()


POISON = {
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": "evil.example",
    "x-forwarded-scheme": "nothttps",
    "forwarded": "host=evil.example",
    "x-original-url": "/admin",
    "x-rewrite-url": "/admin",
    "x-http-method-override": "DELETE",
    "x_forwarded_host": "evil.example",
}


@pytest.mark.parametrize("path", ["/echo/poison", "/shop/poison"])
def test_no_unkeyed_header_reaches_who_answers(site: Site, path: str) -> None:
    """Neither functions nor upstreams can put it into an answer that others get."""
    told = site.server.get(path, POISON).json["headers"]

    assert not {"evil.example", "/admin", "DELETE", "nothttps"} & set(told.values())
    assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert told["x-forwarded-host"] == f"127.0.0.1:{site.server.port}"
    assert not {"x-original-url", "x_forwarded_host", "forwarded"} & told.keys()


def test_poison_is_not_kept_for_others(site: Site) -> None:
    """The next client's cached answer has nothing of it."""
    site.server.get("/echo/kept", POISON)
    kept = site.server.get("/echo/kept")

    assert "hit" in kept.headers["cache-status"]
    assert b"evil" not in kept.body


def test_a_body_of_a_get_goes_nowhere(site: Site) -> None:
    """A fat GET is the GET that it seems to be."""
    answer = site.server.get("/shop/fat", body=b"x=evil")

    assert answer.status == 200
    assert "content-length" not in answer.json["headers"]


def test_a_header_that_routes_is_part_of_the_key(site: Site) -> None:
    """An answer that it chose is not given to others."""
    assert site.server.get("/shop/b", {"x-beta": "1"}).body == b"beta"
    assert site.server.get("/shop/b").json["path"] == "/shop/b"


def test_patterns_hosts_and_redirects_answer(site: Site) -> None:
    """As app.toml says."""
    user = site.server.get("/users/a%20b", {"accept-encoding": "gzip"})
    assert user.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in user.headers["vary"]
    alike = site.server.get("/users/a%20b", {"accept-encoding": "mine, GZIP;q=0.5"})
    assert "hit" in alike.headers["cache-status"]
    assert alike.body == user.body
    assert json.loads(site.server.get("/users/a%20b").body)["parameters"] == {"user": "a b"}
    page = site.server.get("/users/c", {"origin": "https://page.example"})
    assert page.headers["access-control-allow-origin"] == "https://page.example"
    assert site.server.get("/users/c", method="POST").status == 405
    moved = site.server.get("/old/x?q=1")
    assert (moved.status, moved.headers["location"]) == (308, "/echo/x?q=1")
    assert site.server.get("/any", {"host": "a.tenants.example"}).body == b"a tenant"


def test_a_route_to_an_upstream_that_nobody_named_is_refused(site: Site, tmp_path: Path) -> None:
    """When it is deployed, with those that there are; a stranger's app names no address."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.toml", APP.replace('"front"', '"other"').replace('"shop"', '"inner"'))
        archive.writestr("front.py", CODE)
    key = (site.server.data / "admin.key").read_text().strip()
    refused = site.server.get(
        "/_dynimo/apps/other", {"x-dynimo-key": key}, method="PUT", body=packed.getvalue()
    )

    assert refused.status == 400
    assert "'inner'" in refused.json["message"]
    assert "there are: shop" in refused.json["message"]


def test_an_app_may_be_routes_alone(site: Site) -> None:
    """Whoever puts servers behind the gateway writes no function for that."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        routes = '[[routes]]\npath = "/shop/alone"\nupstream = "shop"\n'
        archive.writestr("app.toml", f'name = "alone"\n{routes}')
    key = {"x-dynimo-key": (site.server.data / "admin.key").read_text().strip()}
    path = "/_dynimo/apps/alone"

    assert site.server.get(path, key, method="PUT", body=packed.getvalue()).status == 200
    assert site.server.get("/shop/alone").status == 200
    assert site.server.get(path, key, method="DELETE").json == {"app": "alone", "removed": []}


def test_the_operator_sees_what_happened_when(site: Site) -> None:
    """With the key, which no function learns; without it, nothing."""
    key = (site.server.data / "admin.key").read_text().strip()
    told = site.server.get("/echo/passport", {"x-dynimo-key": key})
    tried = site.server.get("/shop/passport", {"x-dynimo-key": key})
    hit = site.server.get("/echo/passport", {"x-dynimo-key": key})

    assert "function;at=" in told.headers["dynimo-passport"]
    assert "upstream;at=" in tried.headers["dynimo-passport"]
    assert "gateway" not in hit.headers["dynimo-passport"]
    assert "dynimo-tries" not in tried.headers
    assert key not in told.body.decode() + tried.body.decode()
    assert "dynimo-passport" not in site.server.get("/echo/passport").headers
