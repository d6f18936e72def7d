"""An app's folder to a running server: shown, shared, rolled back, refused, kept over a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.aws.kit import client, create, zipped
from tests.e2e.serving import Answer, Server
from tests.e2e.test_deploying import Shell

pytestmark = pytest.mark.e2e

APP = """\
name = "shop"
[functions.hello]
handler = "shop.handler"
environment = {SECRET = "s3cret"}
[[routes]]
path = "/shop"
function = "hello"
"""
MORE = """\
[functions.more]
handler = "shop.handler"
[[routes]]
path = "/more/"
function = "more"
"""
CODE = """\
from dynimo.sdk.settings import settings
def handler(event, context):
    return {"said": 1, "version": context.function_version, "colour": settings().get("colour")}
"""


class Shop:
    """An app's folder that changes, and the server that it goes to."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder / "shop"
        self.folder.mkdir()
        self.shell = Shell(folder, server.data)
        self.write(1)

    def write(self, said: int, manifest: str = APP) -> None:
        (self.folder / "app.toml").write_text(manifest)
        (self.folder / "shop.py").write_text(CODE.replace('"said": 1', f'"said": {said}'))

    def deploy(self, *arguments: str, status: int = 0) -> str:
        return self.shell("deploy", "shop", *arguments, status=status)

    def asked(self, count: int = 4, path: str = "/shop") -> Counter[int]:
        """What so many requests are told."""
        return Counter(self.server.get(path).json["said"] for _ in range(count))

    def admin(self, method: str, path: str = "", body: bytes = b"", key: str = "") -> Answer:
        key = key or (self.server.data / "admin.key").read_text().strip()
        target = f"/_dynimo/apps{path}"
        return self.server.get(target, {"x-dynimo-key": key}, method=method, body=body)


@pytest.fixture
def shop(shared: Server, tmp_path: Path) -> Iterator[Shop]:
    """A shop on the server of all; what it deployed is taken away at the end."""
    made = Shop(shared, tmp_path)
    yield made
    for app in made.admin("GET").json["apps"]:
        if app["origin"] == "uploaded":
            made.admin("DELETE", f"/{app['name']}")


@pytest.fixture
def own(serve: Callable[..., Server], tmp_path: Path) -> Shop:
    """A shop on a server of its own, which may be killed."""
    return Shop(serve(), tmp_path)


def test_a_dry_run_shows_what_a_deployment_would_do_and_does_nothing(shop: Shop) -> None:
    told = shop.deploy("--dry-run")
    assert "+ shop-hello  new" in told
    assert "+ route /shop" in told
    assert shop.server.get("/shop").status == 404
    assert shop.shell.run("versions", "shop-hello").returncode == 3

    shop.deploy()
    assert shop.asked() == {1: 4}
    assert "shop-hello  unchanged" in shop.deploy("--dry-run")
    shop.write(2, APP.replace("SECRET = ", "SECRET2 = ") + MORE)
    told = shop.deploy("--dry-run")
    assert "~ code:" in told
    assert "~ environment: {SECRET} → {SECRET2}" in told
    assert "s3cret" not in told
    assert "+ route /more/" in told
    assert shop.asked() == {1: 4}
    assert json.loads(shop.deploy("--json"))["routes"]["added"] == ["/more/"]
    assert shop.asked(path="/more/x") == {2: 4}

    shop.write(3)
    assert "- shop-more  removed\n" in shop.deploy()
    assert shop.server.get("/more/x").status == 404
    assert shop.shell.run("versions", "shop-more").returncode == 3


def test_a_share_of_the_calls_goes_to_what_is_new_also_after_a_kill(
    own: Shop, serve: Callable[..., Server]
) -> None:
    own.deploy()
    own.write(2, APP + MORE)
    assert "25% of the calls" in own.deploy("--alias", "live=25%")
    assert own.asked(8) == {1: 6, 2: 2}
    assert own.asked(path="/more/") == {2: 4}, "a new function has no earlier version"

    own.server.stop(signal.SIGKILL)
    own.server = serve(data=own.server.data)
    assert own.asked(8) == {1: 6, 2: 2}
    assert own.asked(path="/more/") == {2: 4}
    listed = {each["name"]: each for each in own.admin("GET").json["apps"]}
    assert listed["shop"]["functions"]["shop-hello"] == {"1": 0.75, "2": 0.25}
    assert listed["shop"]["origin"] == "uploaded"

    own.deploy()
    assert own.asked() == {2: 4}


