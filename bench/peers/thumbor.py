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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import programs
from bench.peers.contender import AVIF_SPEED, OPTIMISE_HUFFMAN, WEBP_EFFORT, WORKERS, Recipe
from bench.peers.venvs import Venv
from bench.setting import Setting

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
        self._venv = Venv(setting, "thumbor", REQUIREMENTS)
        self._folder = self._venv.folder

    def install(self) -> str:
        """Install from PyPI, once."""
        self._venv.install()
        code = "import thumbor, PIL, tornado; print(thumbor.__version__, PIL.__version__)"
        versions = self._venv.evaluate(code).split()
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
                [str(self._venv.python), *module, "-c", str(config)],
                log=self._folder / "log",
            )
        )
        program.wait_ready(port, "/healthcheck")
        return port, program.pid

    def target(self, path: str, recipe: Recipe) -> str:
        """``fit-in`` never enlarges; the format filter is named only when it changes the kind."""
        kind = "" if recipe.format == "jpeg" else f"filters:format({recipe.format})/"
        return f"/unsafe/fit-in/{recipe.side}x{recipe.side}/{kind}{path}"
