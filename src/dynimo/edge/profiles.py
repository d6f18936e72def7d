"""How a cache in front of strangers' servers behaves: by the letter, or stale before failing.

Values only. A cache in front of one's own functions needs neither: those say what they mean.
"""

from __future__ import annotations

from dataclasses import replace

from dynimo.edge.config import Config

HEURISTIC_SHARE = 0.1
"""What RFC 9111 section 4.2.2 names as typical."""

NEGATIVE_SECONDS = 10.0
STALE_SECONDS = 24 * 3600.0


def strict(settings: Config) -> Config:
    """Return settings for the letter of RFC 9111, and nothing beyond it."""
    return replace(
        settings, honour_request_directives=True, surrogate_control=True, pass_ranges=True,
        store_parts=True, soft_purge_seconds=0.0,
        heuristic_share=HEURISTIC_SHARE, store_failures=True, store_cookies=True,
        trust_unclear_age=False, stale_if_cut_off_seconds=STALE_SECONDS,
    )  # fmt: skip


def resilient(settings: Config) -> Config:
    """Return settings that rather answer stale than fail, and shield the upstream."""
    return replace(
        settings, surrogate_control=True, heuristic_share=HEURISTIC_SHARE, pass_ranges=True,
        negative_seconds=settings.negative_seconds or NEGATIVE_SECONDS,
        stale_if_error_seconds=settings.stale_if_error_seconds or STALE_SECONDS,
        stale_if_cut_off_seconds=settings.stale_if_cut_off_seconds or STALE_SECONDS,
    )  # fmt: skip


BY_NAME = {"strict": strict, "resilient": resilient}
