#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bailiff against an engine that governs nothing (fake_engine.py): what passes through, what does not, and what is said."""
import array
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(os.path.join(os.environ.get("BUILD", os.path.join(HERE, "../../build")), "bailiff"))
PY = "/usr/bin/python3"  # where everybody may execute it
TESTS = []
LIMIT = 20  # seconds for anything that should take none


def test(fn):
    TESTS.append(fn)
    return fn


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


class Host:
    """A run_dir with a fake engine that starts on demand, and a policy file."""

    def __init__(self, **conf):
        self.dir = tempfile.mkdtemp(prefix="bailiff-cli.")
        self.run = os.path.join(self.dir, "run")
        os.mkdir(self.run)
        self.bin = os.path.join(self.dir, "bailiff")
        shutil.copy(BINARY, self.bin)
        with open(os.path.join(self.dir, "bailiffd"), "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nexec {PY} {HERE}/fake_engine.py \"$@\"\n")
        os.chmod(f.name, 0o755)
        self.settings = os.path.join(self.dir, "bailiff.yaml")
        with open(self.settings, "w", encoding="utf-8") as f:
            f.write(f"run_dir: {self.run}\n")
        self.policy = os.path.join(self.dir, "policy.yaml")
        with open(self.policy, "w", encoding="utf-8") as f:
            f.write("version: 1\npolicy: test\n")
        os.chmod(self.dir, 0o755)
        self.configure(**conf)

    def configure(self, **conf):
        with open(os.path.join(self.run, "fake.json"), "w", encoding="utf-8") as f:
            json.dump(conf, f)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for c in self.calls("(started)"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(c["pid"], signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def env(self, **more):
        return {**os.environ, "BAILIFF_SETTINGS": self.settings, "LC_ALL": "C.UTF-8", **more}

    def argv(self, *words, options=()):
        return [self.bin, "run", "-p", self.policy, *options, "--", *words]

    def do(self, *words, **kw):
        """Any bailiff command line, to its end."""
        kw.setdefault("stdin", subprocess.DEVNULL if "input" not in kw else None)
        if kw["stdin"] is None:
            del kw["stdin"]
        kw.setdefault("env", self.env())
        return subprocess.run([self.bin, *words], capture_output=True, timeout=LIMIT, check=False, **kw)

    def sandbox(self, *words, options=(), **kw):
        return self.do("run", "-p", self.policy, *options, "--", *words, **kw)

    def start(self, *words, options=(), **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("env", self.env())
        return subprocess.Popen(self.argv(*words, options=options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

    def calls(self, op=None):
        try:
            with open(os.path.join(self.run, "calls.jsonl"), encoding="utf-8") as f:
                lines = [json.loads(x) for x in f.read().split("\n") if x]
        except FileNotFoundError:
            return []
        return [c for c in lines if op is None or c["op"] == op]

    def pair(self, op, key):
        return [v for c in self.calls(op) for k, v in c["pairs"] if k == key]

    def command_pid(self):
        until = time.time() + LIMIT
        while time.time() < until:
            pids = self.pair("start", "pid")
            if pids:
                return int(pids[-1])
            time.sleep(0.01)
        raise Failure("no command was started")


class Terminal:
    """A user's terminal with a process on it: a session of its own, as a login has."""

    def __init__(self, argv, env, rows=40, cols=100, fds=(0, 1, 2), stdin=None, stdout=None):
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.name = os.ttyname(slave)
        self.pid = os.fork()
        if self.pid == 0:
            for sig in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT):
                signal.signal(sig, signal.SIG_DFL)
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(slave if fd in fds else {0: stdin, 1: stdout, 2: stdout}[fd], fd)
            os.closerange(3, 200)
            os.execve(argv[0], argv, env)
        self.slave = slave  # kept: the settings can be read after the end
        self.seen = b""

    def read(self, seconds=0.1):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.seen += os.read(self.master, 65536)
        return bool(ready)

    def expect(self, what, seconds=LIMIT):
        what = what if isinstance(what, bytes) else what.encode()
        until = time.time() + seconds
        while what not in self.seen:
            check(time.time() < until, f"{what!r} did not come; seen: {self.seen!r}")
            self.read()
        at = self.seen.index(what) + len(what)
        before, self.seen = self.seen[:at], self.seen[at:]
        return before

    def type(self, text):
        os.write(self.master, text if isinstance(text, bytes) else text.encode())

    def quiet(self, seconds=0.3):
        while self.read(seconds):
            pass
        return self.seen

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def modes(self):
        return termios.tcgetattr(self.slave)

    def wait(self, seconds=LIMIT):
        until = time.time() + seconds
        while time.time() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                self.quiet(0.05)
                return os.waitstatus_to_exitcode(status)
            self.read(0.02)
        raise Failure(f"did not end; seen: {self.seen!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
        os.close(self.slave)


def state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def until(cond, what):
    end = time.time() + LIMIT
    while not cond():
        check(time.time() < end, "never:", what)
        time.sleep(0.02)


def lines_of(p):
    return p.stderr.decode("utf-8", "replace").splitlines()


# ---- exit codes ----

@test
def exit_code_of_the_command_passes_through():
    with Host() as h:
        for code in (0, 1, 7, 125, 255):
            equal(h.sandbox("sh", "-c", f"exit {code}").returncode, code)


@test
def death_by_a_signal_is_128_and_its_number():
    with Host() as h:
        for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV, signal.SIGPIPE):
            equal(h.sandbox("sh", "-c", f"kill -{int(sig)} $$").returncode, 128 + sig)


@test
def command_that_is_not_there_is_127_and_named():
    with Host() as h:
        p = h.sandbox("no-such-command-xyz")
        equal(p.returncode, 127)
        has(p.stderr, "no-such-command-xyz: command not found")
        equal(h.sandbox("/no/such/path").returncode, 127)


@test
def command_that_cannot_be_executed_is_126_and_says_why():
    with Host() as h:
        p = h.sandbox(h.policy)
        equal(p.returncode, 126)
        has(p.stderr, "Permission denied")
        has(p.stderr, "bailiff tail --sandbox 01FAKE0001")
        equal(h.sandbox("/tmp").returncode, 126)


@test
def script_without_its_interpreter_is_127_and_says_so():
    with Host() as h:
        script = os.path.join(h.dir, "script")
        with open(script, "w", encoding="utf-8") as f:
            f.write("#!/no/such/interpreter\n")
        os.chmod(script, 0o755)
        p = h.sandbox(script)
        equal(p.returncode, 127)
        has(p.stderr, "interpreter")


@test
def what_stops_us_before_the_start_is_125():
    with Host() as h:
        for words, said in (
            (["run", "--", "true"], "which policy"),
            (["run", "-p", h.policy], "which command"),
            (["run", "-p", "/no/such/policy", "--", "true"], "/no/such/policy: No such file"),
            (["run", "-p", "/dev/zero", "--", "true"], "/dev/zero: File too large"),
            (["run", "-p", h.policy, "--stages", "x", "--", "true"], "did you mean --stage?"),
            (["run", "-p", h.policy, "--deadline", "soon", "--", "true"], "--deadline"),
            (["run", "-p", h.policy, "--param", "novalue", "--", "true"], "NAME=VALUE"),
            (["run", "-p", h.policy, "--user", "no-such-user", "--", "true"], "no account"),
            (["run", "-p", h.policy, "--user", "54321", "--", "true"], "54321:GID"),
            (["exec", "--", "true"], "usage"),
            (["exec", "X"], "which command"),
            (["create"], "which policy"),
        ):
            p = h.do(*words)
            equal(p.returncode, 125, f"{words}: {p.stderr}")
            has(p.stderr, said)


@test
def other_commands_tell_failure_and_misuse_apart():
    with Host() as h:
        for words, code in ((["ps"], 1), (["end", "X"], 1), (["end"], 2), (["ps", "x"], 2), (["reload", "X"], 2), (["bogus"], 2),
                            ([], 2), (["help"], 0), (["version"], 0), (["ps", "--nope"], 2), (["end", "X", "Y"], 2)):
            equal(h.do(*words).returncode, code, words)


@test
def help_is_there_for_every_command():
    with Host() as h:
        names = [x.split()[0] for x in h.do("help").stdout.decode().splitlines() if x.startswith("  ")]
        check("run" in names and "doctor" in names, names)
        for name in names:
            for words in ([name, "--help"], ["help", name]):
                p = h.do(*words)
                equal(p.returncode, 0, words)
                has(p.stdout, "usage: bailiff")
                if name != "help":
                    has(p.stdout, "exit code")
        has(h.do("exce").stderr, "did you mean `bailiff exec`?")


@test
def without_root_the_error_is_clear_and_125():
    with Host() as h:
        p = h.sandbox("true", user=65534, group=65534, extra_groups=[])
        equal(p.returncode, 125)
        has(p.stderr, "root")


# ---- starting the engine ----

@test
def engine_starts_once_for_many_and_gets_nothing_of_ours():
    with Host(ready_delay=0.5) as h:
        r, w = os.pipe()
        ps = [h.start("true", pass_fds=[w], env=h.env(SECRET="x"), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
              for _ in range(4)]
        for p in ps:
            p.communicate(timeout=LIMIT)
            equal(p.returncode, 0)
        os.close(r)
        os.close(w)
        started = h.calls("(started)")
        equal(len(started), 1)
        one = started[0]
        check("SECRET" not in one["env"] and "HOME" not in one["env"], one["env"])
        equal(one["cwd"], "/")
        check(all(fd <= 3 for fd in one["fds"]), one["fds"])
        equal(one["sid"] in {p.pid for p in ps}, False)
        equal(int(one["ignored"], 16) & 1, 0, "SIGHUP must not stay ignored")
        equal(one["args"], ["--on-demand", "--ready-fd", "3", "--settings", h.settings])


@test
def engine_that_cannot_start_says_why_itself():
    with Host(ready="another engine holds /run/bailiff") as h:
        p = h.sandbox("true")
        equal(p.returncode, 125)
        has(p.stderr, "the engine did not start: another engine holds /run/bailiff")


@test
def engine_that_dies_without_a_word_is_quoted_from_its_log():
    with Host(ready="", stderr="first\nlibbpf.so.1: cannot open shared object file\n") as h:
        p = h.sandbox("true")
        equal(p.returncode, 125)
        has(p.stderr, "the engine did not start: libbpf.so.1: cannot open")


@test
def engine_that_is_missing_is_told():
    with Host() as h:
        os.unlink(os.path.join(h.dir, "bailiffd"))
        p = h.sandbox("true")
        equal(p.returncode, 125)
        has(p.stderr, "bailiffd")


@test
def engine_that_was_just_leaving_is_replaced():
    with Host(leave_at=["hello"]) as h:
        p = h.start("true")
        until(lambda: h.calls("hello"), "a hello")
        h.configure()
        out = p.communicate(timeout=LIMIT)
        equal(p.returncode, 0, out)
        equal(len(h.calls("(started)")), 2)


@test
def engine_of_another_version_is_refused():
    with Host(abi=99) as h:
        p = h.sandbox("true")
        equal(p.returncode, 125)
        has(p.stderr, "another version")


@test
def settings_with_an_error_are_named_by_line():
    with Host() as h:
        with open(h.settings, "w", encoding="utf-8") as f:
            f.write("run_dir: [\n")
        p = h.sandbox("true")
        equal(p.returncode, 125)
        has(p.stderr, "bailiff.yaml:")


# ---- what the engine is told, and what it says ----

@test
def create_request_carries_what_was_asked_for():
    with Host() as h:
        p = h.do("run", "-p", os.path.relpath(h.policy, "/"), "--stage", "observe", "--param", "a=b", "--param=c=d e", "--name", "n", "--user",
                 "0:0", "--allow-degraded", "--deadline", "1h30m", "--", "true", cwd="/")
        equal(p.returncode, 0, p.stderr)
        pairs = h.calls("create")[0]["pairs"]
        for pair in (["policy", "version: 1\npolicy: test\n"], ["policy_file", h.policy], ["stage", "observe"], ["param", "a=b"],
                     ["param", "c=d e"], ["name", "n"], ["user", "0:0"], ["allow_degraded", "1"], ["deadline_ms", "5400000"]):
            check(pair in pairs, pair, "not in", pairs)
        check(not [k for k, _ in pairs if k in ("held", "while_fd")])
        h.sandbox("true")
        equal(h.pair("create", "stage")[1], "enforce")


@test
def command_is_ready_blocked_and_known_by_its_pidfd_when_it_is_governed():
    with Host() as h:
        equal(h.sandbox("sh", "-c", "exit 3", "arg").returncode, 3)
        call = h.calls("start")[0]
        seen = call["seen"]
        equal(call["fds"], 1)
        equal(str(seen["pidfd_pid"]), h.pair("start", "pid")[0])
        equal(seen["exe"], "bailiff")
        equal(seen["stat"][0], "S")
        check(seen["stat"][3] != str(os.getsid(0)), "its own session")
        equal(seen["stat"][2], h.pair("start", "pid")[0], "its own process group")
        has(seen["core"][0], " 0  ")
        equal(h.pair("start", "arg"), ["sh", "-c", "exit 3", "arg"])
        equal(h.pair("start", "args_total"), ["4"])


@test
def command_line_of_any_length_starts():
    with Host() as h:
        p = h.sandbox("sh", "-c", 'echo $#; printf %s "$5000" | wc -c', "sh", *(["x" * 20] * 6000))
        equal(p.stdout.split()[0], b"6000")
        equal(h.pair("start", "args_total"), ["6004"])
        check(len(h.pair("start", "arg")) < 1000)


@test
def notice_is_one_line_and_warnings_come_before_it():
    with Host(diag=["/p.yaml:3:5: warning: this glob matches nothing today"]) as h:
        lines = lines_of(h.sandbox("true"))
        equal(lines[0], "/p.yaml:3:5: warning: this glob matches nothing today")
        equal(lines[1], "bailiff: files, network enforced; devices open")
        equal(len(lines), 3)


@test
def policy_errors_are_all_printed_and_nothing_runs():
    with Host(refuse={"create": [22, "the policy has 2 errors", ["/p:1:1: error: a", "/p:2:1: error: b"]]}) as h:
        p = h.sandbox("touch", os.path.join(h.dir, "ran"))
        equal(p.returncode, 125)
        equal(lines_of(p), ["/p:1:1: error: a", "/p:2:1: error: b", "bailiff: create: the policy has 2 errors"])
        check(not os.path.exists(os.path.join(h.dir, "ran")))


@test
def command_that_is_not_governed_never_runs():
    for conf in ({"refuse": {"start": [1, "no"]}}, {"hang_up_at": ["start"]}, {"leave_at": ["start"]}):
        with Host(**conf) as h:
            ran = os.path.join(h.dir, "ran")
            p = h.sandbox("touch", ran)
            equal(p.returncode, 125, p.stderr)
            has(p.stderr, "start: ")
            time.sleep(0.1)
            check(not os.path.exists(ran))
            equal(state(h.command_pid()), "gone")


@test
def messages_of_the_engine_cannot_drive_the_terminal():
    with Host(refuse={"create": [22, "bad \x1b[2Jname\nbailiff: all is well"]}) as h:
        p = h.sandbox("true")
        check(b"\x1b" not in p.stderr and len(lines_of(p)) == 1, p.stderr)


@test
def summary_is_the_last_line():
    with Host(summary={"refused": 3, "would": 1, "events": 12, "members": 2}) as h:
        equal(lines_of(h.sandbox("true"))[-1], "bailiff: sandbox 01FAKE0001: 3 refused, 1 would be refused, 12 events, 2 processes still running; "
              "bailiff tail --sandbox 01FAKE0001")


@test
def engine_that_went_away_costs_the_summary_and_not_the_exit_code():
    with Host(leave_at=["summary"]) as h:
        p = h.sandbox("sh", "-c", "exit 9")
        equal(p.returncode, 9)
        has(lines_of(p)[-1], "no summary: no engine answers")


@test
def successor_of_the_engine_gives_the_summary():
    with Host() as h:
        p = h.start("sleep", "1")
        h.command_pid()
        os.kill(h.calls("(started)")[0]["pid"], signal.SIGKILL)
        equal(h.do("create", "-p", h.policy).returncode, 0)  # starts the next one
        _, err = p.communicate(timeout=LIMIT)
        equal(p.returncode, 0)
        has(err, "3 refused")


# ---- streams ----

@test
def streams_are_faithful_to_the_byte():
    data = os.urandom(6 << 20)
    with Host() as h:
        p = h.sandbox("sh", "-c", "cat; printf 'err\\000\\377' >&2", input=data)
        equal(hashlib.sha256(p.stdout).hexdigest(), hashlib.sha256(data).hexdigest())
        has(p.stderr.decode("latin-1"), "err\x00\xff")


@test
def streams_that_are_sockets_become_pipes_and_stay_faithful():
    data = os.urandom(3 << 20)
    with Host() as h:
        ours, theirs = socket.socketpair()
        p = subprocess.Popen(h.argv("sh", "-c", "stat -Lc %F /proc/self/fd/0 /proc/self/fd/1 >&2; cat; exec >&-; cat >/dev/null; exit 4"),
                             stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=h.env())
        theirs.close()
        got, sent = b"", 0
        while True:
            can = [ours] if sent < len(data) else []
            r, w, _ = select.select([ours], can, [], LIMIT)
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
        err = p.communicate(timeout=LIMIT)[1]
        equal(p.returncode, 4)
        equal(hashlib.sha256(got).hexdigest(), hashlib.sha256(data).hexdigest())
        equal(err.decode().splitlines()[1:3], ["fifo", "fifo"])


@test
def order_of_output_and_errors_on_one_socket_is_kept():
    with Host() as h:
        ours, theirs = socket.socketpair()
        p = subprocess.Popen(h.argv("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done"), stdin=subprocess.DEVNULL,
                             stdout=theirs, stderr=theirs, env=h.env())
        theirs.close()
        got = b""
        while part := ours.recv(65536):
            got += part
        p.wait(LIMIT)
        has(got, "".join(f"o{i}\ne{i}\n" for i in range(1, 10)))


@test
def reader_that_leaves_is_felt_by_the_command():
    with Host() as h:
        p = h.start("yes")
        p.stdout.read(100)
        p.stdout.close()
        equal(p.wait(LIMIT), 128 + signal.SIGPIPE)
        p.stderr.close()


@test
def command_that_closes_its_streams_is_felt_by_their_other_ends():
    with Host() as h:
        p = h.start("sh", "-c", "exec <&- >&-; sleep 3; exit 5", stdin=subprocess.PIPE)
        equal(p.stdout.read(), b"")  # at once, not after three seconds
        check(p.poll() is None, "the command lives on")
        h.command_pid()
        with contextlib.suppress(BrokenPipeError):
            for _ in range(100):
                p.stdin.write(b"x" * 65536)
                p.stdin.flush()
            raise Failure("nobody reads, and yet writing goes on")
        equal(p.wait(LIMIT), 5)
        p.stderr.close()


@test
def only_descriptors_0_to_2_reach_the_command():
    with Host() as h:
        fds = [os.open("/etc/passwd", os.O_RDONLY) for _ in range(5)]
        p = h.sandbox(PY, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))", pass_fds=fds)
        equal(eval(p.stdout)[:3], ["0", "1", "2"])
        equal(len(eval(p.stdout)), 4, "and the directory that lists them")
        for fd in fds:
            os.close(fd)


@test
def closed_streams_do_not_let_a_file_of_ours_slip_in():
    with Host() as h:
        p = subprocess.run(["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *h.argv("sh", "-c", "readlink /proc/self/fd/0 /proc/self/fd/2")],
                           stdout=subprocess.PIPE, env=h.env(), timeout=LIMIT, check=False)
        equal(p.stdout.decode().split(), ["/dev/null", "/dev/null"])


@test
def command_has_no_controlling_terminal_of_ours():
    with Host() as h:
        with Terminal(h.argv("sh", "-c", "(: </dev/tty) 2>/dev/null && echo reached || echo out of reach"), h.env(), fds=(), stdin=os.open("/dev/null", os.O_RDWR),
                      stdout=os.open(os.path.join(h.dir, "out"), os.O_RDWR | os.O_CREAT)) as t:
            equal(t.wait(), 0)
            with open(os.path.join(h.dir, "out"), encoding="utf-8") as f:
                has(f.read(), "out of reach")


# ---- what the command is ----

STATUS = "import re; print({k: v for k, v in re.findall(r'(\\w+):\\t(.*)', open('/proc/self/status').read())})"


@test
def signal_dispositions_and_mask_are_those_of_the_starter():
    def before():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])

    code = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    with Host() as h:
        bare = subprocess.run(code, preexec_fn=before, stdout=subprocess.PIPE, check=True).stdout
        equal(h.sandbox(*code, preexec_fn=before).stdout, bare)
        equal(h.sandbox("sh", "-c", "exit 9", preexec_fn=before).returncode, 9)
        equal(h.sandbox(*code).stdout, subprocess.run(code, stdout=subprocess.PIPE, check=True).stdout)


def refusing(nr, errno):
    """ld nr; jeq nr: errno; else allow."""
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, nr), (0x06, 0, 0, 0x00050000 | errno), (0x06, 0, 0, 0x7FFF0000)]
    return base64.b64encode(b"".join(struct.pack("<HBBI", *r) for r in rows)).decode()


SETHOSTNAME = 170
TRY = "import ctypes, os; l = ctypes.CDLL(None, use_errno=True); print(l.syscall(170, None, -1), os.strerror(ctypes.get_errno()))"


@test
def seccomp_program_is_in_force_without_taking_set_id_away():
    with Host(seccomp=refusing(SETHOSTNAME, 95)) as h:
        status = eval(h.sandbox(PY, "-c", STATUS).stdout)
        equal((status["Seccomp"], status["NoNewPrivs"]), ("2", "0"))
        has(h.sandbox(PY, "-c", TRY).stdout, "Operation not supported")
        seen = h.calls("start")[0]["seen"]["status"]
        equal(seen["Seccomp"], "2", "loaded before it is governed")
    with Host() as h:
        has(h.sandbox(PY, "-c", TRY).stdout, "Invalid argument")
        equal(eval(h.sandbox(PY, "-c", STATUS).stdout)["Seccomp"], "0")


@test
def seccomp_program_is_loaded_by_exec_and_for_users_too():
    with Host(seccomp=refusing(SETHOSTNAME, 95)) as h:
        h.do("create", "-p", h.policy)
        has(h.do("exec", "01FAKE0001", "--", PY, "-c", TRY).stdout, "Operation not supported")
        has(h.sandbox(PY, "-c", TRY, options=["--user", "nobody"]).stdout, "Operation not supported")
        status = eval(h.sandbox(PY, "-c", STATUS, options=["--user", "nobody"]).stdout)
        equal((status["Seccomp"], status["NoNewPrivs"]), ("2", "0"))


@test
def core_files_are_off():
    with Host() as h:
        equal(h.sandbox("sh", "-c", "ulimit -Hc; ulimit -Sc").stdout.split(), [b"0", b"0"])


@test
def user_is_taken_on_whole_and_for_good():
    with Host() as h:
        status = eval(h.sandbox(PY, "-c", STATUS, options=["--user", "daemon"]).stdout)
        equal(status["Uid"].split(), ["1"] * 4)
        equal(status["Gid"].split(), ["1"] * 4)
        equal(status["CapEff"], "0" * 16)
        equal(status["CapPrm"], "0" * 16)
        status = eval(h.sandbox(PY, "-c", STATUS, options=["--user", "54321:54322"]).stdout)
        equal((status["Uid"].split()[0], status["Gid"].split()[0], status["Groups"].split()), ("54321", "54322", ["54322"]))
        p = h.sandbox("sh", "-c", "echo $HOME $USER $LOGNAME", options=["--user", "nobody"])
        equal(p.stdout.split()[1:], [b"nobody", b"nobody"])
        equal(h.pair("create", "user")[-1], "nobody")
        equal(h.calls("start")[-1]["seen"]["status"]["Uid"].split()[0], "65534", "taken on before it is governed")


@test
def environment_and_directory_are_kept():
    with Host() as h:
        p = h.sandbox("sh", "-c", 'pwd; echo "$WORD"', cwd="/usr/bin", env=h.env(WORD="a b\tc"))
        equal(p.stdout, b"/usr/bin\na b\tc\n")


# ---- signals ----

TRAPS = ("for s in HUP INT QUIT TERM USR1 USR2 ALRM WINCH; do trap \"echo got $s\" $s; done; echo ready; "
         "while :; do read -t 1 x || :; done")


@test
def signals_are_passed_on():
    with Host() as h:
        p = h.start("bash", "-c", TRAPS, stdin=subprocess.PIPE)
        equal(p.stdout.readline(), b"ready\n")
        for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "WINCH"):
            p.send_signal(getattr(signal, "SIG" + name))
            equal(p.stdout.readline().decode(), f"got {name}\n")
        os.kill(h.command_pid(), signal.SIGKILL)
        equal(p.wait(LIMIT), 137)
        for f in (p.stdin, p.stdout, p.stderr):
            f.close()


