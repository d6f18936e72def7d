"""Code and layers by S3 reference: from the folders that ``registry.buckets`` names."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit, recorded
from tests.e2e.serving import Server

FIRST, SECOND = kit.zipped("def handler(e, c): return 1"), kit.zipped("def handler(e, c): return 2")
NEW = {"Role": kit.ROLE, "Runtime": "python3.11", "Handler": "app.handler"}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a server with the bucket ``code``; beside its folder lies what is nobody's."""
    folder = tmp_path_factory.mktemp("buckets")
    (folder / "code" / "deep").mkdir(parents=True)
    (folder / "code" / "deep" / "first.zip").write_bytes(FIRST)
    (folder / "code" / "second.zip").write_bytes(SECOND)
    (folder / "secret.zip").write_bytes(FIRST)
    (folder / "code" / "link.zip").symlink_to(folder / "secret.zip")
    config = _config(folder)
    server = Server(folder / "data", ("--config", str(config))).start()
    yield kit.client(server)
    server.stop()


def _config(folder: Path) -> Path:
    config = folder / "dynimo.toml"
    config.write_text(f'[registry.buckets]\ncode = "{folder / "code"}"\n')
    return config


def test_code_comes_from_a_bucket(aws: Any) -> None:
    """Made from one key, changed to another; the hash is the zip's."""
    code = {"S3Bucket": "code", "S3Key": "deep/first.zip"}
    made = aws.create_function(FunctionName="fetched", Code=code, **NEW)
    kit.active(aws, "fetched")
    first, _ = kit.call(aws, "fetched")
    aws.update_function_code(FunctionName="fetched", S3Bucket="code", S3Key="second.zip")
    kit.updated(aws, "fetched")
    second, _ = kit.call(aws, "fetched")
    layer = aws.publish_layer_version(LayerName="fetched", Content=code)

    expected = base64.b64encode(hashlib.sha256(FIRST).digest()).decode()
    assert [made["CodeSha256"], layer["Content"]["CodeSha256"]] == [expected] * 2
    assert [first, second] == [1, 2]


NO_BUCKET = "NoSuchBucket. S3 Error Message: The specified bucket does not exist"
NO_KEY = "NoSuchKey. S3 Error Message: The specified key does not exist."


@pytest.mark.parametrize(
    ("bucket", "key", "message"),
    [
        ("none", "k", NO_BUCKET),
        *(
            ("code", key, NO_KEY)
            for key in (
                "gone.zip", "deep", "../secret.zip", "/etc/passwd", "link.zip", "a\0b", "k" * 1024,
            )
        ),
    ],
)  # fmt: skip
def test_what_is_not_in_a_bucket_is_not_there(
    aws: Any, bucket: str, key: str, message: str
) -> None:
    """In AWS's words, whatever a key tries to reach."""
    code = {"S3Bucket": bucket, "S3Key": key}
    with pytest.raises(ClientError) as error:
        aws.create_function(FunctionName="never", Code=code, **NEW)

    assert kit.refused(error.value) == (
        400, recorded.BAD, "Error occurred while GetObject. S3 Error Code: " + message,
    )  # fmt: skip
