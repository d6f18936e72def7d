"""Cost arithmetic: AWS's prices by default, exact to the last digit."""

from __future__ import annotations

from decimal import Decimal

from dynimo.metering.config import Config
from dynimo.metering.prices import cost
from dynimo.metering.use import Use


def test_a_million_requests_of_a_tenth_second_at_a_gigabyte() -> None:
    """The example of AWS's price list: $0.20 and $1.66667."""
    use = Use(requests=1_000_000, mib_ms=1_000_000 * 100 * 1024)
    told = cost(use, Config())

    assert use.gb_seconds == 100_000
    assert told.requests == Decimal("0.20")
    assert told.compute == Decimal("1.66667")
    assert told.total == Decimal("1.86667")


def test_throttles_and_idle_memory_cost_nothing_unless_priced() -> None:
    """AWS charges neither; a deployment may put a price on the second."""
    use = Use(throttles=1000, held_mib_ms=1024 * 1000 * 3600)

    assert cost(use, Config()).total == 0
    assert cost(use, Config(idle_gb_second_price=0.001)).total == Decimal("3.6")


def test_prices_are_taken_as_typed() -> None:
    """0.1 is a tenth, not its nearest binary fraction."""
    use = Use(requests=3, mib_ms=0)
    assert cost(use, Config(request_price_per_million=0.1)).requests == Decimal("0.0000003")