@test
def signal_that_kills_the_command_is_the_exit_code():
    with Host() as h:
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGRTMIN + 3):
            p = h.start("sleep", "60")
            n = len(h.calls("start"))
            until(lambda: len(h.calls("start")) >= n and state(h.command_pid()) == "S", "asleep")
            until(lambda: os.path.basename(os.readlink(f"/proc/{h.command_pid()}/exe")) != "bailiff", "executed")
            p.send_signal(sig)
            p.communicate(timeout=LIMIT)
            equal(p.returncode, 128 + sig)


@test
def stop_and_go_on_are_passed_on_and_mirrored():
    with Host() as h:
        p = h.start("sleep", "60", start_new_session=False)
        pid = h.command_pid()
        until(lambda: os.path.basename(os.readlink(f"/proc/{pid}/exe")) != "bailiff" and state(pid) == "S", "executed and asleep")
        p.send_signal(signal.SIGTSTP)
        until(lambda: state(pid) == "T", "stopped")
        p.send_signal(signal.SIGCONT)
        until(lambda: state(pid) == "S", "going on")
        p.terminate()
        p.communicate(timeout=LIMIT)
        equal(p.returncode, 143)


@test
def keeper_is_felled_by_nothing_but_a_kill():
    with Host() as h:
        p = h.start("sleep", "60")
        pid = h.command_pid()
        keeper = h.calls("start")[0]["seen"]["stat"][1]
        for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(int(keeper), sig)
        time.sleep(0.2)
        until(lambda: state(pid) == "S", "it lives")
        equal(p.poll(), None)
        os.kill(int(keeper), signal.SIGKILL)  # only this
        equal(p.wait(LIMIT), 125)
        equal(state(pid), "S")
        os.kill(pid, signal.SIGKILL)
        has(p.communicate(timeout=LIMIT)[1], "may still run")


