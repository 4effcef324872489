#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real engine with the real client on the kernel at hand. Where that kernel refuses LSM programs everything but refusals can be
shown all the same: --allow-degraded records exec and exit."""
import array
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(HERE, "../../build")))
BAILIFF, BAILIFFD = os.path.join(BUILD, "bailiff"), os.path.join(BUILD, "bailiffd")
LIMIT = 60
MAGIC = 0x31564B42
POLICY = """version: 1
policy: demo
owner: tests
uses: [base]
open: [devices, privileges, limits, session, labels]
record: [exec, exit]
"""
TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def check(cond, *what):
    if not cond:
        raise Failure(" ".join(str(w) for w in what))


def equal(a, b, what=""):
    check(a == b, what, f"{a!r} is not {b!r}")


def has(text, part):
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    check(part in text, f"{part!r} is not in {text!r}")


def wait_for(what, cond, seconds=20):
    until = time.time() + seconds
    while time.time() < until:
        got = cond()
        if got:
            return got
        time.sleep(0.02)
    raise Failure(f"waited {seconds} s for: {what}")


# ---- the control protocol ----
def encode(pairs):
    out = struct.pack("<II", MAGIC, len(pairs))
    for key, value in pairs:
        key, value = key.encode(), value if isinstance(value, bytes) else str(value).encode()
        out += struct.pack("<HI", len(key), len(value)) + key + value
    return struct.pack("<I", len(out)) + out


def decode(data):
    magic, count = struct.unpack_from("<II", data)
    check(magic == MAGIC, "bad magic")
    at, pairs = 8, {}
    for _ in range(count):
        kn, vn = struct.unpack_from("<HI", data, at)
        at += 6
        pairs.setdefault(data[at:at + kn].decode(), []).append(data[at + kn:at + kn + vn])
        at += kn + vn
    return pairs


def receive(sock):
    def full(n):
        data = b""
        while len(data) < n:
            part = sock.recv(n - len(data))
            if not part:
                return None
            data += part
        return data
    head = full(4)
    return decode(full(struct.unpack("<I", head)[0])) if head else None


class Host:
    """Directories of its own, so that tests neither see nor touch an engine of this host."""

    def __init__(self, **settings):
        self.dir = tempfile.mkdtemp(prefix="bailiff-engine.")
        self.name = "bailiff-e2e-%d-%d" % (os.getpid(), random.randrange(1 << 30))
        self.run, self.journal, self.keys = (os.path.join(self.dir, d) for d in ("run", "journal", "keys"))
        self.control = os.path.join(self.run, "control")
        self.pins = "/sys/fs/bpf/" + self.name
        self.settings = self.write("bailiff.yaml", "".join(f"{k}: {v}\n" for k, v in {
            "run_dir": self.run, "journal_dir": self.journal, "key_dir": self.keys, "pin_dir": self.pins,
            "cgroup_parent": self.name, "linger_seconds": 2, "host": "testhost", **settings}.items()))
        self.policy = self.write("policy.yaml", POLICY)
        self.engines = []

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pid = self.engine_pid()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            wait_for("the engine to leave", lambda: not os.path.exists(f"/proc/{pid}") or state(pid) == "Z")
        for p in self.engines:
            p.wait(LIMIT)
        for base, _, _ in os.walk(self.cgroup(), topdown=False):
            with contextlib.suppress(OSError):
                with open(base + "/cgroup.kill", "w", encoding="ascii") as f:
                    f.write("1")
                time.sleep(0.05)
                os.rmdir(base)
        shutil.rmtree(self.pins, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def cgroup(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            mount = next(line.split()[4] for line in f if " - cgroup2 " in line)
        return os.path.join(mount, self.name)

    def env(self):
        return {**os.environ, "BAILIFF_SETTINGS": self.settings, "LC_ALL": "C.UTF-8"}

    def do(self, *words, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([BAILIFF, *words], capture_output=True, timeout=LIMIT, check=False, env=self.env(), **kw)

    def sandbox(self, *words, options=()):
        return self.do("run", "-p", self.policy, "--allow-degraded", *options, "--", *words)

    def start(self, *words, options=()):
        return subprocess.Popen([BAILIFF, "run", "-p", self.policy, "--allow-degraded", *options, "--", *words], env=self.env(),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def engine(self, *options, wait=True, **kw):
        """bailiffd in the foreground; with wait, until it answers."""
        p = subprocess.Popen([BAILIFFD, "--settings", self.settings, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, **kw)
        self.engines.append(p)
        if wait:
            wait_for("the engine", lambda: p.poll() is not None or self.engine_pid())
            check(p.poll() is None, "the engine left:", p.stdout.read() if p.poll() is not None else "")
        return p

    def dial(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(LIMIT)
        s.connect(self.control)
        return s

    def ask(self, op, **pairs):
        with contextlib.closing(self.dial()) as s:
            s.sendall(encode([("op", op), *pairs.items()]))
            return receive(s)

    def engine_pid(self):
        try:
            return int(self.ask("hello")["pid"][0])
        except (OSError, TypeError):
            return None

    def events(self):
        out = []
        for name in sorted(os.listdir(self.journal)):
            if name.endswith(".jsonl"):
                with open(os.path.join(self.journal, name), "rb") as f:
                    out += [json.loads(line) for line in f.read().split(b"\n")[:-1]]
        return out

    def kind(self, code, text=""):
        return [e for e in self.events() if e.get("metadata", {}).get("event_code") == code and text in json.dumps(e)]

    def verify(self):
        p = self.do("journal", "verify")
        equal(p.returncode, 0, p.stdout.decode() + p.stderr.decode())


def state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


# ---- claims ----
@test
def run_is_on_the_record_from_the_first_exec_to_the_end_of_the_session():
    with Host() as h:
        p = h.sandbox("sh", "-c", "/bin/true; exit 7", options=("--name", "my agent"))
        equal(p.returncode, 7, p.stderr)
        wait_for("the end of the session", lambda: h.kind("session.end"))
        equal(len(h.kind("session.start", "my agent")), 1)
        equal(len(h.kind("policy.load", h.policy)), 1)
        has(json.dumps(h.kind("command.start")), "sh -c /bin/true; exit 7")
        equal([e["exit_code"] for e in h.kind("exit", '"sh"') + h.kind("exit", '"dash"')][:1], [7])
        check(h.kind("exec", "/bin/true") or h.kind("exec", "/usr/bin/true"), "exec of true is not recorded")
        equal(h.kind("gap"), [])
        h.verify()


@test
def run_says_in_one_line_what_is_enforced():
    with Host() as h:
        p = h.sandbox("true")
        enforcing = int(h.ask("hello")["enforcing"][0])
        has(p.stderr, "enforce: files network sockets guard in the kernel" if enforcing else "NOT ENFORCED")
        line = "enforce:" if enforcing else "NOT ENFORCED"
        wait_for("the sandbox's coverage record", lambda: line in json.dumps(h.kind("coverage")))


@test
def nothing_starts_degraded_that_did_not_accept_it():
    with Host() as h:
        if subprocess.run([BAILIFFD, "--doctor"], capture_output=True, check=False).returncode == 0:
            raise Skip("this kernel enforces in full")
        p = h.do("run", "-p", h.policy, "--", "true")
        equal(p.returncode, 125)
        has(p.stderr, "--allow-degraded")
        equal(h.kind("session.start"), [])


@test
def an_engine_on_demand_leaves_when_idle_and_leaves_nothing_behind():
    with Host(linger_seconds=1) as h:
        equal(h.sandbox("true").returncode, 0)
        pid = h.engine_pid()
        check(pid, "no engine runs")
        wait_for("the engine to leave", lambda: not os.path.exists(f"/proc/{pid}"))
        check(not os.path.exists(h.control), "the control socket is still there")
        equal(os.listdir(h.run + "/sandboxes"), [])
        links = h.pins + "/links"
        equal(os.listdir(links) if os.path.isdir(links) else [], [])
        equal([n for n in os.listdir(h.cgroup()) if len(n) == 26], [])
        equal(len(h.kind("engine.stop")), 1)
        h.verify()


@test
def any_number_of_runs_share_one_engine():
    with Host() as h:
        runs = [h.start("sh", "-c", f"sleep 0.3; exit {i}") for i in range(12)]
        equal([p.wait(LIMIT) for p in runs], list(range(12)))
        for p in runs:
            p.stdout.close()
            p.stderr.close()
        equal(len(h.kind("engine.start")), 1)
        wait_for("all to end", lambda: len(h.kind("session.end")) == 12)
        equal(h.kind("gap"), [])


@test
def a_second_engine_leaves_quietly_with_its_own_code():
    with Host() as h:
        h.engine()
        r, w = os.pipe()
        second = h.engine("--ready-fd", str(w), wait=False, pass_fds=(w,))
        os.close(w)
        equal(second.wait(LIMIT), 3)
        with os.fdopen(r) as f:
            has(f.read(), "another engine runs")
        check(h.engine_pid(), "the first engine is gone")


@test
def wrong_settings_are_told_to_who_waits_with_file_line_and_column():
    with Host() as h:
        bad = h.write("bad.yaml", "run_dir: /tmp/x\nlinger: 3\n")
        r, w = os.pipe()
        p = subprocess.run([BAILIFFD, "--settings", bad, "--ready-fd", str(w)], pass_fds=(w,), capture_output=True, timeout=LIMIT, check=False)
        os.close(w)
        equal(p.returncode, 2)
        with os.fdopen(r) as f:
            has(f.read(), bad + ':2:1: there is no setting "linger"')


@test
def only_root_runs_an_engine():
    with Host() as h:
        os.chmod(h.dir, 0o755)
        shutil.copy(BAILIFFD, h.dir)
        p = subprocess.run([h.dir + "/bailiffd", "--settings", h.settings], capture_output=True, timeout=LIMIT, check=False, user=65534, group=65534)
        equal(p.returncode, 1)
        has(p.stderr, "must run as root")


@test
def a_service_manager_is_told_when_the_engine_is_ready_and_when_it_stops():
    with Host() as h, contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as s:
        path = h.dir + "/notify"
        s.bind(path)
        s.settimeout(LIMIT)
        p = h.engine(wait=False, env={**os.environ, "NOTIFY_SOCKET": path})
        equal(s.recv(100), b"READY=1")
        check(h.engine_pid(), "ready and does not answer")
        p.terminate()
        equal(s.recv(100), b"STOPPING=1")
        equal(p.wait(LIMIT), 0)


@test
def doctor_prints_one_row_per_capability_and_says_by_its_code_whether_all_holds():
    p = subprocess.run([BAILIFFD, "--doctor", "--json"], capture_output=True, timeout=LIMIT, check=False)
    report = json.loads(p.stdout)
    states = {r["name"]: r["state"] for r in report["coverage"]}
    check(set(states.values()) <= {"full", "degraded", "missing"}, states)
    equal(p.returncode, 0 if states["enforcement"] == "full" else 1)
    check(report["kernel"], "no kernel release")


@test
def killed_engine_the_command_goes_on_and_the_next_engine_ends_the_session_properly():
    with Host() as h:
        go = os.path.join(h.dir, "go")
        os.mkfifo(go)
        with open(h.policy, "a", encoding="utf-8") as f:
            f.write(f"files: {{read: [{h.dir}]}}\n")
        run = h.start("sh", "-c", f"echo up; read x < {go}; exit 5")
        equal(run.stdout.readline(), b"up\n")
        os.kill(h.engine_pid(), signal.SIGKILL)
        check(run.poll() is None, "run died with the engine")
        wait_for("the engine to be dead", lambda: not h.engine_pid())
        h.engine()
        with open(go, "w", encoding="ascii") as f:
            f.write("\n")
        equal(run.wait(LIMIT), 5)
        run.stdout.close()
        run.stderr.close()
        wait_for("the end of the sessions", lambda: h.kind("session.end", "its last process left"))
        check(h.kind("engine.absent"), "the time without an engine is not on the record")
        h.verify()


@test
def killed_run_its_sandbox_lives_until_its_last_process_ends():
    with Host() as h:
        run = h.start("sh", "-c", "echo up; sleep 600")
        equal(run.stdout.readline(), b"up\n")
        ident = json.loads(h.do("ps", "--json").stdout)
        run.kill()
        run.wait()
        run.stdout.close()
        run.stderr.close()
        ident = (ident if isinstance(ident, list) else ident["sandboxes"])[0]["id"]
        p = h.do("end", ident)
        equal(p.returncode, 0, p.stderr)
        check(not os.path.exists(h.cgroup() + "/" + ident), "its cgroup is still there")
        wait_for("the end on the record", lambda: h.kind("session.end"))


@test
def every_exec_of_a_burst_is_recorded_once_and_in_whole():
    with Host() as h:
        equal(h.sandbox("sh", "-c", "i=0; while [ $i -lt 400 ]; do /bin/echo burst-$i >/dev/null; i=$((i+1)); done").returncode, 0)
        wait_for("the end of the session", lambda: h.kind("session.end"))
        seen = [e["process"]["cmd_line"] for e in h.kind("exec", "burst-") if "while" not in e["process"].get("cmd_line", "")]
        equal(sorted(seen), sorted(f"/bin/echo burst-{i}" for i in range(400)))
        equal(h.kind("gap"), [])
        h.verify()


@test
def a_secret_in_an_argument_does_not_reach_the_journal():
    with Host() as h:
        secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
        equal(h.sandbox("sh", "-c", ": $0", secret).returncode, 0)
        wait_for("the end of the session", lambda: h.kind("session.end"))
        for name in os.listdir(h.journal):
            path = os.path.join(h.journal, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    check(secret.encode() not in f.read(), f"the secret is in {name}")


@test
def a_sink_delivers_the_record_with_acknowledgement():
    with Host() as h:
        out = os.path.join(h.dir, "received")
        hec = subprocess.Popen([sys.executable, os.path.join(HERE, "hec_receiver.py"), "--port", "0", "--token", "T0KEN", "--ack", "--out", out],
                               stdout=subprocess.PIPE, text=True)
        try:
            port = int(hec.stdout.readline().split()[1])
            token = h.write("token", "T0KEN\n")
            with open(h.settings, "a", encoding="utf-8") as f:
                f.write(f"sinks:\n  - {{name: siem, type: splunk-hec, url: 'http://127.0.0.1:{port}', token_file: {token}}}\n")
            h.engine()
            equal(h.sandbox("/bin/echo", "to-the-siem").returncode, 0)

            def arrived():
                if not os.path.exists(out):
                    return False
                with open(out, encoding="utf-8") as f:
                    return "to-the-siem" in f.read()
            wait_for("the event at the receiver", arrived, 40)
            wait_for("the acknowledgement", lambda: b"good" in h.ask("state")["sink"][0], 40)
        finally:
            hec.terminate()
            hec.wait()
            hec.stdout.close()


# ---- hostile clients ----
class Hostile:
    """Clients of every kind of malice, all at once; none may get anything, and nobody else may notice."""

    def __init__(self, host, seed):
        self.host, self.random, self.socks = host, random.Random(seed), []

    def dial(self):
        with contextlib.suppress(OSError):
            s = self.host.dial()
            s.settimeout(0.2)
            self.socks.append(s)
            return s
        return None

    def send(self, s, data):
        with contextlib.suppress(OSError):
            s.send(data, socket.MSG_DONTWAIT)

    def garbage(self):
        self.send(self.dial(), self.random.randbytes(self.random.randrange(1, 4000)))

    def half(self):
        whole = encode([("op", "hello"), ("x", "y" * 2000)])
        self.send(self.dial(), whole[:self.random.randrange(1, len(whole))])

    def big(self):
        self.send(self.dial(), struct.pack("<I", 4 << 20) + b"z" * 60000)

    def huge(self):
        self.send(self.dial(), struct.pack("<I", 0xffffffff))

    def mute(self):
        self.dial()

    def descriptors(self):
        s = self.dial()
        with contextlib.suppress(OSError):
            s.sendmsg([b"\x40\0\0\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * self.random.choice((1, 4, 100))))])

    def deaf(self):
        self.send(self.dial(), encode([("op", "list")]) * 20)

    def nonsense(self):
        self.send(self.dial(), encode([(self.random.choice(("op", "id", "policy", "arg")), self.random.randbytes(30)) for _ in range(20)]))

    def wrong(self):
        op = self.random.choice(("create", "start", "end", "reload", "summary", "filter", "nothing"))
        self.send(self.dial(), encode([("op", op), ("id", "../" * 5), ("pid", "1"), ("policy", "["), ("param", "x"), ("deadline_ms", "-1")]))

    def close(self):
        for s in self.socks:
            s.close()
        self.socks = []


@test
def hostile_clients_get_nothing_and_stall_nobody():
    with Host(linger_seconds=600) as h:
        h.engine()
        pid = h.engine_pid()
        files, rss = len(os.listdir(f"/proc/{pid}/fd")), memory(pid)
        sandboxes = os.listdir(h.cgroup())
        evil = Hostile(h, 20)
        kinds = [evil.garbage, evil.half, evil.big, evil.huge, evil.mute, evil.descriptors, evil.deaf, evil.nonsense, evil.wrong]
        worst = 0.0
        for i in range(1000):
            kinds[i % len(kinds)]()
            if i % 100 == 99:
                began = time.time()
                p = h.sandbox("true")
                equal(p.returncode, 0, p.stderr)
                worst = max(worst, time.time() - began)
        check(worst < 10, f"a run took {worst:.1f} s")
        check(memory(pid) - rss < 100 << 10, f"the engine grew by {memory(pid) - rss} KiB")
        check(len(os.listdir(f"/proc/{pid}/fd")) - files < 600, "descriptors are kept")
        evil.close()
        wait_for("all descriptors to be back", lambda: len(os.listdir(f"/proc/{pid}/fd")) <= files + 2)
        equal(h.engine_pid(), pid)
        equal(sorted(n for n in os.listdir(h.cgroup()) if n not in sandboxes), [])
        wait_for("the sessions of the runs", lambda: len(h.kind("session.end")) == 10)
        equal(len(h.kind("session.start")), 10)


@test
def hostile_floods_that_never_finish_are_dropped_by_time():
    with Host(linger_seconds=600) as h:
        h.engine()
        pid = h.engine_pid()
        files = len(os.listdir(f"/proc/{pid}/fd"))
        evil = Hostile(h, 4)
        for _ in range(200):
            evil.half()
            evil.mute()
        wait_for("them to be dropped", lambda: len(os.listdir(f"/proc/{pid}/fd")) <= files + 2, 20)
        evil.close()
        equal(h.sandbox("true").returncode, 0)


def main():
    only = sys.argv[1:]
    if os.geteuid():
        print("skip engine_e2e: needs root")
        return 0
    failed = 0
    for fn in TESTS:
        name = "engine_e2e_" + fn.__name__
        if only and not any(o in name for o in only):
            continue
        try:
            fn()
            print("ok", name, flush=True)
        except Skip as e:
            print(f"skip {name}: {e}", flush=True)
        except Exception as e:  # whatever it was, the test failed
            failed += 1
            where = traceback.extract_tb(e.__traceback__)
            line = next((f.lineno for f in where if f.name == fn.__name__), 0)
            print(f"not ok {name}: engine_test.py:{line}: {type(e).__name__}: {e}".replace("\n", "\\n"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
