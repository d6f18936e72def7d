"""Debian's nginx with ``proxy_cache``: one worker, serving given bytes from its cache.

A second server block of the same nginx is the origin; it is asked once. Best fair settings:
``sendfile``, ``open_file_cache``, long keep-alive, everything in the page cache. It writes a line
for each request, as Debian ships it; so does Dynimo.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import programs
from bench.setting import Setting, Unavailable

_CONFIG = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    open_file_cache max=1000 inactive=600s;
    default_type application/octet-stream;
    types {{ {media_type} bin; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=objects:10m inactive=1h use_temp_path=off;
    server {{
        listen 127.0.0.1:{origin_port};
        root {folder}/origin;
        expires 1h;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{origin_port};
            proxy_cache objects;
            proxy_cache_valid 200 1h;
            add_header X-Cache $upstream_cache_status;
        }}
    }}
}}
"""
TARGET = "/object.bin"


class Nginx:
    """See the module. ``prefix`` is put before the command (``taskset -c 0``)."""

    name = "nginx"

    def __init__(self, setting: Setting, prefix: Sequence[str]) -> None:
        self._folder = setting.folder("nginx")
        self._prefix = list(prefix)

    def install(self) -> str:
        """Find it; return its version."""
        found = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if found is None:
            raise Unavailable("nginx is not here (on Debian: apt-get install nginx-light)")
        said = subprocess.run([found, "-v"], capture_output=True, text=True, check=False).stderr
        self._nginx = found
        return said.strip().removeprefix("nginx version: ")

    @contextlib.contextmanager
    def start(self, body: bytes, media_type: str) -> Iterator[tuple[int, int]]:
        """Serve ``body`` at ``TARGET`` from the cache; yield port and pid."""
        for name in ("cache", "origin", "body", "proxy", "fastcgi", "uwsgi", "scgi"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
            (self._folder / name).mkdir()
        (self._folder / "access.log").unlink(missing_ok=True)
        (self._folder / "origin" / TARGET.lstrip("/")).write_bytes(body)
        port = programs.free_port()
        config = self._folder / "nginx.conf"
        _write(config, self._folder, port, programs.free_port(), media_type)
        command = [*self._prefix, self._nginx, "-p", str(self._folder), "-c", str(config)]
        with programs.Program(self.name, command, log=self._folder / "log") as program:
            program.wait_ready(port, TARGET, accept=200)
            yield port, program.pid


def _write(path: Path, folder: Path, port: int, origin_port: int, media_type: str) -> None:
    if any(character in str(folder) for character in " ;{}\"'"):
        raise Unavailable(f"nginx's configuration cannot name the folder {folder}; choose --data")
    path.write_text(
        _CONFIG.format(folder=folder, port=port, origin_port=origin_port, media_type=media_type)
    )