@test
def killed_before_its_start_the_command_is_not_started():
    with Host(refuse={}) as h:
        p = h.start("sh", "-c", "exit 0")
        p.kill()
        p.communicate(timeout=LIMIT)
        time.sleep(0.2)
        for call in h.calls("start"):
            until(lambda c=call: state(c["seen"]["pidfd_pid"]) == "gone", "no process of ours stays")


# ---- terminals ----

@test
def terminal_of_the_command_is_its_own_and_looks_the_same():
    with Host() as h:
        with Terminal(h.argv(PY, "-c", "import os,sys; print('T', os.ttyname(0) == os.ttyname(1) == os.ttyname(2), os.ttyname(0), os.get_terminal_size(),"
                             "os.tcgetpgrp(0) == os.getpid(), os.stat(os.ttyname(0)).st_uid)"), h.env(), rows=41, cols=101) as t:
            t.expect("T True ")
            rest = t.expect("\n").decode()
            check(not rest.startswith(t.name + " "), "the same terminal", rest)
            has(rest, "columns=101, lines=41")
            has(rest, "True 0")
            equal(t.wait(), 0)


@test
def terminal_modes_are_restored():
    with Host() as h:
        with Terminal(h.argv("sh", "-c", "stty raw -echo; echo up; sleep 60"), h.env()) as t:
            t.expect("up")
            check(not t.modes()[3] & termios.ECHO, "ours is raw meanwhile")
            os.kill(h.command_pid(), signal.SIGKILL)
            equal(t.wait(), 137)
            equal(t.modes(), t.before)


