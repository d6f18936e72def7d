"""The rules that a new CA begins with, if nobody names others: as few as make it work. Pure.

Whoever makes the CA may change its rules anyway, so what they are given here is nothing more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_PRINCIPAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,255}")


def rules(administrators: Sequence[str], local: str) -> str:
    """A policy: everybody as themselves, administrators also as ``local``, hosts by them."""
    arns = json.dumps(list(administrators))
    name = local if _PRINCIPAL.fullmatch(local) else "admin"
    return f"""\
# Who may have which certificates: the first rule that allows it decides, else nobody.
# Change it: dynimo ssh policy show > policy.toml, then dynimo ssh policy apply policy.toml
administrators = {arns}

[[rules]]
name = "people as themselves"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/*"]
[rules.allow]
principals = ["{{caller.name}}"]
source_addresses = "any"
extensions = ["permit-pty"]
valid_seconds = 3600

[[rules]]
name = "administrators by their local name"
type = "user"
[rules.who]
callers = {arns}
[rules.allow]
principals = [{json.dumps(name)}]
source_addresses = "any"
extensions = ["permit-pty"]
valid_seconds = 3600

[[rules]]
name = "hosts by administrators"
type = "host"
[rules.who]
callers = {arns}
[rules.allow]
principals = ["*", "*.*"]
valid_seconds = 7776000
"""
