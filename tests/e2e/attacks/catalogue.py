"""Attacks of one step, each a piece of Python that runs inside a handler.

A piece has got through when it leaves something true in ``got``; an exception or nothing means
that it was held. Names that it may use are in ``PROLOGUE`` and in ``Scene.names``. Standard library
only: the suite also runs under a plain Python as a user without rights.
"""

from __future__ import annotations

PROLOGUE = """
import array, ctypes, fcntl, glob, os, resource, signal, socket, struct, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(number, *arguments):
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = libc.syscall(ctypes.c_long(number), *wide)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result or True
def read(path):
    with open(path, "rb") as file:
        return file.read(4096)
def write(path, data=b"x"):
    with open(path, "ab") as file:
        return file.write(data)
"""

HANDLER = (
    PROLOGUE
    + """
SECRET = "the siblings secret"
def handler(event, context):
    names = {**globals(), **event, "got": None}
    try:
        exec(event["attack"], names)
    except BaseException as error:
        return {"held": repr(error)}
    got = names["got"]
    return {"got": repr(got)[:200]} if got else {"held": "nothing to be had"}
"""
)

_OTHERS = ("victim", "sibling", "sibling_inside", "platform", "zygote")

OTHERS: dict[str, str] = {}
"""Other functions, siblings, the zygote and the platform: their memory, environment and life."""
for _who in _OTHERS:
    OTHERS |= {
        f"environ of {_who}": f"got = read(f'/proc/{{{_who}}}/environ')",
        f"memory of {_who}": f"got = open(f'/proc/{{{_who}}}/mem', 'rb+')",
        f"maps of {_who}": f"got = read(f'/proc/{{{_who}}}/maps')",
        f"descriptors of {_who}": f"got = os.listdir(f'/proc/{{{_who}}}/fd')",
        f"root folder of {_who}": f"got = os.listdir(f'/proc/{{{_who}}}/root/tmp')",
        f"ptrace attach to {_who}": f"got = call(101, 16, {_who}, 0, 0)",
        f"ptrace seize {_who}": f"got = call(101, 0x4206, {_who}, 0, 0)",
        f"process_vm_readv of {_who}": f"got = call(310, {_who}, 0, 0, 0, 0, 0)",
        # Signal 0 asks for the same right, and the suite survives a host where it is given.
        f"kill {_who}": f"got = os.kill({_who}, 0) or True",
        f"tgkill {_who}": f"got = call(234, {_who}, {_who}, 0)",
        f"signal {_who} by a handle": (
            f"got = signal.pidfd_send_signal(os.pidfd_open({_who}), 0) or True"
        ),
        f"take a descriptor of {_who}": f"got = call(438, os.pidfd_open({_who}), 0, 0)",
        f"limits of {_who}": f"got = resource.prlimit({_who}, resource.RLIMIT_CPU, (1, 1))",
    }

