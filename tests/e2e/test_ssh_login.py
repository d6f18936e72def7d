"""An SSH CA as its users have it: `dynimo ssh` from nothing to a login, and all that is refused.

What a real sshd makes of certificates is held here end to end; that it refuses a certificate which
is not yet valid, or by an unknown CA, is held by `test_bless`.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import oidc_issuer
from bless_kit import blob
from ssh_commands import requesting, subject
from ssh_commands_kit import ssh_agent
from tests.e2e import ssh_lab, sshds
from tests.e2e.aws import kit
from tests.e2e.ssh_lab import NOT_KNOWN, Lab, Person, enter, enter_with, known, seen, with_file
from tests.e2e.sshds import Sshd

pytestmark = pytest.mark.e2e

POLICY = """
administrators = ["arn:aws:iam::*:user/ops"]

[[rules]]
name = "backups run one command"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/ada"]
[rules.allow]
principals = ["backup"]
source_addresses = "any"
force_command = "echo forced"
valid_seconds = 60

[[rules]]
name = "two agree"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/ada"]
[rules.allow]
principals = ["breakglass"]
source_addresses = "caller"
valid_seconds = 300
[rules.approval]
needs = 2
approvers = ["arn:aws:iam::*:user/lead-*", "arn:aws:iam::*:user/ada"]

[[rules]]
name = "people"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/ada", "arn:aws:iam::*:user/eve"]
[rules.allow]
principals = ["{caller.name}", "USER", "deploy"]
source_addresses = "any"
extensions = ["permit-pty"]
valid_seconds = 3600

[[rules]]
name = "hosts"
type = "host"
[rules.who]
callers = ["arn:aws:iam::*:user/ops"]
[rules.allow]
principals = ["127.0.0.1", "localhost"]
valid_seconds = 86400
"""
PRINCIPALS = ("deploy", "backup", "breakglass")
"""Whom the host lets in as the one user that it has, beside that user's own name."""


