"""nginx's configuration, from a plan. Pure.

Whatever a stored answer depends on is in its key, in one form of many spellings, and the upstreams
are told that same form: what clients send cannot make an answer other than its key says.
"""

from __future__ import annotations

import re

from dynimo.edge.stored import TAG_HEADERS
from dynimo.nginx.plan import Plan, server
from dynimo.nginx.writing import Block, Directive, Expression, block, one, table, text
from dynimo.web import forwarding

LOCK_SECONDS = 1
"""How long nginx makes requests wait for one fill. Short: it polls, and lets what cannot be stored
through one by one; who waited longer is collapsed by the Dynimo behind, which does neither."""

KEYS_BYTES = 128 * 1024 * 1024
"""Shared memory for keys: about eight of them in a KiB, a million in all."""

INACTIVE_SECONDS = 24 * 3600
"""What nobody asked for in this time is dropped, fresh or not; so long may an answer be stale."""

FAILS_MAX, REST_SECONDS = 3, 5
"""After so many failures in a row a server is not asked for this long."""

CONNECT_SECONDS, TRIES_MAX = 2, 2
CONNECTIONS_MAX = 4096
"""Of one nginx process, those to upstreams included."""

IDLE_CONNECTIONS, IDLE_SECONDS = 64, 60
"""Connections to upstreams that are kept; a Dynimo keeps its end for 75 s."""

SEPARATOR = "|"
"""Stands between what is ours in a key; the last field is host and target."""

_STALE = ("error", "timeout", "invalid_header", "updating",
          "http_429", "http_500", "http_502", "http_503", "http_504")  # fmt: skip
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_NOT_WANTED = r"(?!\s*q\s*=\s*0(?:\.0*)?\s*(?:[,;]|$))"
_STATUSES = {
    "HIT": "nginx; hit", "STALE": "nginx; hit; detail=stale",
    "UPDATING": "nginx; hit; detail=stale",
    "REVALIDATED": "nginx; hit; fwd=stale; fwd-status=304", "EXPIRED": "nginx; fwd=stale",
    "BYPASS": "nginx; fwd=bypass", "MISS": "nginx; fwd=miss", "default": "nginx; fwd=bypass",
}  # fmt: skip


def config(plan: Plan) -> str:
    """Write nginx's configuration.

    Raises:
        ValueError: nginx's grammar has no way to say one of the values.
    """
    user = (one("user", plan.user),) if plan.user else ()
    folder = str(plan.folder)
    whole = (
        one("daemon", "off"),
        one("worker_processes", "auto"),
        one("pid", f"{folder}/nginx.pid"),
        one("error_log", f"{folder}/error.log", "warn"),
        *user,
        block("events", inside=(one("worker_connections", CONNECTIONS_MAX),)),
        block("http", inside=(*_limits(plan), *_tables(plan), *_store(plan), _server(plan))),
    )
    return "# Written by `dynimo edge nginx`, which writes it anew.\n" + text(whole)


def _limits(plan: Plan) -> Block:
    folder = str(plan.folder)
    log = (one("access_log", f"{folder}/access.log", "dynimo", "buffer=64k", "flush=1s"),)
    form = Expression(
        '$remote_addr "$request" $status $body_bytes_sent $request_time $upstream_cache_status'
    )
    return (
        *(one(f"{each}_temp_path", f"{folder}/temporary/{each}") for each in _TEMPORARY),
        one("log_format", "dynimo", "escape=json", form),
        *(log if plan.log else (one("access_log", "off"),)),
        one("server_tokens", "off"),
        one("default_type", "application/octet-stream"),
        one("sendfile", "on"),
        one("tcp_nopush", "on"),
        one("merge_slashes", "off"),
        one("if_modified_since", "before"),
        one("client_header_timeout", "5s"),
        one("client_body_timeout", "30s"),
        one("send_timeout", "10s"),
        one("reset_timedout_connection", "on"),
        one("large_client_header_buffers", 4, "16k"),
        one("client_max_body_size", plan.body_bytes_max),
    )


def _tables(plan: Plan) -> Block:
    """What a request is in the one form that its key and the upstreams get."""
    whole = "".join(f"${{dynimo_offer{number}}}" for number in range(len(plan.offers)))
    named = r"(?:accept|accept-encoding)"
    return (
        # Neither looked up nor stored: what changes something, and what is one person's.
        table("$request_method:$http_authorization", "$dynimo_apart",
              {"~^(?:GET|HEAD):$": "", "default": "1"}),
        table("$http_host", "$dynimo_port", {r"~(:[0-9]+)$": "$1", "default": ""}),
        *(table("$http_accept", f"$dynimo_offer{number}", {_accepting(each): f"{each},",
                                                           "default": ""})
          for number, each in enumerate(plan.offers)),
        table("$dynimo_apart", "$dynimo_accept",
              {"1": "$http_accept", "default": f"{whole}*/*"}),
        table("$http_accept_encoding", "$dynimo_gzip", {_accepting("gzip"): "gzip", "default": ""}),
        table("$dynimo_apart", "$dynimo_encoding",
              {"1": "$http_accept_encoding", "default": "$dynimo_gzip"}),
        # The key holds what answers may vary by. What varies by anything else is not stored.
        table("$upstream_http_vary", "$dynimo_varied",
              {"~^$": "", rf"~*^\s*{named}\s*(?:,\s*{named}\s*)*$": "", "default": "1"}),
        # nginx takes what is old for new; a Dynimo with edge.expiry_shown says until when it is.
        table("$upstream_http_age:$upstream_http_x_accel_expires", "$dynimo_aged",
              {"~^0*:": "", "~:@": "", "default": "1"}),
        table("$upstream_cache_status", "$dynimo_status", _STATUSES),
    )  # fmt: skip


