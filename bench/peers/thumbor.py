"""thumbor (Python, Tornado, Pillow) from PyPI, in a virtual environment of its own.

Best fair settings: one process per core, no pool of threads inside (that is its default, and the
faster way here), each with its own port so that the driver can balance perfectly, pictures read
from a folder, nothing stored. Progressive is off by default; Pillow's chroma sampling at quality 80
is 4:2:0. Its code fixes Huffman optimisation (on) and WebP method (Pillow's default, 4); so that
the encoders do equal work, its configuration file (which is Python) levels both at the one place
where Pillow's encoders are looked up.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import programs
from bench.peers.contender import AVIF_SPEED, OPTIMISE_HUFFMAN, WEBP_EFFORT, WORKERS, Recipe
from bench.setting import Setting, Unavailable

INSTALL_SECONDS_MAX = 300
REQUIREMENTS = ("thumbor>=7.8,<8", "pillow<13")
_CONFIG = """\
LOADER = 'thumbor.loaders.file_loader'
FILE_LOADER_ROOT_PATH = {root!r}
STORAGE = 'thumbor.storages.no_storage'
RESULT_STORAGE = None
QUALITY = {quality}
PROGRESSIVE_JPEG = False
AVIF_SPEED = {avif_speed}
ENGINE_THREADPOOL_SIZE = 0
ALLOW_UNSAFE_URL = True

from PIL import Image
Image.init()

def level(kind, **wanted):
    save = Image.SAVE[kind]
    def levelled(im, fp, filename):
        im.encoderinfo.update(wanted)
        save(im, fp, filename)
    Image.SAVE[kind] = levelled

level('JPEG', optimize={optimise})
level('WEBP', method={webp_effort})
"""


@dataclass(frozen=True, slots=True)
class _Running:
    ports: tuple[int, ...]
    pids: list[int]


class Thumbor:
    """See the module."""

    name = "thumbor"

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._folder = setting.folder("thumbor")
        self._venv = self._folder / "venv"
        self._python = self._venv / "bin" / "python"

    def install(self) -> str:
        """Install from PyPI, once."""
        if not (self._folder / "installed").exists():
            self._setting.say("installing thumbor into its own virtual environment")
            _must([sys.executable, "-m", "venv", "--clear", "--without-pip", str(self._venv)])
            _must([*_installer(), str(self._python), "install", "-q", *REQUIREMENTS])
            (self._folder / "installed").touch()
        code = "import thumbor, PIL, tornado; print(thumbor.__version__, PIL.__version__)"
        versions = _must([str(self._python), "-c", code]).split()
        return f"thumbor {versions[0]}, Pillow {versions[1]}"

    def settings(self) -> str:
        """Say how it is run."""
        return (
            f"{WORKERS} processes of one thread, file loader, no storage, progressive off, "
            f"optimize={OPTIMISE_HUFFMAN} and WebP method={WEBP_EFFORT} by its configuration file "
            f"(as shipped: True and 4), AVIF_SPEED {AVIF_SPEED}"
        )

    @contextlib.contextmanager
    def start(self, sources: Path, recipe: Recipe) -> Iterator[_Running]:
        """Start one process per core."""
        config = self._folder / "thumbor.conf"
        config.write_text(
            _CONFIG.format(
                root=str(sources),
                quality=recipe.quality,
                avif_speed=AVIF_SPEED,
                optimise=OPTIMISE_HUFFMAN,
                webp_effort=WEBP_EFFORT,
            )
        )
        with contextlib.ExitStack() as stack:
            started = [self._one(stack, config) for _ in range(WORKERS)]
            yield _Running(tuple(port for port, _ in started), [pid for _, pid in started])

    def _one(self, stack: contextlib.ExitStack, config: Path) -> tuple[int, int]:
        port = programs.free_port()
        module = ["-m", "thumbor.server", "-i", "127.0.0.1", "-p", str(port), "-l", "error"]
        program = stack.enter_context(
            programs.Program(
                self.name,
                [str(self._python), *module, "-c", str(config)],
                log=self._folder / "log",
            )
        )
        program.wait_ready(port, "/healthcheck")
        return port, program.pid

    def target(self, path: str, recipe: Recipe) -> str:
        """``fit-in`` never enlarges; the format filter is named only when it changes the kind."""
        kind = "" if recipe.format == "jpeg" else f"filters:format({recipe.format})/"
        return f"/unsafe/fit-in/{recipe.side}x{recipe.side}/{kind}{path}"


def _installer() -> list[str]:
    """Return the pip command up to where the Python to install for follows.

    The environment of a bench often has no pip itself, but the Python it was made from does.
    """
    candidates = (sys.executable, str(Path(sys.base_prefix) / "bin" / "python3"), "python3")
    for python in candidates:
        if _run([python, "-m", "pip", "--version"]).returncode == 0:
            return [python, "-m", "pip", "--disable-pip-version-check", "--python"]
    raise Unavailable("thumbor: no Python here has pip (on Debian: apt-get install python3-pip)")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # A bench's own PYTHON* variables and pip's user settings are not meant for the peer.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    variables = {**kept, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    return subprocess.run(
        command,
        env=variables,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS_MAX,
        check=False,
    )


def _must(command: list[str]) -> str:
    try:
        ran = _run(command)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"thumbor: {command[0]}: {error}") from None
    if ran.returncode != 0:
        raise Unavailable(f"thumbor: {' '.join(command[:4])} said: {ran.stderr.strip()[-300:]}")
    return ran.stdout
