"""``./dynimo`` from nothing, on a Debian that has only Python and pip: the promise of the README.

The bare system is a folder made by debootstrap and entered by chroot, so this needs root. What it
is made of comes over the network, once; it is kept in the cache folder (remove it to renew it).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.e2e import machines

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

CODENAME = "bookworm"  # Python 3.11: the oldest that will do
NETWORK_FILES = ("etc/resolv.conf", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")


FIRST_MINUTES = """
./dynimo --version && ./dynimo --version || exit
data=$(mktemp -d)
./dynimo up --port 0 --data "$data" >"$data/log" &
for _ in $(seq 300); do [ -s "$data/address" ] && break; sleep 0.1; done
python3 -c 'if True:
    import sys, urllib.request
    address = open(sys.argv[1]).read().strip()
    with urllib.request.urlopen(address + "/img/sample/boats.jpg?w=64", timeout=60) as answer:
        print(answer.status, answer.headers["content-type"])
' "$data/address"
kill -INT $! && wait $!
"""
"""What a stranger does: set up, set up no more, serve, look at a picture, stop."""


def bare_debian(folder: Path) -> Path:
    """A Debian with Python and pip and nothing else; made once, kept for later runs.

    It gets what this machine knows of its network: name servers, pip's settings, certificates.
    """
    if not machines.AS_NOBODY:
        pytest.skip("needs root, to change into a bare Debian")
    for tool in ("debootstrap", "unshare", "mount", "chroot"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    debian = folder / CODENAME
    if not debian.exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {CODENAME}"]
        mirrors = subprocess.run(wanted, check=False, capture_output=True, text=True, timeout=60)
        half_made = Path(tempfile.mkdtemp(dir=folder))
        half_made.chmod(0o755)
        packages = "--include=python3,python3-pip,ca-certificates"
        command = ["debootstrap", "--variant=minbase", packages, CODENAME, str(half_made)]
        made = subprocess.run(
            [*command, *mirrors.stdout.split()[:1]],
            check=False,
            capture_output=True,
            text=True,
            timeout=machines.SECONDS,
        )
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr
        half_made.rename(debian)  # fails when another run was quicker, and then the next will do
    for name in NETWORK_FILES:
        if Path("/", name).is_file():
            shutil.copyfile(Path("/", name), debian / name)
    return debian


def test_bare_debian() -> None:
    """A machine as it comes: no venv package, git, compiler or uv; not root; PEP 668 in force."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = bare_debian(cache / "dynimo" / "bare-debian")
    with machines.machine_at(Path(tempfile.mkdtemp(prefix="dynimo "))) as machine:
        inside = 'mount --bind "$2" "$1/mnt" && mount -t proc proc "$1/proc" && '
        inside += f'exec chroot --userspec={machines.NOBODY}:{machines.NOBODY} "$1" '
        inside += 'sh -c \'cd "/mnt/ä check out" && exec sh -c "$DYNIMO_TEST"\''
        ran = subprocess.run(
            ["unshare", "--mount", "sh", "-c", inside, "sh", str(root), str(machine.folder)],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}
            | {"DYNIMO_TEST": FIRST_MINUTES}
            | machines.network(),
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=machines.SECONDS,
        )
    assert ran.returncode == 0, ran.stderr
    told = ran.stdout.splitlines()
    assert [line.split()[0] for line in told] == ["dynimo", "dynimo", "200"], ran.stderr
    assert told[-1] == "200 image/jpeg"
    assert [line.split()[0] for line in ran.stderr.splitlines()[:2]] == ["·", "✓"]
    assert ran.stderr.rstrip().endswith("Stopped.")