@test
def terminal_modes_are_restored_when_a_signal_ends_it():
    with Host() as h:
        with Terminal(h.argv("sleep", "60"), h.env()) as t:
            h.command_pid()
            until(lambda: not t.modes()[3] & termios.ICANON, "raw")
            os.kill(t.pid, signal.SIGTERM)
            equal(t.wait(), 143)
            equal(t.modes(), t.before)


@test
def keys_reach_the_command_and_its_output_the_screen():
    with Host() as h:
        with Terminal(h.argv("sh", "-c", "echo up; read x; echo \"got $x\"; exit 6"), h.env()) as t:
            t.expect("up\r\n")
            t.type("h\u00e9llo\r")
            t.expect("h\u00e9llo\r\n")  # its terminal echoes
            t.expect("got h\u00e9llo\r\n")
            equal(t.wait(), 6)


@test
def interrupt_key_ends_the_whole_job():
    with Host() as h:
        with Terminal(h.argv("sh", "-c", "echo up; sleep 61; echo not reached"), h.env()) as t:
            t.expect("up")
            time.sleep(0.3)  # a shell that is just forking may lose the signal
            t.type("\x03")
            equal(t.wait(), 130)
            check(b"not reached" not in t.seen)


@test
def end_of_input_key_ends_the_input():
    with Host() as h:
        with Terminal(h.argv("cat"), h.env()) as t:
            until(lambda: not t.modes()[3] & termios.ICANON, "raw")
            t.type("abc\r")
            t.expect("abc\r\nabc\r\n")
            t.type("\x04")
            equal(t.wait(), 0)


