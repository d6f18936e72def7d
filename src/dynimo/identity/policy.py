"""Policies: what a document says about one access. Pure; who has which policies is not known here.

An explicit deny wins, and nothing said is no. A document that cannot be read is refused when it is
given. What cannot be told when it is asked (a condition on a value of another kind) never allows
and always denies. Source: AWS's IAM reference, "Policy evaluation logic".
"""

from __future__ import annotations

import enum
import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynimo.identity import conditions, patterns
from dynimo.identity.conditions import Condition, Context
from dynimo.identity.refusals import MalformedPolicy

DOCUMENT_CHARACTERS_MAX = 20_480
STATEMENTS_MAX = 500
PATTERNS_MAX = 1000
"""Actions, resources or principals of one statement."""
_VERSIONS = ("2012-10-17", "2008-10-17")
_ACCOUNT = re.compile(r"[0-9]{12}")
_ROOT = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):root")
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[^*?\s]+")
_ELEMENTS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal",
     "NotPrincipal", "Condition"}
)  # fmt: skip


class Kind(enum.Enum):
    """What a document is for: of a user or role, on a resource, or a role's trust."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


class Says(enum.Enum):
    """What policies say about one access, the strongest last.

    ``DELEGATED``: a resource leaves it to the principal's account; ``ALLOWED`` to the principal.
    """

    NOTHING = 0
    DELEGATED = 1
    ALLOWED = 2
    DENIED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is meant: every ARN that names it (a session and its role), its account, or a service."""

    arns: frozenset[str] = frozenset()
    account: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One question: may ``principal`` do ``action`` to ``resource``, in this ``context``."""

    action: str
    resource: str
    principal: Principal = field(default_factory=Principal)
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. Each of the ``not_`` flags turns its list round; None means not said."""

    allow: bool
    actions: tuple[str, ...]
    not_action: bool = False
    resources: tuple[str, ...] | None = None
    not_resource: bool = False
    principals: tuple[tuple[str, str], ...] | None = None
    not_principal: bool = False
    conditions: tuple[Condition, ...] = ()
    variables: bool = False

    @property
    def plain(self) -> bool:
        """Whether it has no condition, and no variable in a resource."""
        varies = self.variables and any("${" in each for each in self.resources or ())
        return not self.conditions and not varies

    def says(self, access: Access) -> Says:
        """What it says about an access."""
        met = self._principal(access.principal)
        if met is Says.NOTHING:
            return met
        action = access.action.lower()
        if any(patterns.like(each, action) for each in self.actions) == self.not_action:
            return Says.NOTHING
        tests: Iterable[bool | None] = (
            self._resource(access), *(each.holds(access.context) for each in self.conditions)
        )  # fmt: skip
        for each in tests:
            if each is False or (each is None and self.allow):
                return Says.NOTHING
        return met if self.allow else Says.DENIED

    def _resource(self, access: Access) -> bool | None:
        if self.resources is None:
            return True
        for each in self.resources:
            pattern = patterns.filled(each, access.context) if self.variables else each
            if pattern is None:
                return None
            if pattern == "*" or patterns.arn_like(pattern, access.resource):
                return not self.not_resource
        return self.not_resource

    def _principal(self, principal: Principal) -> Says:
        if self.principals is None:
            return Says.ALLOWED
        met = Says.NOTHING
        for kind, name in self.principals:
            found = _meets(kind, name, principal)
            met = found if found.value > met.value else met
        if self.not_principal:
            return Says.NOTHING if met is Says.ALLOWED else Says.ALLOWED
        return met


@dataclass(frozen=True, slots=True)
class Policy:
    """A document that was read."""

    statements: tuple[Statement, ...]

    @property
    def plain(self) -> bool:
        """Whether it looks at nothing but who, what and where: no condition, no variable."""
        return all(each.plain for each in self.statements)

    def says(self, access: Access) -> Says:
        """The strongest of what its statements say."""
        return strongest(each.says(access) for each in self.statements)


def strongest(found: Iterable[Says]) -> Says:
    """The answer that wins: a deny over all, an allow over nothing."""
    return max(found, key=lambda each: each.value, default=Says.NOTHING)


