"""What use costs. Pure arithmetic in decimals: no cent is lost to rounding before the end."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dynimo.metering.config import Config
from dynimo.metering.use import Use

_MILLION = 1_000_000
_MIB_MS_PER_GB_SECOND = 1024 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The parts of a cost, in the currency of the prices."""

    requests: Decimal
    compute: Decimal
    idle: Decimal

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.requests + self.compute + self.idle


def cost(use: Use, prices: Config) -> Cost:
    """What this use costs at these prices. Throttled requests cost nothing."""
    return Cost(
        requests=Decimal(use.requests) * _exact(prices.request_price_per_million) / _MILLION,
        compute=Decimal(use.mib_ms) * _exact(prices.gb_second_price) / _MIB_MS_PER_GB_SECOND,
        idle=Decimal(use.held_mib_ms) * _exact(prices.idle_gb_second_price) / _MIB_MS_PER_GB_SECOND,
    )


def _exact(price: float) -> Decimal:
    """The price as it was typed, not its nearest binary fraction."""
    return Decimal(str(price))