@test
def change_of_size_reaches_the_command():
    with Host() as h:
        with Terminal(h.argv("bash", "-c", "trap 'echo size $(stty size)' WINCH; echo up; while :; do read -t 0.2 x || :; done"), h.env()) as t:
            t.expect("up")
            t.resize(33, 77)
            t.expect("size 33 77")
            t.type("\x03")
            equal(t.wait(), 130)


@test
def stop_key_gives_the_shell_its_terminal_back_and_fg_goes_on():
    with Host() as h:
        cmd = " ".join(f"'{w}'" for w in h.argv("sh", "-c", "echo up; read x; echo \"got $x\""))
        with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], h.env(PS1="PROMPT$ ", HISTFILE="")) as t:
            t.expect("PROMPT$ ")
            cooked = t.modes()[3] & termios.ICANON
            t.type(cmd + "\r")
            t.expect("up\r\n")
            t.type("\x1a")
            t.expect("Stopped")
            t.expect("PROMPT$ ")
            equal(t.modes()[3] & termios.ICANON, cooked)
            t.type("echo in the $((1+1))nd shell\r")
            t.expect("in the 2nd shell\r\n")
            t.type("fg\r")
            time.sleep(0.3)
            t.type("word\r")
            t.expect("got word\r\n")
            t.expect("PROMPT$ ")
            t.type("echo code $?; exit\r")
            t.expect("code 0")
            t.wait()


