"""Every limit and choice of the cache, with its name and unit. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What one cache may use and how it behaves."""

    name: str = "Dynimo"
    """What it calls itself in Cache-Status."""

    memory_bytes: int = 256 * 1024 * 1024
    """Budget of the memory tier, bookkeeping included; 0 turns the tier off."""

    disk_folder: Path | None = None
    """Where the disk tier lives; None turns it off."""

    disk_bytes: int = 10 * 1024 * 1024 * 1024
    """Budget of the disk tier, in bytes on disk."""

    object_bytes_max: int = 32 * 1024 * 1024
    """A larger body passes through without being stored."""

    filling_bytes_max: int = 512 * 1024 * 1024
    """Bytes of all bodies that are still coming and are kept to be stored; one more is passed on
    without being stored."""

    variants_max: int = 16
    """Stored variants of one URL (Vary); the oldest gives way."""

    waiters_max: int = 10_000
    """Requests that may wait for one fill; one more is answered 503."""

    fills_max: int = 4096
    """Upstream requests at once; one more is answered 503."""

    hit_for_miss_seconds: float = 5.0
    """How long a key whose answer could not be stored is fetched without making others wait."""

    hit_for_miss_keys_max: int = 10_000
    """How many such keys are remembered."""

    disk_writes_max: int = 1024
    """Objects waiting to be written to disk; one more is not written."""

    disk_write_bytes_max: int = 128 * 1024 * 1024
    """Bytes of such objects; more is not written."""

    disk_reads_max: int = 256
    """Look-ups on disk at once; one more counts as a miss."""

    disk_reader_threads: int = 2
    """Threads that read from disk."""

    tags_shown: bool = False
    """Whether clients see the tags of an answer (``Surrogate-Key``, ``Cache-Tag``)."""

    expiry_shown: bool = False
    """Whether X-Accel-Expires says until when an answer is fresh: for nginx in front, which knows
    neither ages nor targeted fields. With ``tags_shown`` a decision's tags are shown too."""

    vary_shown: bool = False
    """Whether answers say by how little of the headers in Vary they differ (``Dynimo-Vary``): for
    ``dynimo edge`` in front, which then keeps a variant for each that is kept here."""

    peers: tuple[str, ...] = ()
    """All edges in front of the same origin, this one included: ``http://HOST:PORT``, the same list
    on each. Each key is then fetched from the origin by one of them. For ``dynimo edge``."""

    peer_self: str = ""
    """Which of ``peers`` this one is."""

    peer_key: str = ""
    """A secret that the edges share; with it they prove themselves to each other."""

    peer_connect_seconds: float = 0.5
    """How long a connection to another edge may take; then it is passed by."""

    peer_head_seconds: float = 30.0
    """How long another edge may take to begin its answer, the origin's time included."""

    peer_down_seconds: float = 5.0
    """How long an edge that did not answer is passed by."""

    soft_purge_seconds: float = 300.0
    """How long what a soft purge took is still given, whatever it says of being stale, while it is
    made anew no faster than other things are; 0: as long as it says itself, and all at once."""

    honour_request_directives: bool = False
    """Whether a client's ``Cache-Control: no-cache`` and ``no-store`` are obeyed.

    Off by default, as most shared caches in front of one's own origin have it: otherwise anybody
    could make every request cost a render. ``only-if-cached`` is always obeyed.
    """

    surrogate_control: bool = False
    """Whether Surrogate-Control counts where no CDN-Cache-Control is; servers are told that."""

    heuristic_share: float = 0.0
    """An answer that does not say how long it is good, but when it changed, is taken to be good for
    this share of the time since then (RFC 9111 section 4.2.2); 0 for not at all."""

    heuristic_seconds_max: float = 24 * 3600.0
    """At most so long."""

    step_seconds: float = 5.0
    """How long an answer that stands in for the real one is good, on a route with a fallback."""

    step_patience_seconds: float = 10.0
    """How long the real answer is waited for there, before something stands in for it."""

    step_wait_seconds: float = 2.0
    """How long all that an app named to be asked for instead is waited for."""

    steps_at_once: int = 4
    """How many such are asked for at once; one more is passed over."""

    steps_held_bytes: int = 32 * 1024 * 1024
    """Bytes of answers that stand in and are held in memory."""

    negative_seconds: float = 0.0
    """How long "not found" and its kin are good if they say nothing; 0 for not at all."""

    stale_if_error_seconds: float = 0.0
    """How long an answer is still given when a new one cannot be had, where it does not say."""

    stale_if_cut_off_seconds: float = 0.0
    """The same, where the upstream cannot be reached at all."""

    pass_ranges: bool = False
    """Whether a Range is passed on where the whole was found to be none to store."""

    store_parts: bool = False
    """Whether a Range is passed on where nothing is stored, and the part it brings is stored."""

    store_failures: bool = False
    """Whether an answer of 416, 429 or 5xx is stored when it says how long it is good."""

    store_cookies: bool = False
    """Whether an answer that sets a cookie is stored, where nothing in it says no."""

    trust_unclear_age: bool = True
    """Whether of several Age values the first counts, and one that is no number does not, as RFC
    9111 advises; else such an answer counts as old."""
