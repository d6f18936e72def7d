"""What a front process is told when it begins, besides its descriptors."""

from __future__ import annotations

from dataclasses import dataclass

from dynimo.accesslog import Config as AccessLogConfig
from dynimo.identity.config import Config as IdentityConfig
from dynimo.web.config import Config as WebConfig
from dynimo.web.tls import Config as TlsConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSettings:
    """``folder`` is the data folder, ``key`` its operator's. ``plain`` lines are for people."""

    folder: str
    key: str
    web: WebConfig
    identity: IdentityConfig
    tls: TlsConfig
    access: AccessLogConfig
    lines: bool
    plain: bool
    level: str
    form: str
    trusted_proxies: tuple[str, ...] = ()
    slow_headers: tuple[str, ...] = ()
    slot: int = 0
    """Which of the fronts this is; it tells their access logs apart."""
