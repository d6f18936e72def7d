"""The Preprocessor in a process of its own, asked for many distinct URLs; prints JSON.

``python deciding_program.py APP REQUESTS SLICES``; rules and sources come by the variables by
which the platform gives them. Nothing else runs in this process, so that its memory is the
Preprocessor's own.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

TITLES = 5_000
WARM_SHARE = 0.2
"""After this share of the requests memory must not grow any more."""
PIECE = 500
"""Requests that are made before they are asked: few, so that they are not what is measured."""
LANGUAGES = ("de-AT,de;q=0.9,en;q=0.8", "en-US,en;q=0.5", "fr", "pt-BR,pt;q=0.9", "ja")


def event(number: int) -> dict[str, Any]:
    """Make the request with this number; no two have the same URL."""
    title = number * 7919 % TITLES
    source = ("art", "people", "logos", "extras")[number % 4]
    return {
        "rawPath": f"/img/{source}/titles/{title}/{number % 9}/{number}.jpg",
        "rawQueryString": f"w={100 + number % 700}&h={100 + number % 500}&fit=cover",
        "headers": {
            "accept": "image/avif,image/webp,*/*;q=0.8",
            "accept-language": LANGUAGES[number % 5],
            "x-country": ("DE", "US", "FR", "BR", "JP")[number % 5],
        },
        "requestContext": {"http": {"method": "GET"}},
    }


def resident_mib() -> float:
    """Return the memory that the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def decided(handler: Any, events: list[dict[str, Any]]) -> float:
    """Have them decided, and return the processor's seconds that it took."""
    began = time.process_time()
    for each in events:
        answer = handler(each, None)
        try:
            answer.send(None)
        except StopIteration as ended:
            if ended.value.status != 200:
                raise SystemExit(f"refused: {ended.value.body!r}") from None
    return time.process_time() - began


def main() -> None:
    """Decide them all, in slices, and say how fast the best was and what memory it took."""
    app, requests, slices = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sys.path.insert(0, app)
    import preprocess  # noqa: PLC0415 - its folder is known only now

    rates, resident = [], []
    size = requests // slices
    for start in range(0, requests, size):
        spent = 0.0
        for first in range(start, start + size, PIECE):
            events = [event(number) for number in range(first, min(first + PIECE, start + size))]
            spent += decided(preprocess.handler, events)
        rates.append(size / spent)
        resident.append(resident_mib())
    print(json.dumps({"rates": rates, "resident_mib": resident}))


if __name__ == "__main__":
    main()
