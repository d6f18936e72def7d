"""The settings of this part, with their units. Read by assembly; nothing here reads a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What usage costs, and how it is kept.

    Prices are AWS Lambda's for x86 in us-east-1 unless told otherwise; there is no free tier.
    ``idle_gb_second_price`` is for memory that environments hold while they wait, which AWS does
    not charge. Usage is journalled in files of ``journal_bytes``, counted every ``fold_seconds``,
    kept by the hour for ``hours_kept_days``, then by the day, up to ``retention_days``.
    """

    request_price_per_million: float = 0.20
    gb_second_price: float = 0.0000166667
    idle_gb_second_price: float = 0.0
    currency: str = "USD"
    journal_bytes: int = 4 * 1024 * 1024
    fold_seconds: float = 2.0
    hours_kept_days: int = 45
    retention_days: int = 400
