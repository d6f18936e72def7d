"""Keys and identities on disk: encrypted, private, shared by processes, and never by halves."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynimo.identity.config import Config
from dynimo.identity.entities import DEVELOPMENT, FULL_RIGHTS
from dynimo.identity.keyring import DATABASE_FILE, KEYS_MAX, Keyring
from dynimo.identity.refusals import IdentityError, MalformedPolicy, NoSuchIdentity
from dynimo.identity.vault import KEY_FILE, Undecipherable, Vault
from dynimo.model.errors import ConfigError


@pytest.fixture
def keyring(tmp_path: Path) -> Iterator[Keyring]:
    made = Keyring(tmp_path)
    yield made
    made.close()


def test_files_are_for_their_owner_only(keyring: Keyring, tmp_path: Path) -> None:
    """The key, the database, and what SQLite puts beside it."""
    keyring.development()

    names = {path.name for path in tmp_path.iterdir()}
    assert {KEY_FILE, DATABASE_FILE} <= names
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_a_secret_is_nowhere_in_clear(keyring: Keyring, tmp_path: Path) -> None:
    """Not in the database nor beside it; and it is there again after a restart."""
    keyring.add("user", "ada")
    key, secret = keyring.add_key("ada")

    for path in tmp_path.iterdir():
        assert secret.encode() not in path.read_bytes(), path.name
    again = Keyring(tmp_path)
    assert again.secret(key.id) == secret
    again.close()


def test_a_secret_moved_to_another_key_does_not_open(keyring: Keyring, tmp_path: Path) -> None:
    """What is encrypted is bound to its key's id, and to the master key."""
    keyring.add("user", "ada")
    first, second = keyring.add_key("ada")[0], keyring.add_key("ada")[0]
    database = sqlite3.connect(tmp_path / DATABASE_FILE)
    database.execute(
        "update access_key set sealed = (select sealed from access_key where id = ?) where id = ?",
        (first.id, second.id),
    )
    database.commit()
    database.close()

    with pytest.raises(ConfigError, match="another master key"):
        keyring.secret(second.id)


def test_the_form_of_keys(keyring: Keyring) -> None:
    """As clients check them: AKIA and 20 characters; a secret of 40."""
    keyring.add("user", "ada")
    key, secret = keyring.add_key("ada")

    assert key.id.startswith("AKIA")
    assert (len(key.id), len(secret)) == (20, 40)
    assert key.id.isalnum()
    assert secret.isalnum()


def test_another_process_sees_changes(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command changes; the server's next look knows it."""
    monkeypatch.setattr("dynimo.identity.keyring.LOOK_SECONDS", 0)
    assert keyring.empty
    other = Keyring(tmp_path)
    other.add("user", "ada")
    key, secret = other.add_key("ada")
    other.attach("user", "ada", "p", FULL_RIGHTS)

    assert not keyring.empty
    assert keyring.secret(key.id) == secret
    assert list(keyring.require("user", "ada").policies) == ["p"]
    other.set_active(key.id, active=False)
    assert keyring.key(key.id) is not None
    assert not keyring.keys("ada")[0].active
    other.remove("user", "ada")
    assert keyring.key(key.id) is None
    assert keyring.empty
    other.close()


def test_the_development_key_is_one(keyring: Keyring, tmp_path: Path) -> None:
    """Made once, the same ever after, of a user who may do everything."""
    key, secret = keyring.development()
    other = Keyring(tmp_path)

    assert other.development() == (key, secret)
    assert keyring.development_key() == key
    user = keyring.require("user", DEVELOPMENT)
    assert user.arn == "arn:aws:iam::000000000000:user/development"
    other.close()


def test_many_processes_make_one_master_key_and_one_development_key(tmp_path: Path) -> None:
    """All at once in an empty folder: all have the same."""
    code = (
        "import sys; from pathlib import Path; from dynimo.identity.keyring import Keyring;"
        "print(*Keyring(Path(sys.argv[1])).development())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    told = {process.communicate(timeout=50)[0] for process in started}

    assert [process.returncode for process in started] == [0] * 6
    assert len(told) == 1
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_server_notes_its_place_and_commands_mean_it(tmp_path: Path) -> None:
    """Whatever a command's own settings are."""
    server = Keyring(tmp_path, Config(account="123456789012", region="eu-west-1"), serving=True)
    command = Keyring(tmp_path, Config())

    assert (command.account, command.region) == ("123456789012", "eu-west-1")
    server.close()
    command.close()


def test_a_change_that_fails_leaves_nothing(keyring: Keyring) -> None:
    """One transaction each."""
    keyring.add("user", "ada")
    for _ in range(KEYS_MAX):
        keyring.add_key("ada")
    with pytest.raises(IdentityError, match="remove one"):
        keyring.add_key("ada")
    with pytest.raises(IdentityError, match="already exists"):
        keyring.add("user", "ada")
    with pytest.raises(NoSuchIdentity):
        keyring.add_key("bob")
    with pytest.raises(NoSuchIdentity):
        keyring.remove_key("AKIANOSUCH")
    with pytest.raises(NoSuchIdentity):
        keyring.detach("user", "ada", "nothing")
    with pytest.raises(MalformedPolicy):
        keyring.attach("user", "ada", "p", "{}")
    with pytest.raises(MalformedPolicy):
        keyring.add("role", "r", trust=FULL_RIGHTS)
    with pytest.raises(IdentityError):
        keyring.add("user", "../x")

    assert len(keyring.keys("ada")) == KEYS_MAX
    assert [each.name for each in keyring.entities("user")] == ["ada"]
    assert keyring.entities("role") == []


def test_a_master_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """With the command that mends it."""
    Vault(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        Vault(tmp_path)


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 31])
def test_a_broken_master_key_is_refused(tmp_path: Path, text: str) -> None:
    """And not replaced: what was encrypted would be lost."""
    path = tmp_path / KEY_FILE
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="no key of 32 bytes"):
        Vault(tmp_path)
    assert path.read_text() == text


def test_the_vault_opens_only_what_is_unchanged(tmp_path: Path) -> None:
    """For its purpose and its owner."""
    vault = Vault(tmp_path)
    sealed = vault.seal("a", "b", b"text")

    assert vault.open("a", "b", sealed) == b"text"
    assert Vault(tmp_path).open("a", "b", sealed) == b"text"
    for purpose, owner, text in (
        ("x", "b", sealed),
        ("a", "x", sealed),
        ("a", "b", sealed[:-1]),
        ("a", "b", bytes([sealed[0] ^ 1]) + sealed[1:]),
        ("a", "b", b""),
    ):
        with pytest.raises(Undecipherable):
            vault.open(purpose, owner, text)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """What it is, not a traceback."""
    with pytest.raises(ConfigError, match="No such file"):
        Keyring(tmp_path / "no such folder")
    (tmp_path / DATABASE_FILE).write_text("this is no database " * 100)
    with pytest.raises(ConfigError, match="cannot be used"):
        Keyring(tmp_path)
