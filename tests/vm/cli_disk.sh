#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bailiff and the real engine on a real kernel: what passes through is as faithful under enforcement as without, and what holds the
# sandbox together holds. vm: --timeout 400
exec python3 - "$@" <<'END'
import contextlib
import fcntl
import hashlib
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

LIMIT = 40
TESTS = []
POLICY = "/root/policy.yaml"
with open(POLICY, "w", encoding="utf-8") as f:
    f.write("""version: 1
policy: cli
owner: tests
uses: [base]
open: [devices, calls, privileges, limits, session, labels]
files:
  read: [/]
  execute: [/]
  write: [/tmp, /dev]
  deny:
    - {path: [/usr/bin/git], why: "not for agents"}
    - {path: [/etc/hostname], why: "a secret"}
""")


class Failure(Exception):
    pass


def check(cond, *what):
    if not cond:
        raise Failure(" ".join(str(w) for w in what))


def equal(a, b, what=""):
    check(a == b, what, f"{a!r} is not {b!r}")


def has(text, part):
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    check(part in text, f"{part!r} is not in {text!r}")


def test(fn):
    TESTS.append(fn)
    return fn


def until(cond, what, seconds=LIMIT):
    end = time.time() + seconds
    while not cond():
        check(time.time() < end, "never:", what)
        time.sleep(0.05)


def do(*words, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL if "input" not in kw else None)
    if kw["stdin"] is None:
        del kw["stdin"]
    return subprocess.run(["bailiff", *words], capture_output=True, timeout=LIMIT, check=False, **kw)


def run(*words, options=(), **kw):
    return do("run", "-p", POLICY, *options, "--", *words, **kw)


def argv(*words):
    return ["/usr/bin/bailiff", "run", "-p", POLICY, "--", *words]