@functools.lru_cache(maxsize=1024)
def read(text: str, kind: Kind) -> Policy:
    """Read a document. Kept, for a function's policy is asked at every call from outside.

    Raises:
        MalformedPolicy: it cannot be used.
    """
    if len(text) > DOCUMENT_CHARACTERS_MAX:
        raise MalformedPolicy(f"The policy is longer than {DOCUMENT_CHARACTERS_MAX} characters.")
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise MalformedPolicy("Syntax errors in policy: it is no JSON.") from None
    if not isinstance(document, dict):
        raise MalformedPolicy("Syntax errors in policy: it is no object.")
    _only(document, {"Version", "Id", "Statement"}, "the policy")
    version = document.get("Version", _VERSIONS[1])
    if version not in _VERSIONS:
        raise MalformedPolicy(f"The policy's Version must be one of {', '.join(_VERSIONS)}.")
    listed = document.get("Statement")
    listed = [listed] if isinstance(listed, dict) else listed
    if not isinstance(listed, list) or not 1 <= len(listed) <= STATEMENTS_MAX:
        raise MalformedPolicy("Syntax errors in policy: there is no Statement.")
    variables = version == _VERSIONS[0]
    return Policy(tuple(_statement(each, kind, variables=variables) for each in listed))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _only(given: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    unknown = set(given) - set(known)
    if unknown:
        raise MalformedPolicy(f"Syntax errors in policy: {where} has {min(unknown)!r}.")


def _statement(given: Any, kind: Kind, *, variables: bool) -> Statement:
    if not isinstance(given, dict):
        raise MalformedPolicy("Syntax errors in policy: a Statement must be an object.")
    _only(given, _ELEMENTS, "a Statement")
    effect = given.get("Effect")
    if effect not in {"Allow", "Deny"}:
        raise MalformedPolicy("A Statement's Effect must be Allow or Deny.")
    actions, not_action = _listed(given, "Action", _action)
    if actions is None:
        raise MalformedPolicy("Policy statement must contain actions.")
    resources, not_resource = _listed(given, "Resource", _resource)
    if kind is Kind.IDENTITY and resources is None:
        raise MalformedPolicy("Policy statement must contain resources.")
    if kind is Kind.TRUST and resources is not None:
        raise MalformedPolicy("Has prohibited field Resource.")
    principals, not_principal = _principals(given)
    if (principals is None) != (kind is Kind.IDENTITY):
        must = "may not" if principals is not None else "must"
        raise MalformedPolicy(f"A Statement of a {kind.value} policy {must} have a Principal.")
    if not_principal and effect == "Allow":
        raise MalformedPolicy("NotPrincipal goes with Deny only; with Allow it opens to everybody.")
    for text in (resources or ()) if variables else ():
        patterns.check_variables(text)
    return Statement(
        allow=effect == "Allow", actions=actions, not_action=not_action, resources=resources,
        not_resource=not_resource, principals=principals, not_principal=not_principal,
        conditions=conditions.read(given.get("Condition", {}), variables=variables),
        variables=variables,
    )  # fmt: skip


def _listed(
    given: Mapping[str, Any], name: str, check: Callable[[str], str]
) -> tuple[tuple[str, ...] | None, bool]:
    """The texts of an element or of its Not-form, and which it is."""
    if name in given and f"Not{name}" in given:
        raise MalformedPolicy(f"A Statement has both {name} and Not{name}.")
    value = given.get(name, given.get(f"Not{name}"))
    if value is None:
        return None, False
    listed = value if isinstance(value, list) else [value]
    if not 1 <= len(listed) <= PATTERNS_MAX or not all(isinstance(each, str) for each in listed):
        raise MalformedPolicy(f"Syntax errors in policy: {name} must be texts.")
    return tuple(check(each) for each in listed), name not in given


def _action(text: str) -> str:
    if text != "*" and not re.fullmatch(r"[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+", text):
        raise MalformedPolicy(f"Actions/Conditions must be prefaced by a vendor: {text!r}.")
    return text.lower()


def _resource(text: str) -> str:
    try:
        patterns.check_arn(text)
    except ValueError:
        raise MalformedPolicy(f'Resource {text!r} must be in ARN format or "*".') from None
    return text


def _principals(given: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...] | None, bool]:
    if "Principal" in given and "NotPrincipal" in given:
        raise MalformedPolicy("A Statement has both Principal and NotPrincipal.")
    value = given.get("Principal", given.get("NotPrincipal"))
    if value is None:
        return None, False
    if value == "*":
        value = {"AWS": "*"}
    if not isinstance(value, dict) or not value:
        raise MalformedPolicy("Invalid principal in policy.")
    _only(value, {"AWS", "Service", "Federated", "CanonicalUser"}, "a Principal")
    found: list[tuple[str, str]] = []
    for kind, names in value.items():
        listed = names if isinstance(names, list) else [names]
        if not 1 <= len(listed) <= PATTERNS_MAX:
            raise MalformedPolicy("Invalid principal in policy.")
        found += [(kind, _principal(kind, each)) for each in listed]
    return tuple(found), "Principal" not in given


def _principal(kind: str, name: Any) -> str:
    """A principal's name; an account as its twelve digits."""
    if not isinstance(name, str) or not name:
        raise MalformedPolicy("Invalid principal in policy.")
    if kind != "AWS" or name == "*" or _ACCOUNT.fullmatch(name):
        return name
    root = _ROOT.fullmatch(name)
    if root is None and not _PRINCIPAL.fullmatch(name):
        raise MalformedPolicy(f'Invalid principal in policy: "AWS":"{name}"')
    return root[1] if root is not None else name


def _meets(kind: str, name: str, principal: Principal) -> Says:
    """Whether a principal of a statement means this one, and how closely."""
    if kind == "Service":
        same = bool(principal.service) and name in {"*", principal.service}
        return Says.ALLOWED if same else Says.NOTHING
    if kind != "AWS":
        return Says.NOTHING
    if name == "*" or name in principal.arns:
        return Says.ALLOWED
    if _ACCOUNT.fullmatch(name) and name == principal.account:
        return Says.DELEGATED
    return Says.NOTHING
