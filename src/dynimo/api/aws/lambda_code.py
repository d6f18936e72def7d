"""The code that a request brings: a zip in its body, or an object in a bucket; kept by its hash.

Reads and unpacks off the event loop. What a function is made of otherwise is ``lambda_settings``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from dynimo.model.errors import (
    CodeStorageExceeded,
    InvalidParameterValue,
    RequestEntityTooLarge,
)
from dynimo.registry.config import Config
from dynimo.registry.contents import Contents
from dynimo.registry.records import Code

REQUEST_BYTES_MAX = 70_167_211
"""What AWS says that a whole request with a zip may have."""

Fetch: TypeAlias = Callable[[str, str, str | None], bytes]
"""(bucket, key, version) → the object. Blocking. Raises InvalidParameterValue, as AWS words it."""


class Uploads:
    """Takes code in."""

    def __init__(self, contents: Contents, fetch: Fetch, config: Config) -> None:
        self._contents = contents
        self._fetch = fetch
        self._config = config

    def check_request(self, size: int, operation: str) -> None:
        """Refuse a request that is too large as a whole. Raises RequestEntityTooLarge."""
        if size > REQUEST_BYTES_MAX:
            raise RequestEntityTooLarge(
                f"Request must be smaller than {REQUEST_BYTES_MAX} bytes for the {operation}"
                " operation"
            )

    async def take(self, wanted: Mapping[str, Any], *, held_bytes: int) -> Code:
        """Keep the code that ``ZipFile`` or ``S3Bucket`` and ``S3Key`` name.

        ``held_bytes`` is what the account holds already.

        Raises:
            InvalidParameterValue: there is none, or it is no zip that may be kept.
            RequestEntityTooLarge: the zip is over the limit.
            CodeStorageExceeded: the account holds too much.
        """
        if wanted.get("ImageUri"):
            raise InvalidParameterValue(
                "Dynimo runs zips, not containers: give ZipFile, or S3Bucket and S3Key."
            )
        if wanted.get("ZipFile") is not None:
            data = _decoded(wanted["ZipFile"])
        elif wanted.get("S3Bucket") and wanted.get("S3Key"):
            data = await asyncio.to_thread(
                self._fetch, wanted["S3Bucket"], wanted["S3Key"], wanted.get("S3ObjectVersion")
            )
        else:
            raise InvalidParameterValue("Please provide a source for function code.")
        if len(data) > self._config.zip_bytes_max:
            limit = self._config.zip_bytes_max
            raise RequestEntityTooLarge(f"Zipped size must be smaller than {limit} bytes")
        if held_bytes + len(data) > self._config.storage_bytes_max:
            raise CodeStorageExceeded("Code storage limit exceeded.")
        sha256 = await asyncio.to_thread(self._contents.keep_zip, data)
        return Code(sha256=sha256, size=len(data))


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise InvalidParameterValue(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from None