def test_a_rollback_leads_to_the_version_before_with_all_that_it_was_given(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    config = tmp_path / "dynimo.toml"
    config.write_text('[apps.shop]\ncolour = "blue"\n')
    shop = Shop(serve("--config", str(config)), tmp_path)
    shop.deploy()
    shop.write(2)
    shop.deploy("--alias", "live=50%")
    shop.shell("rollback", "shop-hello")
    assert shop.asked() == {1: 4}, "a canary ends"
    shop.deploy()
    assert shop.asked() == {2: 4}
    shop.shell("rollback", "shop-hello")
    told = shop.server.get("/shop").json
    assert told == {"said": 1, "version": "1", "colour": "blue"}

    shop.server.stop()
    shop.server = serve("--config", str(config), data=shop.server.data)
    assert shop.asked() == {1: 4}, "a start does not undo it"


def test_what_cannot_be_served_leaves_what_is_served(shop: Shop) -> None:
    shop.deploy()
    (shop.folder / "shop.py").write_text("import absent\n")
    refused = shop.shell.run("deploy", "shop")
    assert refused.returncode == 1
    assert "No module named 'absent'" in refused.stderr
    shop.write(2, APP.replace('"/shop"', '"/img/"'))
    refused = shop.shell.run("deploy", "shop")
    assert "/img/ is wanted by" in refused.stderr
    (shop.folder / "app.toml").write_text("name = 1\n")
    assert shop.shell.run("deploy", "shop").returncode == 2
    assert shop.asked() == {1: 4}
    assert [row["version"] for row in shop.shell.json("versions", "shop-hello")] == ["$LATEST", "1"]


def test_functions_of_others_are_left_alone(shop: Shop) -> None:
    aws = client(shop.server)
    create(aws, "shop-hello")
    refused = shop.shell.run("deploy", "shop")
    assert "belongs to no app" in refused.stderr
    aws.delete_function(FunctionName="shop-hello")

    shop.write(
        1, APP.replace("functions.hello", "functions.hello-x").replace('"hello"', '"hello-x"')
    )
    shop.deploy()
    other = 'name = "shop-hello"\n[functions.x]\nhandler = "shop.handler"\n'
    shop.write(2, other)
    refused = shop.shell.run("deploy", "shop")
    assert "'shop-hello-x' is a function of the app 'shop' already" in refused.stderr
    assert shop.asked() == {1: 4}


@pytest.mark.parametrize(
    ("path", "body", "key", "status", "said"),
    [
        ("/shop", zipped({"app.toml": APP}), "wrong", 403, "x-dynimo-key"),
        ("/shop", b"no zip", "", 400, "Could not unzip"),
        ("/shop", zipped({"../app.toml": APP}), "", 400, "leaves the folder"),
        ("/shop", zipped({"x.py": ""}), "", 400, "an app is a folder with an app.toml"),
        ("/other", zipped({"app.toml": APP}), "", 400, "app.toml says name = 'shop'"),
        ("/shop?share=beta=10", zipped({"app.toml": APP}), "", 400, "alias 'live'"),
        ("/shop?share=live=0", zipped({"app.toml": APP}), "", 400, "NAME=PERCENT"),
        ("/Shop!", b"", "", 400, "no name of an app"),
    ],
)
def test_a_bad_upload_is_refused_with_its_reason(
    shared: Server, path: str, body: bytes, key: str, status: int, said: str
) -> None:
    key = key or (shared.data / "admin.key").read_text().strip()
    target = f"/_dynimo/apps{path}"
    answer = shared.get(target, {"x-dynimo-key": key}, method="PUT", body=body)
    assert (answer.status, said in answer.json["message"]) == (status, True), answer.body
    assert list((shared.data / "apps").glob("*")) == []


def test_an_app_is_taken_away_with_its_functions_and_routes(shop: Shop) -> None:
    shop.write(1, APP + MORE)
    shop.deploy()
    assert shop.asked() == {1: 4}
    assert shop.admin("DELETE", "/shop").json["removed"] == ["shop-hello", "shop-more"]
    assert shop.server.get("/shop").status == 404
    assert shop.shell.run("versions", "shop-hello").returncode == 3
    assert shop.admin("DELETE", "/shop").status == 404
    assert shop.admin("DELETE", "/images").status == 409
    shop.deploy()
    assert shop.asked() == {1: 4}


def test_no_request_fails_while_an_app_is_exchanged(shop: Shop) -> None:
    shop.deploy()
    statuses: Counter[int] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            statuses[shop.server.get("/shop").status] += 1

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for each in asking:
        each.start()
    try:
        for said in range(2, 6):
            shop.write(said)
            shop.deploy()
            assert shop.asked(2) == {said: 2}, "what was deployed is served at once"
    finally:
        over.set()
        for each in asking:
            each.join()
    assert set(statuses) == {200}


def test_a_kill_at_any_moment_leaves_before_or_after(
    own: Shop, serve: Callable[..., Server]
) -> None:
    own.write(1, APP + MORE)
    own.deploy()
    before = 1
    for said, seconds in ((2, 0.1), (3, 0.25), (4, 0.32), (5, 0.4)):
        own.write(said, APP + MORE)
        deploying = subprocess.Popen(
            [sys.executable, "-m", "dynimo", "deploy", "shop", "--data", str(own.server.data)],
            cwd=own.folder.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        own.server.stop(signal.SIGKILL)
        acknowledged = deploying.wait(30) == 0
        own.server = serve(data=own.server.data)
        now = own.asked()
        assert now in ([{said: 4}] if acknowledged else [{before: 4}, {said: 4}])
        assert own.asked(path="/more/") == now, "both functions, or neither"
        before = next(iter(now))


@pytest.mark.skipif(os.geteuid() != 0, reason="an empty network of its own needs root")
def test_an_apps_function_reaches_what_its_manifest_says(shop: Shop) -> None:
    """``network`` in app.toml: by default the host's, with "none" nothing."""
    shop.write(1)
    code = (
        "import socket\ndef handler(event, context):\n"
        f"    try: socket.create_connection(('127.0.0.1', {shop.server.port}), 2).close()\n"
        "    except OSError: return {'reached': False}\n"
        "    return {'reached': True}\n"
    )
    (shop.folder / "shop.py").write_text(code)
    shop.deploy()
    before = shop.server.get("/shop").json
    shop.folder.joinpath("app.toml").write_text(
        APP.replace('handler = "shop.handler"\n', 'handler = "shop.handler"\nnetwork = "none"\n')
    )
    shop.deploy()

    assert (before, shop.server.get("/shop").json) == ({"reached": True}, {"reached": False})
