"""The access log: one line a request, whole, without secrets, in files that are turned over."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from dynimo import accesslog, testing
from dynimo.accesslog import AccessLog, Config
from dynimo.web import masking
from dynimo.web.message import Headers, Request, Response


def _request(**given: Any) -> Request:
    headers = [
        ("host", "x.example"),
        ("user-agent", 'a "b"\n'),
        ("referer", "https://u:p@r/?token=t"),
    ]
    return Request(
        **{"method": "GET", "path": "/a", "peer": "192.0.2.1", "headers": Headers(headers), **given}
    )


def _write(folder: Path, form: str, count: int = 1, **config: Any) -> list[str]:
    log = AccessLog(folder, Config(form=form, **config), testing.VirtualClock(0.0))
    for number in range(count):
        request = _request(query=f"n={number}&X-Amz-Signature=abc")
        log.add(request, Response(body=b"four"), 0.25)
    log.close()
    return (folder / "access.log").read_text().splitlines()


def test_a_line_is_as_other_servers_write_it(tmp_path: Path) -> None:
    """Combined: whoever reads those reads this; nothing that a client sends ends it early."""
    (line,) = _write(tmp_path, "combined")

    assert line == (
        '192.0.2.1 - - [01/Jan/1970:00:00:00 +0000] "GET /a?n=0&X-Amz-Signature=*** HTTP/1.1"'
        ' 200 4 "https://r/?token=***" "a \\x22b\\x22\\x0a"'
    )


def test_a_line_is_json(tmp_path: Path) -> None:
    """With what the combined form has no place for."""
    line = json.loads(_write(tmp_path, "json")[0])

    assert (line["status"], line["bytes"], line["seconds"]) == (200, 4, 0.25)
    assert (line["host"], line["target"]) == ("x.example", "/a?n=0&X-Amz-Signature=***")


def test_it_is_its_owners(tmp_path: Path) -> None:
    """Addresses of people are nobody else's business."""
    _write(tmp_path, "json")

    assert stat.S_IMODE((tmp_path / "access.log").stat().st_mode) == 0o600


def test_full_files_are_turned_over_and_the_oldest_goes(tmp_path: Path) -> None:
    """As many are kept as the setting says, and none is much larger than it says."""
    for _ in range(12):
        _write(tmp_path, "combined", count=5, bytes_max=1500, files_max=3)
    files = sorted(tmp_path.iterdir())

    assert [file.name for file in files] == ["access.log", "access.log.1", "access.log.2"]
    assert all(file.stat().st_size <= 1500 for file in files)
    assert all(file.read_text().endswith("\n") for file in files)


def test_a_flood_is_bounded_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be kept is counted."""
    monkeypatch.setattr(accesslog, "PENDING_MAX", 3)

    assert len(_write(tmp_path, "json", count=10)) == 3
    assert "7 requests more" in caplog.text


def test_a_disk_that_fails_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once; requests go on."""
    log = AccessLog(tmp_path / "gone", Config(form="json"), testing.VirtualClock())
    log.add(_request(), Response(), 0.0)
    log.close()

    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", "/p"),
        ("w=1&h=2", "/p?w=1&h=2"),
        ("plain", "/p?plain"),
        ("a=1&SIGNATURE=x&b", "/p?a=1&SIGNATURE=***&b"),
        ("X%2DAmz%2DSecurity%2DToken=x", "/p?X%2DAmz%2DSecurity%2DToken=***"),
        ("access_token=x&key=&code=y", "/p?access_token=***&key=&code=***"),
    ],
)
def test_secrets_are_masked_by_their_parameters_name(query: str, kept: str) -> None:
    """However it is spelled; everything else stays readable."""
    assert masking.target("/p", query) == kept


def test_an_address_loses_its_user_and_fragment() -> None:
    """Both may hold what lets people in."""
    assert masking.address("https://user:pass@h/p?sig=1#access_token=2") == "https://h/p?sig=***"
    assert masking.address("https://h/a@b") == "https://h/a@b"
