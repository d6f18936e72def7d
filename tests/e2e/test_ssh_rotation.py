"""The CA's keys are exchanged while people log in: before, at each step, and after.

At no step is anybody kept out who should come in, if hosts and clients fetch what is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import ssh_lab, sshds
from tests.e2e.ssh_lab import Lab, Person, enter, enter_with, known, with_file

pytestmark = pytest.mark.e2e


@dataclass
class World:
    """A CA with its first rules, and a folder for a host."""

    lab: Lab
    ops: Person
    folder: Path
    made: dict[str, str]

    def bundle(self, kind: str, to: Path) -> None:
        """What a timer on a host or client does."""
        path = {"user": "/ssh/ca/user", "host": "/ssh/ca/known_hosts?domains=*"}[kind]
        self.ops.told("ca", "bundle", "--kind", kind, "--to", to, "--url", self.lab.url + path)

    def rotate(self, kind: str, stage: str, *words: str) -> list[str]:
        """Take a step; the stages of that kind after it."""
        told = self.ops.told("ca", "rotate", "--kind", kind, "--stage", stage, *words)
        return [each["stage"] for each in told if each["kind"] == kind]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("rotation")
    (folder / "host").mkdir()
    with ssh_lab.started(folder) as lab:
        ops = lab.person("ops")
        yield World(lab, ops, folder / "host", ops.told("init"))


def test_the_user_ca_is_exchanged_without_a_gap(world: World) -> None:
    """Old and new certificates hold until the old key is retired; too early is refused."""
    folder = world.folder
    cas = folder / "user_ca.pub"
    world.lab.fetch(folder / "krl")
    with sshds.running(folder, world.made["user_ca"], f"RevokedKeys {folder / 'krl'}") as sshd:

        def enters(path: Path) -> bool:
            return enter_with(sshd, world.ops, path).out == "inside\n"

        old = world.ops.certified("old")
        assert enters(old)
        assert world.rotate("user", "publish") == ["signing", "published"]
        early = world.ops.ssh("ca", "rotate", "--kind", "user", "--stage", "sign")
        assert (early.code, "must have fetched it" in early.err) == (2, True)
        world.bundle("user", cas)
        assert enters(world.ops.certified("during"))
        assert world.rotate("user", "sign", "--force") == ["overlap", "signing"]
        new = world.ops.certified("new")
        assert (enters(old), enters(new)) == (True, True)
        held = world.ops.ssh("ca", "rotate", "--kind", "user", "--stage", "retire")
        assert (held.code, "may hold for" in held.err) == (2, True)
        assert world.rotate("user", "retire", "--force") == ["retired", "signing"]
        world.bundle("user", cas)
        assert (enters(old), enters(new)) == (False, True)

        (folder / "gone.pub").write_text(cas.read_text())
        world.ops.told("krl", "revoke", "--ca", folder / "gone.pub", "--reason", "stolen")
        world.lab.fetch(folder / "krl")
        assert not enters(new)


def test_the_host_ca_is_exchanged_without_a_gap(world: World) -> None:
    """Clients know the host by its old certificate and by its new one, until the old is retired."""
    ops, folder = world.ops, world.folder / "renewed"
    folder.mkdir()
    sshds.keygen(folder / "host")
    sshds.keygen(folder / "someone")
    ca = sshds.keygen(folder / "ca").strip()
    sshds.sign(folder / "ca", folder / "someone", "x")
    ops.told("host", "issue", "--key", folder / "host.pub", "--name", "127.0.0.1")
    old, new = folder / "known_old", folder / "known_new"
    world.bundle("host", old)

    assert _recognised(world, folder, ca, old)
    assert world.rotate("host", "publish") == ["signing", "published"]
    world.bundle("host", new)
    assert world.rotate("host", "sign", "--force") == ["overlap", "signing"]
    assert _recognised(world, folder, ca, new)
    ops.told("host", "renew", "--key", folder / "host.pub", "--force")
    assert _recognised(world, folder, ca, new)
    assert not _recognised(world, folder, ca, old)
    assert world.rotate("host", "retire", "--force") == ["retired", "signing"]
    world.bundle("host", new)
    assert _recognised(world, folder, ca, new)
    assert len(new.read_text().splitlines()) == 1


def _recognised(world: World, folder: Path, ca: str, hosts: Path) -> bool:
    """Whether ssh goes in with strict checking, knowing only this file."""
    lines = f"HostCertificate {folder / 'host-cert.pub'}"
    with sshds.running(folder, ca, lines) as sshd:
        options = (*with_file(folder / "someone"), *known(hosts))
        return enter(sshd, world.ops, *options).out == "inside\n"