def _accepting(offer: str) -> str:
    """The pattern of a header that names an offer, with no quality of 0."""
    name = re.escape(offer)
    return rf"~*(?:^|,)\s*{name}\s*(?:;{_NOT_WANTED}[^,;]*)*(?:,|$)"


def _store(plan: Plan) -> Block:
    by_key = one("hash", Expression("$host$dynimo_port$request_uri"), "consistent")
    servers = (
        one("server", server(each), f"max_fails={FAILS_MAX}", f"fail_timeout={REST_SECONDS}s")
        for each in plan.upstreams
    )
    cache = (
        f"{plan.folder}/cache", "levels=1:2", f"keys_zone=dynimo:{KEYS_BYTES}",
        f"max_size={plan.cache_bytes}", f"inactive={INACTIVE_SECONDS}s", "use_temp_path=off",
    )  # fmt: skip
    return (
        one("proxy_cache_path", *cache),
        block(
            "upstream",
            "dynimo",
            inside=(
                by_key if plan.by_key else one("least_conn"),
                *servers,
                one("keepalive", IDLE_CONNECTIONS),
                one("keepalive_timeout", f"{IDLE_SECONDS}s"),
            ),
        ),
    )


def _server(plan: Plan) -> Directive:
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    secure = ("ssl", "http2") if plan.certificate else ()
    certificate = (
        one("ssl_certificate", plan.certificate),
        one("ssl_certificate_key", plan.certificate_key),
        one("ssl_protocols", "TLSv1.2", "TLSv1.3"),
        one("ssl_session_cache", "shared:tls:10m"),
        one("ssl_session_tickets", "off"),
    )
    hidden = (block("location", "^~", "/_dynimo/", inside=(one("return", 404),)),
              block("location", "=", "/metrics", inside=(one("return", 404),)))  # fmt: skip
    passed = (
        block("location", "^~", each, inside=(
            one("proxy_cache", "off"), one("proxy_buffering", "off"),
            one("proxy_request_buffering", "off"), one("proxy_pass", "http://dynimo"),
            *_asking(accept="$http_accept", encoding="$http_accept_encoding"),
        ))
        for each in plan.passed
    )  # fmt: skip
    cached = (
        one("proxy_pass", "http://dynimo"),
        *_asking(accept="$dynimo_accept", encoding="$dynimo_encoding"),
        *_caching(plan),
    )
    return block("server", inside=(
        one("listen", f"{host}:{plan.port}", *secure),
        *(certificate if plan.certificate else ()),
        *_answering(plan),
        *hidden,
        *passed,
        block("location", "/", inside=cached),
    ))  # fmt: skip


def _asking(*, accept: str, encoding: str) -> Block:
    """What the upstreams are told: of the client only what we saw ourselves."""
    told = {
        "Host": "$host$dynimo_port", "Connection": "", "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$scheme", "Accept": accept, "Accept-Encoding": encoding,
    }  # fmt: skip
    claims = sorted(forwarding.NAMES - {name.lower() for name in told})
    return (
        *(one("proxy_set_header", name, Expression(value)) for name, value in told.items()),
        *(one("proxy_set_header", name.title(), "") for name in claims),
    )


def _answering(plan: Plan) -> Block:
    return (
        one("proxy_http_version", "1.1"),
        one("proxy_redirect", "off"),
        one("proxy_connect_timeout", f"{CONNECT_SECONDS}s"),
        one("proxy_read_timeout", f"{plan.answer_seconds}s"),
        one("proxy_send_timeout", "30s"),
        one("proxy_next_upstream", "error", "timeout"),
        one("proxy_next_upstream_tries", TRIES_MAX),
        # With the time of the answer, its age is right without an Age, which nginx cannot count.
        one("proxy_pass_header", "Date"),
        *(one("proxy_hide_header", name.title()) for name in TAG_HEADERS),
        one("proxy_ignore_headers", "Vary", "X-Accel-Redirect", "X-Accel-Limit-Rate",
            "X-Accel-Buffering", "X-Accel-Charset"),
        one("add_header", "Cache-Status", Expression("$dynimo_status"), "always"),
    )  # fmt: skip


def _caching(plan: Plan) -> Block:
    fields = (str(plan.generation), "$scheme", "$dynimo_accept", "$dynimo_encoding")
    key = SEPARATOR.join((*fields, "$host$dynimo_port$request_uri"))
    apart = Expression("$dynimo_apart")
    return (
        one("proxy_cache", "dynimo"),
        one("proxy_cache_key", Expression(key)),
        one("proxy_cache_bypass", apart),
        one("proxy_no_cache", apart, Expression("$dynimo_varied"), Expression("$dynimo_aged")),
        one("proxy_cache_revalidate", "on"),
        one("proxy_cache_lock", "on"),
        one("proxy_cache_lock_timeout", f"{LOCK_SECONDS}s"),
        one("proxy_cache_lock_age", f"{LOCK_SECONDS}s"),
        one("proxy_cache_background_update", "on"),
        one("proxy_cache_use_stale", *(_STALE if plan.stale else ("off",))),
        one("proxy_force_ranges", "on"),
    )
