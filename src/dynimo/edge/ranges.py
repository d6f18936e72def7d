"""Parts of a whole answer, as a Range asks for them (RFC 9110 section 14). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dynimo.edge import dates
from dynimo.web import message

RANGES_MAX = 16
"""Parts in one answer; who asks for more is given the whole."""

_UNIT = re.compile(r"bytes=(.+)", re.IGNORECASE)
_SPEC = re.compile(r"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})")

Span = tuple[int, int]
"""First byte, and the byte after the last."""


def cut(asked: Mapping[str, str], whole: message.Response, *, boundary: str) -> message.Response:
    """Return what a GET with a Range is answered: 206, 416, or the whole itself.

    ``boundary`` parts the parts, if there are several, and must not occur in the body.
    """
    if whole.status != 200 or whole.pieces is not None or not _is_current(asked, whole):
        return whole
    length = len(whole.body)
    found = spans(asked["range"], length)
    if found is None:
        return whole
    headers = message.Headers()
    headers.pairs = [
        pair for pair in whole.headers.pairs if pair[0] not in {"content-length", "content-range"}
    ]
    if not found:
        headers.pairs = [pair for pair in headers.pairs if not pair[0].startswith("content-")]
        headers.add("content-range", f"bytes */{length}")
        return message.Response(status=416, headers=headers)
    if len(found) == 1:
        first, end = found[0]
        headers.add("content-range", f"bytes {first}-{end - 1}/{length}")
        return message.Response(status=206, headers=headers, body=whole.body[first:end])
    kind = headers.get("content-type")
    headers.set("content-type", f"multipart/byteranges; boundary={boundary}")
    body = _parts(whole.body, found, kind, boundary)
    return message.Response(status=206, headers=headers, body=body)


def spans(value: str, length: int) -> list[Span] | None:
    """Return the parts that a Range asks for; none when it has none of them, None to ignore it.

    It is ignored where it is malformed, of another unit, or asks for more than the whole has.
    """
    match = _UNIT.fullmatch(value.strip())
    if match is None:
        return None
    found: list[Span] = []
    specs = [spec.strip() for spec in match[1].split(",")]
    for spec in specs:
        if not spec:
            continue
        parts = _SPEC.fullmatch(spec)
        if parts is None:
            return None
        if parts[3] is not None:
            first, end = max(0, length - int(parts[3])), length
        else:
            first = int(parts[1])
            end = min(length, int(parts[2]) + 1) if parts[2] else length
            if parts[2] and int(parts[2]) < first:
                return None
        if first < end:
            found.append((first, end))
    if len(specs) > RANGES_MAX or (len(found) > 1 and sum(b - a for a, b in found) > length):
        return None
    return found


def _is_current(asked: Mapping[str, str], whole: message.Response) -> bool:
    """Say whether If-Range, if there is one, names what we have (RFC 9110 section 13.1.5)."""
    condition = asked.get("if-range", "").strip()
    if not condition:
        return True
    if condition.startswith('"'):
        return condition == whole.headers.get("etag")
    changed = whole.headers.get("last-modified")
    since, date = dates.parse(changed), dates.parse(whole.headers.get("date"))
    strong = since is not None and date is not None and since < date
    return condition == changed and strong


def _parts(body: bytes, found: list[Span], kind: str, boundary: str) -> bytes:
    lines: list[bytes] = []
    for first, end in found:
        head = f"\r\n--{boundary}\r\n"
        if kind:
            head += f"content-type: {kind}\r\n"
        head += f"content-range: bytes {first}-{end - 1}/{len(body)}\r\n\r\n"
        lines += [head.encode("latin-1"), body[first:end]]
    lines.append(f"\r\n--{boundary}--\r\n".encode())
    return b"".join(lines)