def start(*words, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(argv(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def sandboxes():
    return json.loads(do("ps", "--json").stdout)


def lives(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


class Terminal:
    def __init__(self, words, env=None):
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.name = os.ttyname(slave)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 101, 0, 0))
        self.pid = os.fork()
        if self.pid == 0:
            for sig in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT):
                signal.signal(sig, signal.SIG_DFL)
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(slave, fd)
            os.closerange(3, 100)
            os.execvpe(words[0], words, {**os.environ, **(env or {})})
        self.slave, self.seen = slave, b""

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 65536)
            return True
        return False

    def expect(self, what):
        end = time.time() + LIMIT
        while what.encode() not in self.seen:
            check(time.time() < end, f"{what!r} did not come: {self.seen!r}")
            self.read(0.1)
        at = self.seen.index(what.encode()) + len(what)
        before, self.seen = self.seen[:at], self.seen[at:]
        return before.decode()

    def type(self, text):
        os.write(self.master, text.encode())

    def wait(self):
        end = time.time() + LIMIT
        while time.time() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            self.read(0.05)
        raise Failure(f"did not end: {self.seen!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
        os.close(self.slave)


@test
def exit_codes_are_the_commands_and_ours():
    equal(run("sh", "-c", "exit 7").returncode, 7)
    equal(run("sh", "-c", "kill -TERM $$").returncode, 143)
    equal(run("no-such-command").returncode, 127)
    equal(run("/tmp").returncode, 126)
    equal(do("run", "-p", "/no/such", "--", "true").returncode, 125)


@test
def command_that_the_policy_refuses_is_126_and_the_record_names_the_rule():
    equal(subprocess.run(["git", "--version"], stdout=subprocess.DEVNULL, check=False).returncode, 0)
    p = run("git", "--version")
    equal(p.returncode, 126)
    hint = p.stderr.decode().split("bailiff tail --sandbox ")[1].split("`")[0]
    until(lambda: "not for agents" in do("tail", "--sandbox", hint).stdout.decode(), "the refusal on the record")


@test
def policy_is_in_force_from_the_first_instruction_and_only_inside():
    equal(subprocess.run(["cat", "/etc/hostname"], stdout=subprocess.DEVNULL, check=False).returncode, 0)
    for _ in range(3):
        p = run("cat", "/etc/hostname")
        equal(p.returncode, 1)
        has(p.stderr, "Permission denied")
        has(p.stderr, "1 refused, 0 would be refused")
    p = run("cat", "/etc/hostname", options=["--stage", "observe"])
    equal(p.returncode, 0)
    has(p.stderr, "0 refused, 1 would be refused")


@test
def a_refused_one_is_told_why_inside_at_the_end_of_run_and_from_the_record():
    told = 'read "/etc/hostname": refused (EACCES) by rule '
    script = "cat /etc/hostname; bailiff why; echo code $?; bailiff why read /etc/hostname; bailiff why read /no/such; echo code $?; exit 3"
    for options in ((), ("--user", "nobody")):
        p = run("sh", "-c", script, options=options)
        equal(p.returncode, 3, p.stderr)
        lines = p.stdout.decode().splitlines()
        has(lines[0], told)
        has(lines[0], f"({POLICY}:12): a secret; ask tests")
        equal(lines[1], "code 0")
        has(lines[2], told)
        has(lines[3], "not Bailiff's refusal")
        equal(lines[-1], "code 1")
        has(p.stderr, told)
        sid = p.stderr.decode().split("bailiff tail --sandbox ")[1].split()[0]
        until(lambda: told in do("why", sid).stdout.decode(), "the refusal on the record")
    equal(do("why").returncode, 125)
    check(told not in run("sh", "-c", "cat /etc/hostname; exit 0").stderr.decode())


@test
def streams_are_faithful_whatever_they_are():
    data = os.urandom(2 << 20)
    p = run("sh", "-c", "cat; echo err >&2", input=data)
    equal(hashlib.sha256(p.stdout).digest(), hashlib.sha256(data).digest())
    has(p.stderr, "err\n")
    ours, theirs = socket.socketpair()
    p = subprocess.Popen(argv("sh", "-c", "cat; exit 4"), stdin=theirs, stdout=theirs, stderr=theirs)
    theirs.close()
    got, sent = b"", 0
    while True:
        r, w, _ = select.select([ours], [ours] if sent < len(data) else [], [], LIMIT)
        check(r or w, "stuck")
        if w:
            sent += ours.send(data[sent:sent + 65536])
            if sent == len(data):
                ours.shutdown(socket.SHUT_WR)
        if r:
            part = ours.recv(1 << 16)
            if not part:
                break
            got += part
    equal(p.wait(LIMIT), 4)
    check(data in got, "the data came through the socket")


@test
def only_descriptors_0_to_2_reach_the_command():
    fd = os.open("/etc/hostname", os.O_RDONLY)
    p = run("sh", "-c", f"cat <&{fd}", pass_fds=[fd])
    check(p.returncode != 0, p.stdout)
    os.close(fd)


@test
def terminal_works_and_is_not_the_users():
    with Terminal(argv("sh", "-c", "tty; stty size; read x; echo got $x; exit 6")) as t:
        has(t.expect("41 101"), "/dev/pts/")
        check(t.name not in t.seen.decode())
        t.type("word\r")
        t.expect("got word")
        equal(t.wait(), 6)
        equal(termios.tcgetattr(t.slave), t.before)
    with Terminal(argv("sh", "-c", "echo up; sleep 60")) as t:
        t.expect("up")
        time.sleep(0.5)
        t.type("\x03")
        equal(t.wait(), 130)


@test
def job_control_works():
    with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], {"PS1": "PROMPT$ ", "HISTFILE": ""}) as t:
        t.expect("PROMPT$ ")
        t.type(" ".join(f"'{w}'" for w in argv("sh", "-c", "echo up; read x; echo got $x")) + "\r")
        t.expect("up\r\n")
        time.sleep(0.3)
        t.type("\x1a")
        t.expect("Stopped")
        t.expect("PROMPT$ ")
        t.type("fg\r")
        time.sleep(1)
        t.type("word\r")
        t.expect("got word")
        t.expect("PROMPT$ ")
        t.type("exit\r")
        t.wait()


@test
def signals_come_in_and_do_not_go_out():
    p = start("sleep", "60")
    until(lambda: [s for s in sandboxes() if s["members"]], "a member")
    p.terminate()
    p.communicate(timeout=LIMIT)
    equal(p.returncode, 143)
    victim = subprocess.Popen(["sleep", "60"])
    p = run("sh", "-c", f"kill -9 {victim.pid}; kill -0 $PPID; kill -9 $PPID; echo done")
    has(p.stdout, "done")
    check(p.stderr.count(b"not permitted") >= 3, p.stderr)
    check(victim.poll() is None)
    victim.kill()
    victim.wait()


@test
def seccomp_floor_is_on_and_set_id_is_left_alone():
    p = run("sh", "-c", "grep -E '^(Seccomp|NoNewPrivs)' /proc/self/status; unshare -u true; echo code $?")
    has(p.stdout, "Seccomp:\t2")
    has(p.stdout, "NoNewPrivs:\t0")
    has(p.stdout, "code 1")
    has(run("sh", "-c", "unshare -u true; echo code $?", options=["--stage", "observe"]).stdout, "code 0")


