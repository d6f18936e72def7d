"""The picture: well-formed, with every panel, its words escaped, and of bounded size."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from dynimo.simulating import chart

SVG = "{http://www.w3.org/2000/svg}"


def _panel(title: str, count: int) -> chart.Panel:
    return chart.Panel(
        title=title,
        verdict="0 of 10 failed",
        good=True,
        times=[float(index) for index in range(count)],
        demand=[float(index % 7) for index in range(count)],
        supply=[3.0] * count,
        waiting=[0.0] * count,
        failed=[0.0] * count,
    )


def test_every_panel_is_in_it_with_its_words() -> None:
    """Words from outside cannot break the document."""
    picture = chart.draw([_panel('<fixed> & "small"', 10), _panel("dynimo", 10)], title="a < b")

    root = ET.fromstring(picture)
    words = [each.text for each in root.iter(f"{SVG}text")]
    assert {'<fixed> & "small"', "dynimo", "a < b", "0 of 10 failed"} <= set(words)


def test_a_day_is_thinned_to_a_picture() -> None:
    """A long run does not make a large file."""
    picture = chart.draw([_panel("day", 100_000)], title="day")

    assert len(picture) < 60_000


def test_a_single_moment_can_be_drawn() -> None:
    """One row is a picture too."""
    ET.fromstring(chart.draw([_panel("moment", 1)], title="moment"))
