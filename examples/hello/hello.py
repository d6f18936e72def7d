"""The smallest app: one handler, as AWS Lambda would run it too. Nothing of Dynimo is imported."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Greet whoever is named in the query."""
    name = event.get("queryStringParameters", {}).get("name", "world")
    return {"hello": name, "version": context.function_version}
