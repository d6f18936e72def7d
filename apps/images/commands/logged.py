"""Requests from a log: the platform's access log in each form, other servers', or a URL a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

_REQUEST = re.compile(r"(?:^|[\s\"])(?:GET|HEAD) (/\S*)")
LINE_MAX = 16_384
"""Characters of a line; a longer one is skipped."""


def targets(lines: Iterable[str]) -> Iterator[str]:
    """Give the path and query of each request; what is none is skipped."""
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#") or len(text) > LINE_MAX:
            continue
        found = _in_json(text) if text.startswith("{") else _in_text(text)
        if found.startswith("/"):
            yield found


def _in_text(text: str) -> str:
    if text.startswith("/"):
        return text.split(maxsplit=1)[0]
    if text.startswith(("http://", "https://")):
        return "/" + text.split(maxsplit=1)[0].partition("://")[2].partition("/")[2]
    found = _REQUEST.search(text)
    return found[1] if found else ""


def _in_json(text: str) -> str:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(read, dict) or read.get("method", "GET") not in ("GET", "HEAD"):
        return ""
    target = str(read.get("target") or read.get("url") or read.get("path") or "")
    query = read.get("query")
    return f"{target}?{query}" if isinstance(query, str) and query and "?" not in target else target