@test
def background_job_leaves_the_keys_to_the_shell():
    with Host() as h:
        cmd = " ".join(f"'{w}'" for w in h.argv("sh", "-c", "sleep 0.5; echo from behind"))
        with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], h.env(PS1="PROMPT$ ", HISTFILE="")) as t:
            t.expect("PROMPT$ ")
            t.type(cmd + " &\r")
            t.expect("PROMPT$ ")
            t.type("echo shell $((2+3)) reads\r")
            t.expect("shell 5 reads\r\n")
            t.expect("from behind")
            t.type("wait; exit\r")
            t.wait()


@test
def what_is_typed_does_not_reach_a_command_whose_input_is_no_terminal():
    with Host() as h:
        with Terminal(h.argv("sh", "-c", "echo up; cat; read x </dev/tty & sleep 0.5; kill $!; echo done"), h.env(), fds=(1, 2), stdin=os.open("/dev/null", os.O_RDWR)) as t:
            t.expect("up\r\n")
            check(t.modes()[3] & termios.ICANON, "our terminal is not touched")
            t.type("secret\n")
            t.expect("done\r\n")
            equal(t.wait(), 0)
            n = array.array("i", [0])
            fcntl.ioctl(t.slave, termios.FIONREAD, n)
            equal(n[0], 7, "the word is still there for others")


@test
def output_to_a_terminal_is_processed_once():
    with Host() as h:
        with Terminal(h.argv("printf", "a\\nb\\n"), h.env(), fds=(1, 2), stdin=os.open("/dev/null", os.O_RDWR)) as t:
            t.expect("a\r\nb\r\n")
            equal(t.wait(), 0)


@test
def output_to_a_pipe_stays_a_pipe_while_input_is_a_terminal():
    with Host() as h:
        r, w = os.pipe()
        with Terminal(h.argv("sh", "-c", "test -t 0 && ! test -t 1 && test -t 2 && printf 'a\\nb' && read x && printf \"$x\""), h.env(), fds=(0, 2), stdout=w) as t:
            os.close(w)
            until(lambda: not t.modes()[3] & termios.ICANON, "raw")
            check(t.modes()[1] & termios.OPOST, "others in the pipeline write to our terminal")
            t.type("z\r")
            equal(t.wait(), 0)
            equal(os.read(r, 100), b"a\nbz")
            os.close(r)


