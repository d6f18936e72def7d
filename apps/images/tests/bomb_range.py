"""Runs the Generator on one file after another, each in a forked child with little memory.

Not a test: `test_images_bombs` starts it. Prints one JSON line a file: status, error code,
seconds of a core, and the most memory that was resident (KiB). A child that dies shows as status 0.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import generate
import recipe
import spelled

ADDRESS_SPACE_BYTES = 1 << 30


def answer(name: str) -> dict[str, object]:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    path = recipe.spell(spelled.canonical(source="pics", path=name, w=64, h=64, fit="cover"))
    event = {"rawPath": path, "headers": {}, "requestContext": {"http": {"method": "GET"}}}
    started = time.process_time()
    reply = generate.handler(event, None)  # type: ignore[arg-type] # the context is not used
    return {
        "status": reply.status,
        "error": json.loads(reply.body)["error"] if reply.status != 200 else "",
        "seconds": time.process_time() - started,
        "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def main() -> None:
    for path in sorted(Path(sys.argv[1]).iterdir()):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, json.dumps(answer(path.name)).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        told = json.loads(text) if text else {"status": 0, "error": "died", "seconds": 0, "kib": 0}
        sys.stdout.write(json.dumps({"name": path.name, **told}) + "\n")


if __name__ == "__main__":
    main()