FILES: dict[str, str] = {
    "master key": "got = read(data + '/master.key')",
    "journal": "got = read(data + '/journal')",
    "list the data folder": "got = os.listdir(data)",
    "write into the data folder": "got = write(data + '/master.key')",
    "another function's code": "got = read(victim_code + '/app.py')",
    "another function's /tmp": """
got = [read(path) for path in glob.glob(scratch + '/**/secret', recursive=True)]
""",
    "a sibling's /tmp": "got = os.path.exists('/tmp/secret') and read('/tmp/secret')",
    "a sibling's folder": "got = read(sibling_tmp + '/secret') if sibling_tmp != '/tmp' else None",
    "a sibling's room": "got = [read(p) for p in glob.glob('/var/rooms/*/tmp/secret')]",
    "a sibling's room by number": "got = [read(f'/var/rooms/{n}/tmp/secret') for n in (1, 2, 3)]",
    "its own code": "got = write('/var/task/app.py')",
    "a new file beside its code": "got = write('/var/task/new.py')",
    "code by its place on the host": "got = write(code + '/app.py')",
    "a cache beside its code": "os.mkdir(code + '/__pycache__'); got = True",
    "/opt": "got = write('/opt/new')",
    "the interpreter": "got = write(os.__file__)",
    "/etc/passwd": "got = write('/etc/passwd')",
    "/etc/shadow": "got = read('/etc/shadow')",
    "up from its code": """
os.chdir('/var/task'); got = read('../../../../../..' + data + '/master.key')
""",
    "up through /proc": "got = read('/proc/self/root/../..' + data + '/master.key')",
    "up through the zygote's root": "got = read('/proc/1/root' + data + '/master.key')",
    "up from an open folder": """
for number in range(1024):
    try:
        got = os.open('../../../..' + data + '/master.key', os.O_RDONLY, dir_fd=number)
        break
    except OSError:
        pass
""",
    "out by an open folder": """
for number in range(1024):
    try:
        os.fchdir(number)
        got = os.listdir('.')
        break
    except OSError:
        pass
""",
    "out by chroot": """
os.mkdir(tmp + '/jail'); os.chroot(tmp + '/jail')
for _ in range(64): os.chdir('..')
os.chroot('.'); got = os.listdir('/')
""",
    "out by chroot with the runtime's word": f"got = call(161, tmp.encode(), {0x0D1A0001})",
    "a link to the master key": """
os.symlink(data + '/master.key', tmp + '/k'); got = read(tmp + '/k')
""",
    "a hard link to its code": "os.link(code + '/app.py', tmp + '/hard'); got = True",
    "file by handle": "got = call(304, -100, 0, 0)",
    "a disk": "os.mknod(tmp + '/disk', 0o60600, os.makedev(254, 0)); got = read(tmp + '/disk')",
    "kernel memory": "got = read('/dev/mem') or read('/proc/kcore')",
    "loop devices": "got = os.open('/dev/loop-control', os.O_RDWR)",
    "shared memory of the host": "got = os.listdir('/dev/shm')",
    "sysrq": "got = write('/proc/sysrq-trigger', b'h')",
    "core pattern": "got = write('/proc/sys/kernel/core_pattern', b'|/tmp/x')",
    "its place in the order of killing": "got = write('/proc/self/oom_score_adj', b'-900')",
    "its cgroup": "got = glob.glob('/sys/fs/cgroup/*') and os.listdir('/sys/fs/cgroup')",
}

RIGHTS: dict[str, str] = {
    "become root": "os.setuid(0); got = os.getuid() == 0 and uid != 0",
    "become somebody": "os.setresuid(1, 1, 1); got = True",
    "become another group": "os.setgid(4); got = True",
    "join groups": "os.setgroups([0, 4]); got = True",
    "su": "got = subprocess.run(['/usr/bin/su', 'root', '-c', 'id'], stdin=-3).returncode == 0",
    "a set-uid program of its own": """
path = tmp + '/suid'
open(path, 'w').write('#!/bin/sh\\nid -u'); os.chmod(path, 0o6755)
got = uid != 0 and subprocess.run([path], capture_output=True).stdout == b'0\\n'
""",
    "any capability": """
for line in open('/proc/self/status'):
    if line.startswith(('CapEff', 'CapPrm', 'CapInh', 'CapAmb')):
        got = got or int(line.split()[1], 16)
""",
    "new privileges": "got = libc.prctl(39, 0, 0, 0, 0) == 0",
    "no seccomp": "got = libc.prctl(21, 0, 0, 0, 0) == 0",
    "more files": "resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536)); got = True",
    "more locked memory": "resource.setrlimit(resource.RLIMIT_MEMLOCK, (2**30, 2**30)); got = True",
    "real time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); got = True",
    "higher priority": "os.nice(-5); got = True",
    "mount": "got = call(165, b'x', tmp.encode(), b'tmpfs', 0, b'')",
    "unmount": "got = call(166, b'/tmp', 2)",
    "new mount interface": "got = call(428, -100, b'/', 1)",
    "pivot_root": "got = call(155, b'.', b'.')",
    "set the clock": "got = call(227, 0, struct.pack('qq', 1, 0))",
    "host name": "got = call(170, b'evil', 4)",
    "domain name": "got = call(171, b'evil', 4)",
    "kernel log": "got = call(103, 3, 0, 0)",
    "kernel module": "got = call(313, 0, b'', 0)",
    "kexec": "got = call(246, 0, 0, 0, 0)",
    "reboot": "got = call(169, 0, 0, 0, 0)",
    "ports of the machine": "got = call(172, 3)",
    "quota": "got = call(179, 0, 0, 0, 0)",
    "accounting": "got = call(163, 0)",
    "typing into a terminal": "got = fcntl.ioctl(0, 0x5412, b'x') or True",
    "flags of files": "fcntl.ioctl(os.open(tmp, 0), 0x40086602, bytes(8)); got = True",
    "project of files": "fcntl.ioctl(os.open(tmp, 0), 0x401C5820, bytes(28)); got = True",
    "executable data": "got = call(135, 0x0400000) > 0",
}
for _name, _flag in {
    "mount": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000,
    "user": 0x10000000, "pid": 0x20000000, "network": 0x40000000,
}.items():  # fmt: skip
    RIGHTS |= {
        f"unshare the {_name} namespace": f"got = call(272, {_flag})",
        f"clone a {_name} namespace": f"""
pid = call(56, {_flag} | 17, 0, 0, 0, 0)
if pid is True: os._exit(0)
got = pid
""",
    }
