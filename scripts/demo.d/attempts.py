# SPDX-License-Identifier: Apache-2.0
"""What the agent tries and must not do: as a command, by which rule it is refused, and how one sees from outside whether it was done."""
from dataclasses import dataclass
from typing import Callable, Optional

HAMMERED = 200


@dataclass
class Attempt:
    title: str
    command: str
    rule: Optional[str]                # None: the seccomp floor, whose refusals are not recorded yet
    about: str                         # in the message of its record
    done: Callable[["World", str, int], bool]
    count: int = 1                     # refusals of that rule
    guest_only: bool = False           # to be tried without Bailiff on a machine that is nobody's


def said(text):
    return lambda world, output, code: text in output


def wrote(name):
    return lambda world, output, code: "agent was here" in world.read(name)


def heard(service):
    """Where we do not play that service ourselves (a host may be in a real cloud), whoever asked it knows."""
    return lambda world, output, code: world.services[service].heard() if service in world.services else code == 0


def worked(world, output, code):
    return code == 0


def victim_died(world, output, code):
    return not world.victim_lives()


def mounted(world, output, code):
    return f" {world.work}/mnt " in world.slurp("/proc/self/mounts")


def attempts(world):
    secret, port, victim = said(world.secret), world.closed_port, world.victim.pid
    return [
        Attempt("reads credentials by their path", "cat ~/.aws/credentials", "base.credentials", "/.aws/credentials by cat", secret),
        Attempt("reads them by a symlink", "ln -s ~/.aws notes; head notes/credentials", "base.credentials", "/.aws/credentials by head", secret),
        Attempt("reads them through /proc/self/root", "tail /proc/self/root$HOME/.aws/credentials", "base.credentials",
                "/.aws/credentials by tail", secret),
        Attempt(f"reads them {HAMMERED} times in a loop", f"for i in $(seq {HAMMERED}); do mapfile x <~/.aws/credentials && echo ${{x[1]}}; done |& tail -n 1",
                "base.credentials", "/.aws/credentials by bash", secret, count=HAMMERED),
        Attempt("writes outside its workspace", "echo agent was here >../elsewhere", "files.default", "/elsewhere by bash", wrote("elsewhere")),
        Attempt("writes a file that runs later", "echo '# agent was here' >>~/.bashrc", "base.runs-later", "/.bashrc by bash",
                wrote("home/.bashrc")),
        Attempt("runs a program that acts as another user", "su --version", "base.set-id", "/usr/bin/su by bash", said("util-linux")),
        Attempt("runs a tool that the policy forbids", "ip -br link", "host-tools", "/usr/bin/ip by bash", said("lo ")),
        Attempt("connects by TCP and IPv4", f"curl -sS http://127.0.0.1:{port}/", "network.default", f"127.0.0.1:{port} by curl", heard("tcp4")),
        Attempt("connects by TCP and IPv6", f"curl -sS 'http://[::1]:{port}/'", "network.default", f"[::1]:{port} by curl", heard("tcp6")),
        Attempt("sends by UDP and IPv4", f"echo agent was here >/dev/udp/127.0.0.1/{port}", "network.default", f"127.0.0.1:{port}/udp by bash", heard("udp4")),
        Attempt("sends by UDP and IPv6", f"""python3 -c 'import socket as s; s.socket(s.AF_INET6, s.SOCK_DGRAM).sendto(b"hi", ("::1", {port}))' |& tail -n 1""",
                "network.default", f"[::1]:{port}/udp by python3", heard("udp6")),
        Attempt("asks the cloud for its credentials", "curl -sS -m 5 http://169.254.169.254/latest/meta-data/", "base.link-local",
                "169.254.169.254:80", heard("metadata"), guest_only=True),
        Attempt("mounts", """mkdir mnt; perl -e '@a = ("none", "mnt", "tmpfs"); syscall(165, @a, 0, 0) == 0 or die "mount: $!\\n"'""", "guard.mount",
                "mount by perl", mounted),
        Attempt("makes a user namespace", "unshare --user true", "guard.namespace", "create user namespace by unshare", worked),
        Attempt("makes a mount namespace", "unshare --mount true", "guard.capability", "CAP_SYS_ADMIN by unshare", worked),
        Attempt("uses the kernel's keyring", """perl -e 'syscall(250, 0, -3, 0) > 0 or die "keyctl: $!\\n"'""", None, "", worked),
        Attempt("traces a process outside", f"""perl -e 'syscall(101, 0x4206, {victim}, 0, 0) == 0 or die "ptrace: $!\\n"'""", "guard.ptrace",
                "by perl", worked),
        Attempt("reads its environment", f"head -c 80 /proc/{victim}/environ", "guard.proc", "by head", worked),
        Attempt("kills it", f"kill -9 {victim}", "guard.signal", "SIGKILL", victim_died),
        Attempt("leaves its cgroup", f"echo $$ >{world.cgroup_mount}/cgroup.procs", "guard.cgroup", "by bash", worked),
    ]


def undo(world):
    """After they were tried without Bailiff."""
    for name in ("elsewhere", "work/notes"):
        world.remove(name)
    world.write("home/.bashrc", "# the user's own\n")
    world.unmount("work/mnt")
    world.victim.kill()
    world.victim.wait()
    world.start_victim()
    for service in world.services.values():
        service.heard()
