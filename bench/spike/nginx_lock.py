"""nginx with ``proxy_cache_lock`` in front of a fixed fleet: how others make one run of one key.

Its lock is looked at every half second at most, which is what its waiters wait for. One process, as
it can be had (Debian's ``nginx-light``).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import programs
from bench.setting import Setting, Unavailable
from bench.spike import servers
from bench.spike.servers import Serving

PLACES = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
_CONFIG = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=objects:10m inactive=1h use_temp_path=off;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_cache objects;
            proxy_cache_valid 200 1h;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 10s;
            proxy_cache_lock_age 10s;
        }}
    }}
}}
"""


@contextlib.contextmanager
def start(setting: Setting, environments: int) -> Iterator[tuple[Serving, Callable[[], int]]]:
    """Serve with a cold cache; also give what counts the requests that its origin has had.

    Raises:
        Unavailable: nginx is not here.
    """
    found = shutil.which("nginx") or shutil.which("nginx", path=PLACES)
    if found is None:
        raise Unavailable("C: nginx is not here (on Debian: apt-get install nginx-light)")
    folder = setting.folder("spike", "nginx")
    if any(character in str(folder) for character in " ;{}\"'"):
        raise Unavailable(f"nginx's configuration cannot name the folder {folder}; choose --data")
    for name in ("cache", "body", "proxy", "fastcgi", "uwsgi", "scgi"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    with servers.fleet(setting, "origin", environments) as origin:
        port, config = programs.free_port(), folder / "nginx.conf"
        _write(config, folder, port, origin.ports[0])
        command = [found, "-p", str(folder), "-c", str(config)]
        with programs.Program("nginx", command, log=folder / "log") as program:
            program.wait_ready(port, "/readyz", accept=200)
            serving = Serving(name="nginx's lock", ports=(port,), pid=program.pid)
            yield serving, lambda: int(json.loads(servers.get(origin.ports[0], "/came")))


def _write(path: Path, folder: Path, port: int, origin: int) -> None:
    path.write_text(_CONFIG.format(folder=folder, port=port, origin=origin))
