"""IPX (Node, sharp, libvips) from npm, in a folder of its own.

Best fair settings: its own node server; sharp runs one thread per picture and libuv's pool as many
pictures at once as it has threads. One process with a pool of that size, or one process per core
through ``cluster``: ``LAYOUT`` says which is used; measured, both were equally fast, and so were
pools of 2, 3 and 4 threads. IPX asks sharp for a progressive JPEG unless told otherwise; here it is
told, through its own option, to do what the others do.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import programs
from bench.peers.contender import (
    AVIF_EFFORT,
    OPTIMISE_HUFFMAN,
    WEBP_EFFORT,
    WORKERS,
    Recipe,
)
from bench.setting import Setting, Unavailable

INSTALL_SECONDS_MAX = 300
NODE_MAJOR_MIN = 20
REQUIREMENTS = ("ipx@3",)
LAYOUT: Literal["pool", "cluster"] = "pool"
POOL_THREADS = 4
"""libuv's own default. Files are read by this pool too, so it must be above the core count."""
_SERVER = """\
import { createServer } from 'node:http'
import cluster from 'node:cluster'
import { createIPX, createIPXNodeServer, ipxFSStorage } from 'ipx'
const { root, port, workers, sharpOptions } = JSON.parse(process.argv[2])
if (workers > 1 && cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork()
} else {
  const ipx = createIPX({ storage: ipxFSStorage({ dir: root }), sharpOptions })
  createServer(createIPXNodeServer(ipx)).listen(port, '127.0.0.1')
}
"""
_VERSIONS = """\
import { readFileSync } from 'node:fs'
import sharp from 'sharp'
const { version } = JSON.parse(readFileSync('node_modules/ipx/package.json', 'utf8'))
console.log(version, sharp.versions.sharp, sharp.versions.vips, process.version)
"""


@dataclass(frozen=True, slots=True)
class _Running:
    ports: tuple[int, ...]
    pids: list[int]


class Ipx:
    """See the module. ``layout`` is ``pool`` (one process) or ``cluster`` (one per core)."""

    name = "ipx"

    def __init__(
        self, setting: Setting, layout: Literal["pool", "cluster"] = LAYOUT, name: str = "ipx"
    ) -> None:
        self._setting = setting
        self._folder = setting.folder("ipx")
        self._layout = layout
        self.name = name

    def install(self) -> str:
        """Install from npm, once."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise Unavailable(f"ipx: needs node {NODE_MAJOR_MIN} or newer and npm on the PATH")
        if not (self._folder / "installed").exists():
            self._setting.say("installing ipx into its own folder")
            (self._folder / "package.json").write_text('{"private": true}\n')
            self._must(
                [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *REQUIREMENTS]
            )
            (self._folder / "installed").touch()
        (self._folder / "server.mjs").write_text(_SERVER)
        (self._folder / "versions.mjs").write_text(_VERSIONS)
        ipx, sharp, vips, runtime = self._must([node, "versions.mjs"]).split()
        return f"ipx {ipx}, sharp {sharp}, libvips {vips}, node {runtime}"

    def _must(self, command: list[str]) -> str:
        try:
            ran = subprocess.run(
                command,
                cwd=self._folder,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS_MAX,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"ipx: {command[0]}: {error}") from None
        if ran.returncode != 0:
            raise Unavailable(f"ipx: {' '.join(command[:2])} said: {ran.stderr.strip()[-300:]}")
        return ran.stdout

    def settings(self) -> str:
        """Say how it is run."""
        how = {
            "pool": f"one process, {POOL_THREADS} libuv threads",
            "cluster": f"cluster of {WORKERS} processes, {POOL_THREADS} libuv threads each",
        }
        return (
            f"{how[self._layout]}, one libvips thread per picture (sharp's default here), "
            f"progressive off (as shipped: on), optimiseCoding {OPTIMISE_HUFFMAN} (as shipped: "
            f"True), WebP effort {WEBP_EFFORT}, AVIF effort {AVIF_EFFORT} and 4:2:0"
        )

    @contextlib.contextmanager
    def start(self, sources: Path, recipe: Recipe) -> Iterator[_Running]:  # noqa: ARG002 - one shape
        """Start its node server."""
        port = programs.free_port()
        options = {
            "root": str(sources),
            "port": port,
            "workers": WORKERS if self._layout == "cluster" else 1,
            "sharpOptions": {
                "jpegProgressive": False,
                "jpegOptimiseCoding": OPTIMISE_HUFFMAN,
                "jpegChromaSubsampling": "4:2:0",
                "webpEffort": WEBP_EFFORT,
                "heifEffort": AVIF_EFFORT,
                "heifChromaSubsampling": "4:2:0",
            },
        }
        with programs.Program(
            self.name,
            ["node", "server.mjs", json.dumps(options)],
            log=self._folder / "log",
            folder=self._folder,
            variables={"UV_THREADPOOL_SIZE": str(POOL_THREADS), "NODE_ENV": "production"},
        ) as program:
            program.wait_ready(port, "/")
            yield _Running((port,), [program.pid])

    def target(self, path: str, recipe: Recipe) -> str:
        """``fit_inside`` keeps the proportions, as the others do."""
        size = f"s_{recipe.side}x{recipe.side},fit_inside"
        return f"/f_{recipe.format},q_{recipe.quality},{size}/{path}"
