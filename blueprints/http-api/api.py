"""A small HTTP API behind a function URL: notes in memory, by plain routing."""

import base64
import json

NOTES = {}


def handler(event, context):
    """Answer one HTTP request (payload format 2.0)."""
    method = event["requestContext"]["http"]["method"]
    path = event["rawPath"].strip("/")
    if path == "":
        return {"notes": sorted(NOTES)}
    if method == "PUT":
        NOTES[path] = _body(event)
        return {"statusCode": 201, "body": json.dumps({"kept": path})}
    if method == "GET" and path in NOTES:
        return {
            "statusCode": 200,
            "headers": {"content-type": "text/plain; charset=utf-8"},
            "body": NOTES[path],
        }
    return {"statusCode": 404, "body": json.dumps({"error": f"there is no note {path!r}"})}


def _body(event):
    body = event.get("body", "")
    if event.get("isBase64Encoded"):
        return base64.b64decode(body).decode()
    return body
