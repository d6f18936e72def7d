"""The CA of one process: its files, its keys, and what it has in memory of them.

What is in memory is read anew when anybody changed the file, this process or another. Opened on
first use, so after the fork.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from asking import policy as policies
from asking.policy import PolicyError
from asking.rules import Policy
from asking.who import Who
from issuing import generations, revoked
from issuing.ca_keys import HeadSigner, Signers
from issuing.generations import Generation
from issuing.published import AUDIT_KEY, HEAD, KRL, Published
from issuing.refusal import DENIED, NO_CA, Refused
from issuing.state import State, StateError
from sshca.public_key import PublicKey, parse
from sshca.signers import Signer
from transparency.log import Log

AUDIT_FILE = "audit.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The CA as it is after so many ``changes``."""

    changes: int
    origin: str
    founded: bool
    generations: tuple[Generation, ...]
    policy: Policy
    policy_version: int
    audit_name: str
    audit_line: str
    krl_version: str
    revoked: frozenset[str] = field(repr=False)

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """Every key that is or was the CA's."""
        lines = [one.line for one in self.generations] + [self.audit_line]
        return tuple(parse(line) for line in lines if line)

    def administers(self, who: Who) -> None:
        """Raise Refused for whoever is no administrator."""
        if not self.policy.administers(who):
            raise Refused(DENIED, f"{who.arn} is no administrator of this CA.")

    def audits(self, who: Who) -> None:
        """Raise Refused for whoever is neither auditor nor administrator."""
        if not self.policy.audits(who):
            raise Refused(DENIED, f"{who.arn} is no auditor of this CA.")


_EMPTY = Snapshot(
    changes=-1, origin="", founded=False, generations=(), policy=Policy(), policy_version=0,
    audit_name="", audit_line="", krl_version="", revoked=frozenset(),
)  # fmt: skip


@dataclass(slots=True)
class Authority:
    """Files, keys and memory. ``signers`` gives the keys of the CA that is called ``origin``."""

    state: State
    signers: Callable[[str], Signers]
    _snapshot: Snapshot = _EMPTY
    _version: int = -1
    _log: Log | None = None
    _opened: dict[str, Signer] = field(default_factory=dict)
    _blobs: tuple[int, frozenset[bytes]] = (-1, frozenset())
    _reading: Lock = field(default_factory=Lock, repr=False)

    def close(self) -> None:
        """Close the files."""
        if self._log is not None:
            self._log.close()
        self.state.close()

    @property
    def published(self) -> Published:
        """The files for everybody."""
        return Published(self.state.folder)

    def now(self) -> Snapshot:
        """The CA as it is. Raises StateError."""
        with self._reading:  # else an older one could be kept under a newer version
            version = self.state.version()
            if version != self._version:
                changes = self.state.changes()
                if changes != self._snapshot.changes:
                    self._snapshot = self._read(changes)
                self._version = version
            return self._snapshot

    def founded(self) -> Snapshot:
        """The same. Raises Refused as long as there is no CA."""
        found = self.now()
        if not found.founded:
            raise Refused(NO_CA, "There is no CA here yet.")
        return found

    def _read(self, changes: int) -> Snapshot:
        state = self.state
        rows = state.rows("SELECT version, text FROM policies ORDER BY version DESC LIMIT 1")
        version, text = rows[0] if rows else (0, "")
        before, krl_version = self._snapshot, state.meta("krl_version")
        same = version == before.policy_version
        return Snapshot(
            changes=changes,
            origin=state.meta("origin"),
            founded=bool(state.meta("origin")),
            generations=generations.read(state),
            policy=before.policy if same else _understood(text),
            policy_version=version,
            audit_name=state.meta("audit_name"),
            audit_line=state.meta("audit_line"),
            krl_version=krl_version,
            revoked=(
                before.revoked if krl_version == before.krl_version else revoked.fingerprints(state)
            ),
        )

    def log(self, found: Snapshot) -> Log:
        """The audit log. Raises StoreError."""
        with self._reading:
            if self._log is None:
                self._log = Log(self.state.folder / AUDIT_FILE, found.origin)
            return self._log

    def signer(self, found: Snapshot, one: Generation) -> Signer:
        """What signs by a generation; kept."""
        return self._signer(found, one.kms_key, one.line)

    def head_signer(self, found: Snapshot) -> HeadSigner:
        """What signs heads of the audit log."""
        return HeadSigner(self._signer(found, found.audit_name, found.audit_line))

    def _signer(self, found: Snapshot, name: str, line: str) -> Signer:
        if name not in self._opened:
            self._opened[name] = self.signers(found.origin).open(name, line)
        return self._opened[name]

    def own(self, found: Snapshot, key: PublicKey) -> bool:
        """Whether a key is or was the CA's own."""
        if self._blobs[0] != found.changes:
            self._blobs = (found.changes, frozenset(each.blob for each in found.keys))
        return key.blob in self._blobs[1]

    def publish(self, *, krl: bool = False) -> None:
        """Write what everybody may read, after a change. Raises OSError, StateError."""
        published = self.published
        with published.alone():  # who comes later reads later, and so never writes what was before
            found = self.now()
            if not found.founded:
                return
            published.write_authorities(found.generations, found.origin)
            if krl or published.read(KRL) is None:
                published.write(KRL, revoked.listed(self.state, found.origin))
            if published.read(AUDIT_KEY) is None:
                published.write(AUDIT_KEY, f"{found.audit_line}\n".encode())

    def mend(self) -> None:
        """Write it where a process ended between a change and its publication."""
        found = self.now()
        if not found.founded:
            return
        told = self.published.authorities()
        if told is None or told["authorities"] != [one.told() for one in found.generations]:
            self.publish()
        if self.published.krl_version() != int(found.krl_version or 0):
            self.publish(krl=True)

    def publish_head(self, line: str) -> None:
        """Write the head that was signed last. Raises OSError."""
        with self.published.alone():
            self.published.write(HEAD, f"{line}\n".encode())


def _understood(text: str) -> Policy:
    """A policy that was taken once. Raises StateError where this version of the app cannot."""
    try:
        return policies.read(text)
    except PolicyError as error:
        raise StateError(
            f"The CA's policy cannot be read by this version of the app ({error}), so nothing is"
            " issued: use the one that took it."
        ) from None