@test
def user_has_nothing_of_roots():
    p = run("sh", "-c", "id -u; grep CapEff /proc/self/status; cat /etc/shadow", options=["--user", "nobody"])
    has(p.stdout, "65534\nCapEff:\t0000000000000000\n")
    check(p.returncode != 0)


@test
def what_the_command_leaves_behind_stays_governed_until_it_is_ended():
    p = run("sh", "-c", "(sleep 300; :) >/dev/null 2>&1 & echo $!")
    pid = int(p.stdout)
    has(p.stderr, "still running")
    check(lives(pid))
    sid = p.stderr.decode().rsplit("--sandbox ", 1)[1].split()[0]
    p = do("end", sid)
    equal(p.returncode, 0, p.stderr)
    check(not lives(pid))
    equal([s for s in sandboxes() if s["id"] == sid], [])


@test
def held_sandbox_takes_commands_and_ends_with_its_holder():
    r, w = os.pipe()
    p = do("create", "-p", POLICY, "--name", "held", "--while-fd", str(r), pass_fds=[r])
    os.close(r)
    equal(p.returncode, 0, p.stderr)
    sid = p.stdout.decode().strip()
    p = do("exec", sid, "--call", "call_1", "--", "sh", "-c", "cat /etc/hostname; (sleep 300; :) >/dev/null 2>&1 & echo $!; exit 3")
    equal((p.returncode, p.stderr.count(b"bailiff:")), (3, 0), p.stderr)
    has(p.stderr, "Permission denied")
    pid = int(p.stdout)
    check(lives(pid))
    until(lambda: "call_1" in do("tail", "--json", "--sandbox", sid).stdout.decode(), "the call on the record")
    os.close(w)
    until(lambda: not lives(pid) and not [s for s in sandboxes() if s["id"] == sid], "the end")
    equal(do("exec", sid, "--", "true").returncode, 125)


@test
def starter_that_is_killed_leaves_the_command_governed():
    p = start("sh", "-c", "sleep 2; cat /etc/hostname 2>/tmp/late; echo $? >>/tmp/late; sleep 1")
    until(lambda: [s for s in sandboxes() if s["members"]], "a member")
    p.kill()
    p.communicate(timeout=LIMIT)
    until(lambda: os.path.exists("/tmp/late") and open("/tmp/late", encoding="utf-8").read().endswith("1\n"), "its late attempt")
    has(open("/tmp/late", encoding="utf-8").read(), "Permission denied")
    until(lambda: not sandboxes(), "the session's end")


@test
def deadline_ends_it():
    began = time.time()
    p = run("sleep", "300", options=["--deadline", "2s"])
    equal(p.returncode, 137)
    check(time.time() - began < 20)


@test
def policy_is_replaced_while_it_runs():
    other = "/root/other.yaml"
    with open(POLICY, encoding="utf-8") as f, open(other, "w", encoding="utf-8") as g:
        g.write(f.read().replace("/etc/hostname", "/etc/passwd"))
    p = start("sh", "-c", "while :; do cat /etc/hostname /etc/passwd >/dev/null 2>/tmp/said; sleep 0.1; done")
    until(lambda: os.path.exists("/tmp/said") and "hostname" in open("/tmp/said", encoding="utf-8").read(), "the first policy")
    sid = sandboxes()[0]["id"]
    q = do("reload", sid, "-p", other)
    equal(q.returncode, 0, q.stderr)
    until(lambda: "passwd" in open("/tmp/said", encoding="utf-8").read(), "the second policy")
    equal(do("end", sid).returncode, 0)
    p.communicate(timeout=LIMIT)


@test
def many_at_once_do_not_mix():
    ps = [start("sh", "-c", f"cat /etc/hostname; exit {i}") for i in range(8)]
    for i, p in enumerate(ps):
        _, err = p.communicate(timeout=LIMIT)
        equal(p.returncode, i)
        has(err, "1 refused, ")


# The first start attaches: verification of every program under emulation.
subprocess.run(["bailiff", "run", "-p", POLICY, "--", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
               timeout=200, check=False)
failed = 0
for fn in TESTS:
    if sys.argv[1:] and not any(w in fn.__name__ for w in sys.argv[1:]):
        continue
    try:
        fn()
        print("ok cli_" + fn.__name__, flush=True)
    except Exception as e:  # whatever it was, the test failed
        failed = 1
        print(f"not ok cli_{fn.__name__}: {type(e).__name__}: {e}".replace("\n", "\\n"), flush=True)
sys.exit(failed)
END
