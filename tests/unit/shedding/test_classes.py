"""What class a request is of, by what its headers say."""

from __future__ import annotations

import pytest

from dynimo.shedding import classes
from dynimo.web.message import Headers, Priority


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], Priority.LIVE),
        ([("Purpose", "prefetch")], Priority.PREFETCH),
        ([("Sec-Purpose", "prefetch;prerender")], Priority.PREFETCH),
        ([("Sec-Purpose", "Prefetch")], Priority.PREFETCH),
        ([("Sec-Purpose", "prefetched")], Priority.LIVE),
        ([("Dynimo-Priority", "warm"), ("x-dynimo-key", "key")], Priority.WARM),
        ([("Dynimo-Priority", "warm"), ("x-dynimo-key", "kex")], Priority.LIVE),
        ([("Dynimo-Priority", "warm")], Priority.LIVE),
        ([("Dynimo-Priority", "live"), ("Purpose", "prefetch")], Priority.PREFETCH),
        ([("Dynimo-Priority", "warm"), ("x-dynimo-key", "\u00e9")], Priority.LIVE),
    ],
)
def test_class_of_a_request(pairs: list[tuple[str, str]], expected: Priority) -> None:
    """Browsers say that they prefetch; only the operator warms."""
    assert classes.of(Headers(pairs), b"key") is expected
