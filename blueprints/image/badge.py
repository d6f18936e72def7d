"""Draws a badge: a PNG made of nothing but the standard library, cached at the edge."""

import base64
import struct
import zlib

WIDTH, HEIGHT = 160, 40
COLOURS = {"ok": (46, 160, 67), "failed": (207, 34, 46)}


def handler(event, context):
    """Answer ``/badge/STATE`` with a picture of that state's colour."""
    state = event["rawPath"].rsplit("/", 1)[-1]
    body = png(COLOURS.get(state, (110, 119, 129)))
    return {
        "statusCode": 200,
        "headers": {"content-type": "image/png", "cache-control": "public, max-age=300"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def png(colour):
    """Return a PNG (RFC 2083) filled with one colour, darker towards the foot."""
    rows = b"".join(
        b"\0" + bytes(int(part * (1 - 0.3 * y / HEIGHT)) for part in colour) * WIDTH
        for y in range(HEIGHT)
    )
    head = struct.pack(">2I5B", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
