"""The decision: the first rule under which all that is asked may be had, and exactly what it gives.

Deny by default. For every rule that was passed over it says what did not hold. Pure: no clock, no
state; approvals that are needed are named, not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from asking import identifying, keys, naming, sources
from asking.asked import USER, Asked
from asking.rules import Allowed, Policy, Rule
from asking.unmet import Unmet, listed, shown

COMMAND_CHARACTERS_MAX = 1024
VALID_SECONDS_MAX = 366 * 86_400
"""What nobody may even ask for."""
KEY_ID_CHARACTERS_MAX = 512
_UNSAFE_IN_KEY_ID = re.compile(r"[^A-Za-z0-9_.@+=:/-]")


# One for each certificate: a frozen dataclass takes four times as long to make.
class Grant(NamedTuple):
    """What a certificate may say, no more. Times are seconds.

    Empty ``source_addresses`` and ``force_command`` are none. ``approvers`` are patterns over ARNs;
    with ``needs`` 0 nobody is asked.
    """

    principals: tuple[str, ...]
    source_addresses: tuple[str, ...]
    force_command: str
    extensions: tuple[str, ...]
    valid_seconds: int
    backdate_seconds: int
    no_touch: bool
    verify_required: bool
    needs: int
    approvers: tuple[str, ...]
    approval_seconds: int
    key_id: str


class PassedOver(NamedTuple):
    """A rule that did not decide, and why."""

    rule: str
    why: str


class Decision(NamedTuple):
    """What the policy says; without a grant ``rule`` is empty."""

    rule: str = ""
    grant: Grant | None = None
    passed_over: tuple[PassedOver, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether a rule allows it."""
        return self.grant is not None


def decide(policy: Policy, asked: Asked) -> Decision:
    """Ask the rules in order. Never raises for what is asked."""
    passed_over: list[PassedOver] = []
    for rule in policy.rules:
        given = _given(policy, rule, asked)
        if isinstance(given, Grant):
            return Decision(rule=rule.name, grant=given, passed_over=tuple(passed_over))
        passed_over.append(PassedOver(rule.name, "; ".join(given)))
    return Decision(passed_over=tuple(passed_over))


def _given(policy: Policy, rule: Rule, asked: Asked) -> Grant | list[str]:
    """The grant, or all that does not hold."""
    if rule.type != asked.type:
        return [f"it is for {rule.type} certificates"]
    unmet = list(identifying.unmet(rule.who, asked))
    if unmet:
        return unmet  # who is not meant need not know what others may have
    try:
        return _granted(policy, rule, asked)
    except Unmet:
        return list(_unmet(policy, rule.allow, asked))


def _unmet(policy: Policy, allow: Allowed, asked: Asked) -> Iterator[str]:
    """Everything for which `_granted` raises, not only the first."""
    for check in (
        lambda: keys.taken(allow, asked),
        lambda: naming.principals(policy, allow, asked),
        lambda: sources.restricted(allow, asked),
        lambda: _command(allow, asked),
        lambda: _extensions(allow, asked),
        lambda: _seconds(allow, asked),
    ):
        try:
            check()
        except Unmet as error:
            yield str(error)


def _granted(policy: Policy, rule: Rule, asked: Asked) -> Grant:
    """The grant, if all holds. Raises Unmet."""
    allow, approval, hardware = rule.allow, rule.approval, keys.is_hardware(asked.key)
    keys.taken(allow, asked)
    return Grant(
        principals=naming.principals(policy, allow, asked),
        source_addresses=sources.restricted(allow, asked), force_command=_command(allow, asked),
        extensions=_extensions(allow, asked), valid_seconds=_seconds(allow, asked),
        backdate_seconds=allow.backdate_seconds,
        no_touch=hardware and not allow.touch and asked.type == USER,
        verify_required=hardware and allow.verify and asked.type == USER,
        needs=approval.needs if approval else 0,
        approvers=tuple(each.text for each in approval.approvers) if approval else (),
        approval_seconds=approval.seconds if approval else 0,
        key_id=_key_id(rule, asked),
    )  # fmt: skip


def _command(allow: Allowed, asked: Asked) -> str:
    wanted = asked.force_command or ""
    if allow.force_command:
        if wanted not in {"", allow.force_command}:
            raise Unmet(f"its command is {shown(allow.force_command)}, and no other")
        return allow.force_command
    if len(wanted) > COMMAND_CHARACTERS_MAX:
        raise Unmet(f"a command has at most {COMMAND_CHARACTERS_MAX} characters")
    if (wanted or allow.commands) and not any(each.matches(wanted) for each in allow.commands):
        may = listed(tuple(shown(each.text) for each in allow.commands)) or "none"
        raise Unmet(f"the command {shown(wanted)} is none of those it allows: {may}")
    return wanted


def _extensions(allow: Allowed, asked: Asked) -> tuple[str, ...]:
    wanted = asked.extensions
    if wanted is None:
        return allow.extensions
    if len(set(wanted)) != len(wanted):
        raise Unmet("an extension is asked for twice")
    for each in wanted:
        if each not in allow.extensions:
            may = listed(allow.extensions) or "none"
            raise Unmet(f"the extension {shown(each)} is none of those it allows: {may}")
    return tuple(sorted(wanted))


def _seconds(allow: Allowed, asked: Asked) -> int:
    wanted = asked.valid_seconds
    if wanted is None:
        return allow.valid_seconds
    if isinstance(wanted, bool) or not 1 <= wanted <= VALID_SECONDS_MAX:
        raise Unmet(f"a validity is 1 to {VALID_SECONDS_MAX} seconds")
    return min(wanted, allow.valid_seconds)


def _key_id(rule: Rule, asked: Asked) -> str:
    """Who and why, for sshd's log: one line in which no part can pass for another."""
    used = [asked.who]
    used += [token for token in (asked.oidc, asked.kmsauth) if token is not None]
    parts = [f"{each.kind}={_UNSAFE_IN_KEY_ID.sub('_', each.told)}" for each in used]
    parts.insert(0, f"rule={rule.name.replace(' ', '-')}")
    return " ".join(parts)[:KEY_ID_CHARACTERS_MAX]
