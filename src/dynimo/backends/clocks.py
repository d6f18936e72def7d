"""The system's clock, as ``ports.Clock``. Tests bring their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class SystemClock:
    """Real time; ``call_later`` uses the running event loop."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only go forward; the same clock as ``time.monotonic_ns``."""
        return time.monotonic()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once, after ``seconds``; the result cancels that."""
        return asyncio.get_running_loop().call_later(seconds, callback).cancel