@dataclass
class Host:
    """An sshd that was set up as `dynimo ssh init` says, and what clients know of it."""

    sshd: Sshd
    known_hosts: Path
    krl: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with ssh_lab.started(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """From nothing: init, then what it prints, on a host with keys of its own."""
    folder = lab.folder / "host"
    folder.mkdir()
    user = sshds.user()
    ops = lab.person("ops")
    (ops.home / "policy.toml").write_text(POLICY.replace("USER", user))
    made = ops.told("init", "--policy", ops.home / "policy.toml")
    sshds.keygen(folder / "host")
    ops.told("host", "issue", "--key", folder / "host.pub", "--name", "127.0.0.1")
    lab.fetch(folder / "krl")
    (folder / "known_hosts").write_text(made["known_hosts"])
    (folder / "principals").write_text("\n".join((user, *PRINCIPALS)) + "\n")
    with sshds.running(
        folder, made["user_ca"], f"RevokedKeys {folder / 'krl'}",
        f"HostCertificate {folder / 'host-cert.pub'}",
        f"AuthorizedPrincipalsFile {folder / 'principals'}",
    ) as sshd:  # fmt: skip
        yield Host(sshd, folder / "known_hosts", folder / "krl")


@pytest.fixture(scope="module")
def ada(lab: Lab, host: Host) -> Person:
    """Whoever logs in; the CA is there."""
    assert host.sshd.port
    return lab.person("ada")


def test_the_agent_holds_it_and_the_host_is_known(ada: Person, host: Host) -> None:
    """One login, one ssh: nothing in files, nothing trusted but the CA on both sides."""
    with ssh_agent(ada.home) as variables:
        words = ("login", "--principal", host.sshd.user, "--out", ada.home / "unused")
        told = ada.program(*words, "--valid", "10m", **variables)
        listed = ada.run(["ssh-add", "-L"], **variables).out
        came = enter(host.sshd, ada, *known(host.known_hosts), **variables)

    assert told.code == 0, told.err
    assert f"  ssh {host.sshd.user}@HOST\n" in told.out
    assert "\x1b" not in told.out
    assert [line.split()[0] for line in listed.splitlines()] == ["ssh-ed25519-cert-v01@openssh.com"]
    assert came.out == "inside\n", came.err + host.sshd.log
    assert not list(ada.home.glob("unused*"))
    assert "caller=arn:aws:iam::000000000000:user/ada" in host.sshd.log


def test_without_an_agent_both_are_files_of_ones_own(ada: Person, host: Host) -> None:
    """Or with one that does not answer; and the line that is printed leads in."""
    gone = {"SSH_AUTH_SOCK": str(ada.home / "gone")}
    ran = ada.program("login", "--principal", host.sshd.user, "--json", **gone)
    told = ran.json
    path = ada.home / ".ssh" / "dynimo"
    line = told["ssh"].split()

    came = enter(host.sshd, ada, *line[1:-1], *NOT_KNOWN)

    assert told["agent"] is False
    assert "so they are written to files" in ran.err
    assert [each.stat().st_mode & 0o777 for each in (path, sshds.beside(path))] == [0o600] * 2
    assert came.out == "inside\n", came.err


def test_ones_own_key_is_certified_where_it_lies(ada: Person, host: Host) -> None:
    """Ssh finds the certificate beside it; somebody's key is never written over."""
    path = ada.home / "own"
    sshds.keygen(path, "ecdsa")
    before = path.read_bytes()
    told = ada.told("login", "--key", f"{path}.pub", "--principal", "deploy")
    came = enter(host.sshd, ada, *told["ssh"].split()[1:-1], *with_file(path)[2:], *NOT_KNOWN)
    kept = ada.ssh("login", "--no-agent", "--out", _precious(ada), "--principal", "deploy")

    assert came.out == "inside\n", came.err + host.sshd.log
    assert path.read_bytes() == before
    assert (kept.code, "is a key already" in kept.err) == (2, True)


def _precious(ada: Person) -> Path:
    """A key that nobody made here."""
    path = ada.home / "precious"
    if not path.exists():
        sshds.keygen(path)
    return path


def _refused(host: Host, ada: Person, path: Path, said: str) -> None:
    before = len(host.sshd.log)
    came = enter_with(host.sshd, ada, path)
    assert (came.code, came.out) == (255, "")
    assert said in host.sshd.log[before:]


def test_what_sshd_refuses(ada: Person, host: Host, wait_until: Callable[..., None]) -> None:
    """Another principal, another address, a time that is over: each for its own reason."""
    short = ada.certified("short", "--principal", "deploy", "--valid", "1s")
    other = ada.certified("other", "--principal", "ada")
    far = ada.certified("far", "--principal", "deploy", "--source", "192.0.2.0/24")
    ends = seen(short).valid_before

    _refused(host, ada, other, "Certificate does not contain an authorized principal")
    _refused(host, ada, far, "not from a permitted source address")
    wait_until(lambda: time.time() > ends)
    _refused(host, ada, short, "Certificate invalid: expired")


def test_a_certificate_that_was_bent_or_is_not_ones_own_is_worth_nothing(
    ada: Person, host: Host
) -> None:
    """Another principal written into it; stolen without its key; a host's, shown as a user's."""
    path = ada.certified("bent", "--principal", "ada")
    line = sshds.beside(path).read_text()
    bent = blob(line).replace(b"\3ada", b"\3eve", 1).replace(b"\3ada", b"\3eve")
    data = base64.b64encode(bent).decode()
    thief = ada.home / "thief"
    sshds.keygen(thief)

    sshds.beside(path).write_text(f"{line.split()[0]} {data}\n")
    assert enter_with(host.sshd, ada, path).code == 255
    sshds.beside(thief).write_text(sshds.beside(ada.certified("good", "--principal", "deploy"))
                                   .read_text())  # fmt: skip
    assert enter_with(host.sshd, ada, thief).code == 255


def test_a_hosts_certificate_lets_nobody_in(lab: Lab, ada: Person, host: Host) -> None:
    """Not even where its CA is trusted for users, by mistake."""
    folder = lab.folder / "naive"
    folder.mkdir()
    (folder / "host").write_bytes((host.sshd.folder / "host").read_bytes())
    (folder / "host").chmod(0o600)
    key = host.known_hosts.read_text().split(maxsplit=2)[2]
    with sshds.running(folder, key) as naive, ssh_agent(folder) as variables:
        ada.run(["ssh-add", "-q", str(host.sshd.folder / "host")], **variables)
        came = enter(naive, ada, *NOT_KNOWN, **variables)
        assert came.code == 255
        assert "not a user certificate" in naive.log


def test_the_command_of_the_rule_is_what_runs(ada: Person, host: Host) -> None:
    """Whatever is asked for; and no other may be asked of the CA."""
    path = ada.certified("backup", "--principal", "backup")
    asked = ada.ssh("login", "--no-agent", "--out", path, "--principal", "backup",
                    "--force-command", "sh", "--json")  # fmt: skip

    assert enter_with(host.sshd, ada, path).out == "forced\n"
    assert asked.code == 4
    assert "its command is" in asked.err
    assert "dynimo ssh explain" in asked.err


def test_each_kind_of_revocation_keeps_out_whom_it_names(lab: Lab, ada: Person, host: Host) -> None:
    """By serial, key id, key and fingerprint, once the host has fetched; the others come in."""
    ops = lab.person("ops")
    names = ("serial", "key", "fingerprint", "spared")
    keys = {each: ada.certified(f"r-{each}", "--principal", "deploy") for each in names}
    by_id = lab.person("eve").certified("r-id", "--principal", "deploy")
    printed = subject.in_file(keys["fingerprint"]).public_key.sha256

    refused = ada.ssh("krl", "revoke", "--serial", "1", "--reason", "no")
    told = ops.told(
        "krl", "revoke", "--serial", seen(keys["serial"]).serial, "--key", f"{keys['key']}.pub",
        "--fingerprint", printed, "--reason", "lost",
        "--key-id", seen(by_id).key_id,
    )  # fmt: skip
    fetched = [lab.fetch(host.krl) for _ in range(2)]
    shows = ops.told("krl", "show")
    entered = {
        each: enter_with(host.sshd, ada, path).code == 0
        for each, path in {**keys, "key id": by_id}.items()
    }

    assert refused.code == 4
    assert fetched == [True, False]
    assert shows["version"] == told["krl_version"]
    assert entered == {
        "serial": False, "key": False, "fingerprint": False, "key id": False, "spared": True,
    }  # fmt: skip
    again = ada.ssh("login", "--key", keys["key"], "--principal", "deploy")
    assert again.code != 0


def test_what_is_published_has_tags(lab: Lab, host: Host) -> None:
    """KRL and bundles through the edge, for anybody; 304 for whoever has them; nothing is taken."""
    assert host.krl.exists()
    for path in ("/ssh/krl", "/ssh/ca/user", "/ssh/ca/known_hosts?domains=*.example.org"):
        first = lab.server.get(path)
        again = lab.server.get(path, {"if-none-match": first.headers["etag"]})
        assert (first.status, again.status, again.body) == (200, 304, b""), path
        assert first.headers["cache-control"] == "no-cache"
        assert lab.server.get(path, method="POST", body=b"x").status in {403, 404, 405}


def test_two_others_must_agree(lab: Lab, ada: Person, host: Host) -> None:
    """Who asked cannot; one is not enough; then whoever asked takes it, with the same key."""
    out = ada.home / "glass"
    words = ("--no-agent", "--out", out)
    asked = ada.ssh("login", *words, "--principal", "breakglass", "--reason", "it burns", "--json")
    name = json.loads(asked.out)["pending"]
    leads = [lab.person("lead-grace"), lab.person("lead-lin")]

    assert asked.code == 1
    assert f"dynimo ssh approve {name}" in asked.err
    assert "user/lead-*" in asked.err
    assert f"dynimo ssh login --collect {name} --out {out}" in asked.err
    assert ada.ssh("approve", name).code == 4
    (seen,) = leads[0].told("waiting")
    assert (seen["id"], seen["reason"]) == (name, "it burns")
    leads[0].told("approve", name)
    assert ada.ssh("login", *words, "--collect", name).code == 1
    leads[1].told("approve", name)
    got = ada.told("login", *words, "--collect", name)
    assert got["principals"] == ["breakglass"]
    assert enter_with(host.sshd, ada, out).out == "inside\n", host.sshd.log
    assert ada.ssh("login", *words, "--collect", name).code != 0


def test_explain_says_which_rule_and_why_not_the_others(ada: Person) -> None:
    """By exit code too; signing nothing."""
    allowed = ada.program("explain", "--principal", "deploy")
    refused = ada.ssh("explain", "--principal", "root-of-all", "--json")

    assert allowed.code == 0, allowed.err
    assert "Allowed by 'people'" in allowed.out
    assert "no   two agree: " in allowed.out
    assert refused.code == 4
    assert [each["rule"] for each in refused.json["passed_over"]] == [
        "backups run one command", "two agree", "people", "hosts",
    ]  # fmt: skip


OIDC = """
[oidc.there]
issuer = "https://issuer.example.org"
audience = "ssh"
keys = "URL/keys"

[[rules]]
name = "by token"
type = "user"
[rules.who]
oidc = "there"
claims = { groups = ["eng"] }
[rules.allow]
principals = ["{oidc.sub}", "on-call"]
source_addresses = "any"
valid_seconds = 60
"""


@pytest.fixture
def issuer(lab: Lab, host: Host) -> Iterator[oidc_issuer.Served]:
    """An issuer on loopback that the policy believes meanwhile."""
    ops, path = lab.person("ops"), lab.folder / "oidc.toml"
    before = ops.told("policy", "show")["policy"]
    with oidc_issuer.served("ES256") as there:
        path.write_text(before + OIDC.replace("URL", there.url))
        ops.told("policy", "apply", path)
        yield there
        path.write_text(before)
        ops.told("policy", "apply", path)
    assert host.krl.exists()


def test_a_token_says_who_it_is_for_one_key_once(
    lab: Lab, ada: Person, issuer: oidc_issuer.Served
) -> None:
    """A command that knows the nonce prints it; with another key, or again, it is refused."""
    kim, path = lab.person("kim"), ada.home / "by-token"
    sshds.keygen(path)
    nonce = requesting.nonce_of(subject.in_file(path))
    now = int(time.time())
    said = oidc_issuer.claims(sub="kim", nonce=nonce, iat=now, exp=now + 300)
    (kim.home / "token").write_text(oidc_issuer.token(said, "ES256"))
    command = f'test "$NONCE" = {nonce} && cat {kim.home / "token"}'
    words = ("login", "--principal", "kim", "--oidc-command", command)

    stolen = kim.ssh(*words[:3], "--no-agent", "--out", kim.home / "x", "--oidc-token",
                     kim.home / "token")  # fmt: skip
    got = kim.told(*words, "--key", path)
    again = kim.ssh(*words, "--key", path)
    failed = kim.ssh(*words, "--no-agent", "--out", kim.home / "y")

    assert stolen.code == 1
    assert "nonce" in stolen.err
    assert got["principals"] == ["kim"]
    assert "oidc=" in got["key_id"]
    assert (again.code, "used" in again.err) == (1, True)
    assert (failed.code, "the command for the token failed" in failed.err) == (1, True)
    assert "/keys" in issuer.asked


def test_a_request_is_used_once_and_only_by_its_key(lab: Lab, ada: Person) -> None:
    """The same bytes again, and the same with another key's proof, are refused."""
    key, thief = subject.made(), subject.made()
    asked = requesting.request("user", requesting.line_of(key), ["deploy"])
    event = {"do": "issue", **requesting.proved(asked, key)}
    aws = kit.client(
        lab.server, aws_access_key_id=ada.variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ada.variables["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip

    first, again = (kit.call(aws, "bless-ca", event)[0] for _ in range(2))
    stolen = {"do": "issue", "request": requesting.request(
        "user", requesting.line_of(key), ["deploy"])}  # fmt: skip
    stolen["proof"] = requesting.proved(stolen["request"], thief)["proof"]
    other, _ = kit.call(aws, "bless-ca", stolen)

    assert "certificate" in first, first
    assert again["error"] == "used"
    assert other["error"] == "unproved"


def test_the_log_is_whole_live_and_offline(lab: Lab, ada: Person) -> None:
    """And an export from which a record was bent, or cut, is not."""
    ops, export = lab.person("ops"), lab.folder / "export"
    serial = ada.told("login", "--no-agent", "--out", ada.home / "logged", "--principal",
                      "deploy")["serial"]  # fmt: skip
    proved = ops.told("audit", "proof", serial)
    live = ops.told("audit", "verify", "--live")
    ops.told("audit", "export", "--to", export)
    offline = ops.told("audit", "verify", export)
    text = export.read_text()
    export.write_text(text.replace('"deploy"', '"deplay"', 1))
    bent = ops.ssh("audit", "verify", export, "--json")
    lines = text.splitlines(keepends=True)
    export.write_text("".join(lines[:2]))
    cut = ops.ssh("audit", "verify", export)

    assert (proved["good"], serial in proved["body"]) == (True, True)
    assert (live["good"], live["records"] >= live["signed"] > 0) == (True, True)
    assert offline["good"]
    assert (bent.code, "is not what was logged" in bent.json["findings"][0]) == (1, True)
    assert (cut.code, "you have seen a head" in cut.out) == (1, True)


def test_the_rules_are_the_administrators(lab: Lab, ada: Person) -> None:
    """They see and replace them; a mistake is named before anything is sent."""
    ops, path = lab.person("ops"), lab.folder / "new.toml"
    shown = ops.ssh("policy", "show").out
    path.write_text(shown + "\n[[rules]]\nname = 'x'\ntipe = 'user'\n")
    wrong = ops.ssh("policy", "apply", path)
    path.write_text(shown)

    assert 'name = "people"' in shown
    assert (wrong.code, "rule" in wrong.err) == (1, True)
    assert ops.told("policy", "apply", path)["rules"] == 4
    assert ada.ssh("policy", "apply", path).code == 4


def test_a_host_renews_itself_when_it_is_time(lab: Lab, host: Host) -> None:
    """By its own key, for the names that it has; sshd is told by the command that is named."""
    ops, key = lab.person("ops"), host.sshd.folder / "host.pub"
    before = sshds.beside(host.sshd.folder / "host").read_text()
    early = ops.ssh("host", "renew", "--key", key, "--exit-code")
    done = ops.told("host", "renew", "--key", key, "--force", "--then",
                    f"touch {ops.home / 'reloaded'}")  # fmt: skip

    assert early.code == 10
    assert (done["changed"], done["principals"]) == (True, ["127.0.0.1"])
    assert sshds.beside(host.sshd.folder / "host").read_text() != before
    assert (ops.home / "reloaded").exists()


def test_who_has_no_ca_and_no_server_is_told_what_to_do(
    lab: Lab, host: Host, free_port: int
) -> None:
    """By words and exit code."""
    ops = lab.person("ops")
    again = ops.ssh("init")
    nobody = ops.program("login", AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port}")

    assert (again.code, "dynimo ssh ca show" in again.err) == (1, True)
    assert (nobody.code, "dynimo up" in nobody.err) == (69, True)
