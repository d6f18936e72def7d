"""Caches with nginx before an upstream, for the same suite. Only for who has it installed.

nginx as Debian ships it, and nginx as ``dynimo edge nginx`` sets it up in front of a Dynimo.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.e2e import nginxes

START_SECONDS = 60.0
_CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=answers:10m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            proxy_cache answers;
            proxy_cache_revalidate on;
        }}
    }}
}}
"""


@contextmanager
def caching(upstream: str, folder: Path) -> Iterator[str]:
    """Run it; yields its address.

    Raises:
        FileNotFoundError: it is not installed.
    """
    places = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
    program = shutil.which("nginx", path=os.environ["PATH"] + ":" + places)
    if program is None:
        raise FileNotFoundError("nginx is not here (on Debian: apt-get install nginx-light)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, port=port, upstream=upstream))
    folder.chmod(0o755)
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(config)])
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def in_front(upstream: str, folder: Path) -> Iterator[str]:
    """Run nginx as Dynimo sets it up, before a Dynimo; both strict. Yields its address."""
    with nginxes.in_front(upstream, folder, profile="strict") as front:
        yield f"http://127.0.0.1:{front.port}"


CACHES: dict[str, Callable[[str, Path], AbstractContextManager[str]]] = {
    "nginx before Dynimo": in_front,
    "nginx": caching,
}
"""By the name in the page."""