@test
def last_output_before_the_end_is_not_lost():
    with Host() as h:
        for _ in range(5):
            with Terminal(h.argv("sh", "-c", "seq 20000; printf END"), h.env()) as t:
                t.expect("20000\r\nEND")
                equal(t.wait(), 0)


@test
def process_left_behind_does_not_hold_us_up():
    with Host() as h:
        began = time.time()
        with Terminal(h.argv("sh", "-c", "(trap '' HUP; sleep 30) & echo bye"), h.env()) as t:
            t.expect("bye")
            equal(t.wait(), 0)
        check(time.time() - began < 10)


@test
def hangup_of_the_terminal_reaches_the_command():
    with Host() as h:
        t = Terminal(h.argv("sleep", "60"), h.env())
        pid = h.command_pid()
        os.close(t.slave)
        os.close(t.master)
        until(lambda: state(pid) == "gone", "hung up")
        os.waitpid(t.pid, 0)


@test
def flood_of_output_can_be_stopped_by_a_key():
    with Host() as h:
        with Terminal(h.argv("yes"), h.env()) as t:
            t.expect("y\r\ny\r\n")
            t.type("\x03")
            equal(t.wait(), 130)


# ---- create, exec, ps, end, reload, doctor ----

@test
def create_prints_the_id_alone_and_hands_the_descriptor_on():
    with Host() as h:
        r, w = os.pipe()
        p = h.do("create", "-p", h.policy, "--while-fd", str(r), pass_fds=[r])
        equal((p.returncode, p.stdout), (0, b"01FAKE0001\n"))
        call = h.calls("create")[0]
        equal(call["fds"], 1)
        check(["held", "1"] in call["pairs"] and ["while_fd", "1"] in call["pairs"])
        os.close(r)
        os.close(w)
        equal(h.do("create", "-p", h.policy, "--while-fd", "77").returncode, 125)


@test
def exec_carries_its_identity_and_has_no_last_line():
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with Host() as h:
        h.do("create", "-p", h.policy)
        p = h.do("exec", "01FAKE0001", "--call", "call_7", "--trace", trace, "--user", "nobody", "--", "sh", "-c", "id -un; exit 3")
        equal((p.returncode, p.stdout, p.stderr), (3, b"nobody\n", b""))
        pairs = h.calls("start")[0]["pairs"]
        for pair in (["id", "01FAKE0001"], ["call", "call_7"], ["trace", trace], ["user", "nobody"], ["arg", "sh"]):
            check(pair in pairs, pair, pairs)
        for bad in ("x", trace[:-1], trace.upper(), "00-" + "0" * 32 + trace[35:], "ff" + trace[2:]):
            equal(h.do("exec", "01FAKE0001", "--trace", bad, "--", "true").returncode, 125, bad)


@test
def exec_in_a_sandbox_that_is_not_there_is_125():
    with Host(refuse={"filter": [2, "there is no sandbox X"]}) as h:
        h.do("create", "-p", h.policy)
        p = h.do("exec", "X", "--", "true")
        equal(p.returncode, 125)
        has(p.stderr, "there is no sandbox X")


ROW = {"id": "01A", "name": "n\x1b[31m\nx", "stage": "enforce", "policy": "p", "digest": "sha256:1", "state": "live", "members": 3,
       "commands": 1, "refused": 12345678901, "would": 0, "started_ms": 1700000000000, "held": 1}


@test
def list_is_aligned_escaped_and_json():
    with Host(sandboxes=[ROW, {**ROW, "id": "01B", "name": "", "held": 0}]) as h:
        h.do("create", "-p", h.policy)
        lines = h.do("ps").stdout.decode().splitlines()
        equal(len(lines), 3)
        check("\x1b" not in "".join(lines))
        equal(lines[0].split()[:4], ["ID", "NAME", "STAGE", "POLICY"])
        equal(lines[0].index("STAGE"), lines[1].index("enforce"))
        has(lines[1], "12345678901")
        data = json.loads(h.do("ps", "--json").stdout)
        equal([d["id"] for d in data], ["01A", "01B"])
        equal(data[0]["name"], ROW["name"])
        equal((data[0]["held"], data[1]["held"], data[0]["members"], data[0]["digest"]), (True, False, 3, "sha256:1"))
        equal(json.loads(Host.do(h, "ps", "--json").stdout)[0]["started_ms"], 1700000000000)


@test
def empty_list_is_a_heading_and_an_empty_array():
    with Host() as h:
        h.do("create", "-p", h.policy)
        equal(len(h.do("ps").stdout.splitlines()), 1)
        equal(json.loads(h.do("ps", "--json").stdout), [])


@test
def end_and_reload_say_what_was_done():
    with Host() as h:
        h.do("create", "-p", h.policy)
        p = h.do("end", "01FAKE0001", "--reason", "done with it")
        equal((p.returncode, p.stdout), (0, b"01FAKE0001 ended, 4 processes killed\n"))
        equal(h.pair("end", "reason"), ["done with it"])
        p = h.do("reload", "01FAKE0001", "-p", h.policy, "--param", "a=b")
        equal((p.returncode, p.stdout), (0, b"sha256:abc generation 2\n"))
        equal(h.pair("reload", "param"), ["a=b"])
    with Host(refuse={"reload": [22, "the policy has 1 error", ["/p:1:1: error: a"]]}) as h:
        h.do("create", "-p", h.policy)
        p = h.do("reload", "X", "-p", h.policy)
        equal(p.returncode, 1)
        has(p.stderr, "/p:1:1: error: a")


