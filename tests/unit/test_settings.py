"""Settings: flags over environment over file; what cannot be used is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo import settings
from dynimo.model.errors import ConfigError


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """One order of precedence, everywhere."""
    file = tmp_path / "dynimo.toml"
    file.write_text("port = 1\nhost = 'a'\nstop_seconds = 9\n[edge]\nmemory_bytes = 5\n")
    environment = {"DYNIMO_PORT": "2", "DYNIMO_HOST": "b", "DYNIMO_EDGE_MEMORY_BYTES": "6"}

    settled = settings.read(file, environment, {"port": 3})

    assert (settled.port, settled.host, settled.stop_seconds) == (3, "b", 9.0)
    assert settled.edge.memory_bytes == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "unknown key 'prot'"),
        ("[edge]\nmemory = 1", "[edge]: unknown key 'memory'; known:"),
        ("edge = 1", "[edge] must be a table"),
        ("port = 'x'", "port"),
        ("port = 70000", "between 0 and 65535"),
        ("[sources]\n'a b' = '.'", "letters, digits"),
        ("[sources]\na = './nowhere'", "no folder and no http(s) address: ./nowhere"),
        ("[sources]\na = '/var'", "is too wide"),
        ("[sources.a]\nfolder = '.'", 'a must be a text: a = "FOLDER"'),
        ("[sandbox]\nwithout = ['fear']", "no measure 'fear'; there are: "),
        ("[log]\nform = 'xml'", "auto, plain or json"),
        ("[log]\nlevel = 'LOUD'", "log.level = 'LOUD' must be one of DEBUG, INFO"),
        ("[edge]\nmemory_bytes = -5", "edge.memory_bytes = -5 must not be below 0"),
        ("stop_seconds = nan", "stop_seconds = nan must not be below 0"),
        ("port = \nhost = 1", "line 1"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    """The message names the key and what would be right."""
    file = tmp_path / "dynimo.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as refused:
        settings.read(file, {}, {})

    assert said in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://me:hush@shop.example/", "https://hush@shop.example/", "https://shop.example/?sig=hush",
        "https://shop.example/#hush", "http://:80/hush", "http://[hush/", "http://shop.example:hush/",
        "s3://key:hush@bucket/",
    ],
)  # fmt: skip
def test_a_source_with_a_secret_in_it_is_refused_and_not_shown(
    tmp_path: Path, address: str
) -> None:
    """Nothing could be asked there, and what is printed at the start may be in a log."""
    file = tmp_path / "dynimo.toml"
    file.write_text(f"[sources]\nshop = '{address}'\n")

    with pytest.raises(ConfigError, match="'shop'") as refused:
        settings.read(file, {}, {})

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DYNIMO_EDGE_MEMRY_BYTES", "did you mean DYNIMO_EDGE_MEMORY_BYTES?"),
        ("DYNIMO_GATEWAY_UPSTREAMS", "sets nothing"),
    ],
)
def test_a_variable_that_sets_nothing_is_refused(name: str, said: str) -> None:
    """As a wrong key in a file is: what was meant would silently not hold."""
    with pytest.raises(ConfigError, match=name) as refused:
        settings.read(None, {name: "5"}, {})

    assert said in str(refused.value)


def test_variables_of_others_are_left_alone() -> None:
    """Those of apps and of the command line."""
    others = {"DYNIMO_IMAGES_KEY": "k", "DYNIMO_TRACEBACK": "1", "DYNIMOS_EDGE_A": "b"}

    assert settings.read(None, others, {}) == settings.read(None, {}, {})


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """Asked for a file that is not there, nothing is guessed."""
    with pytest.raises(ConfigError, match="No such file"):
        settings.read(tmp_path / "none.toml", {}, {})


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    """A configuration can move with its folder."""
    (tmp_path / "here").mkdir()
    file = tmp_path / "dynimo.toml"
    file.write_text("data = 'd'\napp_folders = ['here']\n[sources]\na = 'here'\nb = 'http://x/'\n")

    settled = settings.read(file, {}, {})

    assert settled.sources == {"a": str(tmp_path / "here"), "b": "http://x/"}
    assert settled.app_folders == (str(tmp_path / "here"),)
    assert settled.data == str(tmp_path / "d")


def test_every_setting_is_in_the_reference_page() -> None:
    """docs/reference/settings.md is made from the code, and is up to date."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text()

    assert page == settings.page()
    for key, default, variable in settings.reference():
        assert f"| `{key}` | `{default}` | `{variable}` |" in page
