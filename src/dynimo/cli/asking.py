"""What an operator asks of a running server, with the key of its data folder.

Finds the server, asks, and reads the JSON it answers; what may be asked is the verb's business.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dynimo.cli import exits
from dynimo.cli.connecting import Refused

ANSWER_SECONDS_MAX = 120.0
"""Longer than all imports of an app may take."""
_CODES = {403: exits.DENIED, 404: exits.NOT_FOUND}


def known(data: Path) -> tuple[str, str]:
    """(the server's address, the key of its data folder).

    Raises:
        Refused: no server runs on ``data``, or the key may not be read.
    """
    from dynimo.datafolder import ADDRESS_FILE, KEY_FILE

    try:
        return (data / ADDRESS_FILE).read_text().strip(), (data / KEY_FILE).read_text().strip()
    except FileNotFoundError:
        text = f"no server runs on {data}; start one with `dynimo up`, or name its --data folder."
        raise Refused(text, exits.UNAVAILABLE) from None
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}.", exits.DENIED) from None


def ask(
    data: Path,
    method: str,
    target: str,
    body: bytes,
    *,
    content_type: str = "application/json",
    refused: int = exits.USAGE,
) -> tuple[str, dict[str, Any]]:
    """(the server's address, its answer). ``refused`` is the exit code of a refusal (4xx).

    Raises:
        Refused: no server runs on ``data``, it does not answer, or it refuses in its own words.
    """
    address, key = known(data)
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(
        parts.hostname or "127.0.0.1", parts.port, timeout=ANSWER_SECONDS_MAX
    )
    try:
        headers = {"x-dynimo-key": key, "content-type": content_type}
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        text = f"{address} does not answer ({error}). Is it up? `dynimo up` starts one."
        raise Refused(text, exits.UNAVAILABLE) from None
    finally:
        connection.close()
    if answer.status != 200:
        text = told.get("message", f"{address} answered {answer.status}.")
        if told.get("error") == "no_route":  # as nginx as the edge, which keeps no list of answers
            text = f"the server that runs on {data} cannot tell that; name the --data of another."
        raise Refused(
            text, exits.FAILED if answer.status >= 500 else _CODES.get(answer.status, refused)
        )
    return address, dict(told)