@test
def doctor_asks_the_engine_or_tries_it_out():
    rows = [{"name": "files", "state": "full", "how": "LSM", "change": ""}, {"name": "calls", "state": "missing", "how": "no bpf", "change": "lsm=...,bpf"}]
    with Host(rows=rows) as h:
        p = h.do("doctor", "--json")
        equal((p.returncode, p.stdout), (1, b"fake doctor --json\n"))
        h.do("create", "-p", h.policy)
        p = h.do("doctor")
        equal(p.returncode, 1)
        has(p.stdout, "6.1.0-fake")
        has(p.stdout, "lsm=...,bpf")
        data = json.loads(h.do("doctor", "--json").stdout)
        equal(data["coverage"], [{k: v for k, v in r.items() if v} for r in rows])
        h.configure(rows=rows, complete=1)
        equal(h.do("doctor").returncode, 0)


@test
def version_names_the_engine_that_runs():
    with Host() as h:
        own = h.do("version").stdout.decode()
        equal(len(own.splitlines()), 1)
        h.do("create", "-p", h.policy)
        has(h.do("version").stdout, f"engine fake {own[own.index('abi'):].strip()} pid ")


# ---- tail ----

def event(n, sandbox="01A", name="agent", message="refused: open /etc/shadow by cat"):
    return {"metadata": {"uid": f"e{n}", "event_code": "decision"}, "class_uid": 1001, "time": 1700000000000 + n, "severity_id": 4, "action_id": 2,
            "message": f"{message} {n}", "unmapped": {"sandbox": {"id": sandbox, "name": name, "verdict": "refused",
                                                                   "rule": {"id": "files.default", "file": "/p.yaml", "line": 3}}}}


class Journal:
    def __init__(self, host):
        self.dir = os.path.join(host.dir, "journal")
        os.mkdir(self.dir)
        self.next = 1

    def segment(self, events):
        with open(os.path.join(self.dir, f"{self.next:020d}.jsonl"), "w", encoding="utf-8") as f:
            f.write('{"type":"bailiff.segment"}\n')
            for e in events:
                f.write((e if isinstance(e, str) else json.dumps(e)) + "\n")
        self.next += 1 + len(events)
        self.file = f.name


@test
def tail_shows_the_last_events_whatever_segment_they_are_in():
    with Host() as h:
        j = Journal(h)
        for k in range(8):
            j.segment([event(10 * k + i) for i in range(10)])
        for args, first, count in (([], 60, 20), (["-n", "3"], 77, 3), (["-n", "75"], 5, 75), (["-n", "1000"], 0, 80), (["-n0"], None, 0)):
            p = h.do("tail", "--dir", j.dir, "--json", *args)
            equal(p.returncode, 0, p.stderr)
            got = [json.loads(x) for x in p.stdout.splitlines()]
            equal(len(got), count, args)
            if count:
                equal(got[0], event(first), args)


@test
def tail_is_readable_and_coloured_only_where_it_should_be():
    with Host() as h:
        j = Journal(h)
        j.segment([event(1), event(2, message="refused: open /x\x1b[2J")])
        plain = h.do("tail", "--dir", j.dir).stdout
        has(plain, "files.default /p.yaml:3")
        check(b"\x1b" not in plain, plain)
        has(h.do("tail", "--dir", j.dir, "--color=always").stdout, "\x1b[")
        with Terminal([h.bin, "tail", "--dir", j.dir], h.env()) as t:
            t.expect("\x1b[")
            equal(t.wait(), 0)
        equal(h.do("tail", "--dir", j.dir, "--color=often").returncode, 2)


@test
def tail_of_one_sandbox_begins_with_its_first_event():
    with Host() as h:
        j = Journal(h)
        j.segment([event(i, *(("01B", "other") if i % 3 == 0 else ("01A", "agent"))) for i in range(90)])
        for who, count in (("01B", 30), ("other", 30), ("01A", 60), ("01", 0)):
            equal(len(h.do("tail", "--dir", j.dir, "--sandbox", who, "--json").stdout.splitlines()), count, who)
        equal(len(h.do("tail", "--dir", j.dir, "--sandbox", "01B", "-n", "4").stdout.splitlines()), 4)


@test
def tail_follows_what_is_written():
    with Host() as h:
        j = Journal(h)
        j.segment([event(1)])
        p = subprocess.Popen([h.bin, "tail", "-f", "--json", "--dir", j.dir], stdout=subprocess.PIPE, env=h.env())
        has(p.stdout.readline(), '"e1"')
        with open(j.file, "a", encoding="utf-8") as f:
            f.write(json.dumps(event(2)) + "\n")
        j.next += 1
        has(p.stdout.readline(), '"e2"')
        j.segment([event(3)])
        has(p.stdout.readline(), '"e3"')
        p.terminate()
        p.wait(LIMIT)
        p.stdout.close()


@test
def tail_says_when_lines_are_damaged_or_there_is_no_journal():
    with Host() as h:
        j = Journal(h)
        j.segment([event(1), "{not json", event(2)])
        p = h.do("tail", "--dir", j.dir, "--json")
        equal((p.returncode, len(p.stdout.splitlines())), (1, 2))
        has(p.stderr, "journal verify")
        p = h.do("tail", "--dir", "/no/such/journal")
        equal(p.returncode, 1)
        has(p.stderr, "no journal")


def main():
    only = sys.argv[1:]
    if os.geteuid():
        print("skip cli: needs root, as bailiff does")
        return 0
    failed = 0
    for fn in TESTS:
        name = "cli_" + fn.__name__
        if only and not any(o in name for o in only):
            continue
        try:
            fn()
            print("ok", name, flush=True)
        except Exception as e:  # whatever it was, the test failed
            failed += 1
            where = traceback.extract_tb(e.__traceback__)
            line = next((f.lineno for f in where if f.name == fn.__name__), 0)
            print(f"not ok {name}: cli_test.py:{line}: {type(e).__name__}: {e}".replace("\n", "\\n"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