RIGHTS["enter a namespace"] = """
for path in glob.glob('/proc/*/ns/*'):
    try:
        got = call(308, os.open(path, os.O_RDONLY), 0)
    except OSError:
        pass
"""
RIGHTS["clone3"] = "got = call(435, bytes(88), 88)"

KERNEL: dict[str, str] = {
    "io_uring": "got = call(425, 8, bytes(120))",
    "userfaultfd": "got = call(323, 0)",
    "bpf": "got = call(321, 0, bytes(64), 64)",
    "perf": "got = call(298, bytes(128), 0, -1, -1, 0)",
    "add a key": "got = call(248, b'user', b'k', b'v', 1, -3)",
    "the session's keys": "got = call(250, 0, -3, 1)",
    "request a key": "got = call(249, b'user', b'k', 0, 0)",
    "System V shared memory": "got = call(29, 0, 4096, 0o1600)",
    "System V semaphores": "got = call(64, 0, 1, 0o1600)",
    "System V messages": "got = call(68, 0, 0o1600)",
    "POSIX messages": "got = call(240, b'left', os.O_CREAT | os.O_RDWR, 0o600, 0)",
    "fanotify": "got = call(300, 0, 0)",
    "packets": "got = socket.socket(17, socket.SOCK_RAW)",
    "raw sockets": "got = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "kernel cryptography": "got = socket.socket(38, socket.SOCK_SEQPACKET)",
    "the hypervisor": "got = socket.socket(40, socket.SOCK_STREAM)",
    "sockets of the host by netlink": "got = socket.socket(16, socket.SOCK_RAW, 4)",
    "the audit log": "got = socket.socket(16, socket.SOCK_RAW, 9)",
    "the firewall": "got = socket.socket(16, socket.SOCK_RAW, 12)",
    "events of devices": "got = socket.socket(16, socket.SOCK_DGRAM, 15)",
    "a signal to its channel's other end": """
for number in range(3, 64):
    try:
        peer = socket.socket(fileno=os.dup(number)).getsockopt(socket.SOL_SOCKET, 77)
        got = signal.pidfd_send_signal(peer, 0) or True
    except OSError:
        pass
""",
    "xdp": "got = socket.socket(44, socket.SOCK_RAW)",
    "an abstract socket of the platform": """
client = socket.socket(socket.AF_UNIX); client.connect('\\0' + abstract); got = True
""",
    "a socket of the host": """
client = socket.socket(socket.AF_UNIX); client.connect(unix_socket); got = True
""",
    "a datagram to a socket of the host": """
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
ours.sendto(b'x', datagram_socket); got = True
""",
}

ALL = {**OTHERS, **FILES, **RIGHTS, **KERNEL}
