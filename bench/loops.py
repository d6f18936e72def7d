"""Bare loops: the same pictures and recipe in two processes, with no server around them.

A loop runs one of ``decoders.NAMES``. What the whole chain reaches is compared with that.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import decoders
from bench.load import Answer, Round
from bench.peers.contender import WORKERS, Recipe

WARM_SECONDS_MAX = 60.0


class Loop:
    """Two ready processes that render on request."""

    def __init__(self, executor: concurrent.futures.ProcessPoolExecutor, decoder: str) -> None:
        self._executor = executor
        self._decoder = decoder

    def round(self, pictures: Sequence[Path], recipe: Recipe) -> Round:
        """Render every picture once; each process takes the next as soon as it is free."""
        began = time.perf_counter()
        jobs = [
            self._executor.submit(_one, self._decoder, str(picture), recipe) for picture in pictures
        ]
        done = [job.result() for job in jobs]
        return Round(
            seconds=time.perf_counter() - began,
            processor_seconds=sum(seconds for _, seconds in done),
            answers=[answer for answer, _ in done],
        )


@contextlib.contextmanager
def running(decoder: str) -> Iterator[Loop]:
    """Start the processes and let them import everything."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=context) as executor:
        ready = [executor.submit(_prepare, decoder) for _ in range(WORKERS)]
        for job in ready:
            job.result(WARM_SECONDS_MAX)
        yield Loop(executor, decoder)


def _prepare(decoder: str) -> None:
    decoders.load(decoder)
    # Long enough for the other process to take the other job.
    time.sleep(0.2)


def _one(decoder: str, picture: str, recipe: Recipe) -> tuple[Answer, float]:
    render = decoders.load(decoder)
    began, processor_began = time.perf_counter(), time.process_time()
    body = render(picture, recipe)
    answer = Answer(
        target=picture,
        status=200,
        seconds=time.perf_counter() - began,
        media_type=f"image/{recipe.format}",
        body=body,
    )
    return answer, time.process_time() - processor_began
