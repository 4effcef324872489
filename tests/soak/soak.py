#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a host goes through in a week, in the time that is given: sandboxes come and go and are killed, policies are replaced under load, the engine
is killed at any moment, the SIEM misbehaves. All that is promised for such days is checked when the time is over; one line for each claim.

    soak.py [--seconds N] [--seed N] [--receiver tests/e2e/hec_receiver.py]

bailiff and bailiffd are those in PATH. Where the kernel refuses LSM programs, nothing is refused and the rest holds all the same."""
import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

LIMIT = 300  # for one command: a kernel under emulation takes minutes to verify all programs
RUNNERS = 3
HELD = 2
RSS_MAX_KIB, FDS_MAX = 112 << 10, 1024  # its own 16 MiB, the arena, the rings (mapped twice), and the backlog of a flood
if "ASAN_OPTIONS" in os.environ:
    RSS_MAX_KIB *= 3  # shadow memory, and what was freed is kept for a while
POLICY = """version: 1
policy: soak
uses: [base]
open: [devices, calls, privileges, limits, session, labels]
record: [exec, exit, open]
files:
  read: [/]
  execute: [/]
  write: [/dev, {place}]
  deny:
    - {{path: {secret}, id: {rule}}}
"""
# Opens the secret so often, or until told to stop; says how often that failed. It rests now and then, or a minute's lines take minutes to deliver.
LOOP = """n=0; i=0; f=0
while [ $i -lt {times} ] && [ ! -e {stop} ]; do read x 2>/dev/null <{secret} || n=$((n+1)); i=$((i+1)); [ $((i%200)) -ne 199 ] || sleep 1; done
echo refused $n of $i >{told}"""


class Soak:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        self.dir = tempfile.mkdtemp(prefix="bailiff-soak.", dir="/var/tmp")
        self.name = os.path.basename(self.dir).replace(".", "-")
        self.secret = self.write("secret", "secret\n")
        self.policies = [self.write(f"{r}.yaml", POLICY.format(secret=self.secret, place=self.dir, rule=r)) for r in ("first", "second")]
        self.pins = "/sys/fs/bpf/" + self.name
        self.journal = self.dir + "/journal"
        self.control = self.dir + "/run/control"
        self.kills = []			# times at which an engine was killed
        self.over = False
        self.began = time.monotonic()
        self.failures, self.expected = [], {}
        self.most = {"rss_kib": 0, "fds": 0, "threads": 0}
        self.done = {"runs": 0, "refused": 0, "reloads": 0, "faults": 0, "killed runs": 0}
        self.lock = threading.Lock()

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def env(self):
        return {**os.environ, "BAILIFF_SETTINGS": self.dir + "/bailiff.yaml", "LC_ALL": "C.UTF-8"}

    def do(self, *words, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(["bailiff", *words], capture_output=True, timeout=LIMIT, check=False, env=self.env(), text=True, errors="replace", **kw)

    def note(self, key, n=1):
        with self.lock:
            self.done[key] += n

    def wrong(self, what):
        with self.lock:
            self.failures.append(what)

    def pick(self, low, high):
        with self.lock:
            return self.random.randint(low, high)

    # ---- the stage ----
    def open(self):
        token = self.write("token", "soak")
        self.receiver = subprocess.Popen([sys.executable, self.args.receiver, "--port", "0", "--token", "soak", "--ack", "--control", "--until-eof", "--out",
                                          self.dir + "/received"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.receiver.stdout.readline().split()[1])
        self.write("bailiff.yaml", "".join(f"{k}: {v}\n" for k, v in {
            "run_dir": self.dir + "/run", "journal_dir": self.journal, "key_dir": self.dir + "/keys", "pin_dir": self.pins, "cgroup_parent": self.name,
            "linger_seconds": 3, "journal_segment_bytes": "1M", "checkpoint_ms": 1000}.items()) +
            f"sinks:\n  - {{name: splunk, type: splunk-hec, url: 'http://127.0.0.1:{self.port}', token_file: {token}}}\n")

    def close(self):
        pid = self.engine()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            self.until(lambda: self.engine() is None)
        self.receiver.stdin.close()
        self.receiver.wait(LIMIT)
        for base, _, _ in os.walk(self.parent(), topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(base)
        shutil.rmtree(self.pins, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def post(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=20).close()

    def engine(self):
        """The pid of the engine that runs, by the settings that it was started with."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "bailiffd":
                    with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as f:
                        if self.dir + "/bailiff.yaml" in f.read():
                            return int(pid)
        return None

    @staticmethod
    def until(cond, seconds=LIMIT):
        end = time.monotonic() + seconds
        while not cond():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    # ---- the load ----
    def undisturbed(self, since):
        return not self.kills or self.kills[-1] < since

    def options(self, name):
        return ["-p", self.policies[self.pick(0, 1)], "--allow-degraded", "--name", name]

    def runs(self, who):
        """Sandboxes that come and go. What each was refused is known to it, and has to be known to the record."""
        n = 0
        while not self.over:
            n += 1
            name, began = f"run-{who}-{n}", time.monotonic()
            told = f"{self.dir}/{name}"
            loop = LOOP.format(times=self.pick(0, 60), secret=self.secret, stop=self.dir + "/no-such", told=told)
            p = subprocess.Popen(["bailiff", "run", *self.options(name), "--", "sh", "-c", loop], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True, env=self.env())
            killed = self.pick(0, 9) == 0
            if killed:
                time.sleep(self.pick(0, 100) / 100)
                p.kill()
                self.note("killed runs")
            said = p.communicate(timeout=LIMIT)[1]
            self.judge_run(name, p.returncode, said, told, killed, began)

    def judge_run(self, name, code, said, told, killed, began):
        self.note("runs")
        if code == 0:
            refused = self.told(told)
            self.expected[name] = refused
            if self.undisturbed(began) and f": {refused} refused" not in said:
                self.wrong(f"{name}: {refused} were refused, and it says {said}")
        elif not killed and self.undisturbed(began):
            self.wrong(f"{name}: exit code {code}, and nobody disturbed it: {said}")

    def told(self, path):
        with open(path, encoding="utf-8") as f:
            refused, tried = (int(w) for w in f.read().split() if w.isdigit())
        if refused != (tried if self.enforcing else 0):
            self.wrong(f"{path}: {refused} of {tried} opens were refused")
        self.note("refused", refused)
        os.unlink(path)
        return refused

    def held(self, who):
        """A sandbox that outlives engines, under reloads, with one command that hardly rests."""
        name, told, stop = f"held-{who}", f"{self.dir}/held-{who}", f"{self.dir}/stop-{who}"
        p = self.do("create", *self.options(name))
        if p.returncode:
            self.wrong(f"{name}: {p.stderr}")
            return
        sandbox = p.stdout.strip()
        command = self.command(sandbox, LOOP.format(times=1 << 40, secret=self.secret, stop=stop, told=told))
        while not self.over:
            time.sleep(self.pick(1, 10) / 10)
            began = time.monotonic()
            p = self.do("reload", sandbox, "-p", self.policies[self.pick(0, 1)])
            self.note("reloads", p.returncode == 0)
            if p.returncode and self.undisturbed(began) and "no engine runs" not in p.stderr:  # until the next run starts one
                self.wrong(f"{name}: reload: {p.stderr}")
        with open(stop, "w", encoding="utf-8"):
            pass
        command.wait(LIMIT)
        self.expected[name] = self.told(told)
        self.until(lambda: not self.do("end", sandbox).returncode)

    def command(self, sandbox, loop):
        while True:
            began = time.monotonic()
            p = subprocess.Popen(["bailiff", "exec", sandbox, "--", "sh", "-c", loop], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True, env=self.env())
            time.sleep(1)
            if p.poll() is None:
                return p
            if self.undisturbed(began):
                raise RuntimeError(f"exec: {p.returncode}: {p.stderr.read()}")

    def murder(self):
        """The engine is killed, and what it does next is up to the next client."""
        while not self.over:
            time.sleep(self.pick(50, 150) / 100 * max(4, min(60, self.args.seconds / 6)))
            pid = self.engine()
            if pid and not self.over:
                self.kills.append(time.monotonic())
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                time.sleep(self.pick(0, 20) / 10)
                self.kills.append(time.monotonic())

    def misbehave(self):
        faults = [{"mode": "code", "code": 9, "count": 3}, {"mode": "code", "code": 26, "count": 2}, {"mode": "html", "status": 502}, {"mode": "reset"},
                  {"mode": "reset", "index": True}, {"mode": "slow", "seconds": 2}, {"mode": "lose-acks"}, {"mode": "no-such"}]
        while not self.over:
            time.sleep(self.pick(1, 20) / 10)
            fault = faults[self.pick(0, len(faults) - 1)]
            self.post(*("/_restart", {}) if fault["mode"] == "no-such" else ("/_fault", fault))
            self.note("faults")

    def look(self):
        while not self.over:
            time.sleep(1)
            pid = self.engine()
            with contextlib.suppress(OSError, TypeError, KeyError):  # it is being killed
                with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                    status = dict(line.split(":", 1) for line in f)
                now = {"rss_kib": int(status["VmRSS"].split()[0]), "fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(status["Threads"])}
                self.most = {k: max(v, now[k]) for k, v in self.most.items()}

    # ---- what is claimed ----
    def events(self):
        for name in sorted(os.listdir(self.journal)):
            if name.endswith(".jsonl"):
                with open(os.path.join(self.journal, name), "rb") as f:
                    yield from (json.loads(line) for line in f.read().split(b"\n")[:-1])

    def check(self, claim, good, seen=""):
        print(f"# after {time.monotonic() - self.began:.0f} s")
        print(f"ok soak_{claim}" if good else f"not ok soak_{claim}: {seen}".replace("\n", "\\n")[:1500], flush=True)
        self.good &= bool(good)

    def none_lives(self):
        return self.engine() is None or self.do("ps", "--json").stdout.strip() == "[]"  # an engine without sandboxes may have left already

    def judge(self):
        self.good = True
        self.check("nothing_went_wrong_while_it_ran", not self.failures, self.failures[:5])
        self.check("every_sandbox_ended", self.until(self.none_lives, 60), self.do("ps", "--json").stdout)
        self.check("the_last_engine_leaves", self.until(lambda: self.engine() is None))
        verified = self.do("journal", "verify")
        self.check("the_journal_verifies", verified.returncode == 0, verified.stdout + verified.stderr)
        self.judge_sessions(list(self.events()))
        self.judge_delivery()
        self.check("nothing_is_left_in_the_kernel", not os.path.exists(self.pins + "/links") or not os.listdir(self.pins + "/links"), self.pins)
        self.check("no_cgroup_is_left", not self.cgroups(), self.cgroups())
        self.check("memory_and_descriptors_are_bounded", self.most["rss_kib"] <= RSS_MAX_KIB and self.most["fds"] <= FDS_MAX, self.most)
        return self.good

    def judge_sessions(self, events):
        ends = {}
        for e in events:
            if e["metadata"].get("event_code") == "session.end":
                ends.setdefault(e["unmapped"]["sandbox"]["name"], []).append(e["unmapped"]["sandbox"].get("counts", {}))
        counted = {name: [sum(n for n, _ in c.values()) for c in found] for name, found in ends.items()}
        off = {name: (n, counted.get(name)) for name, n in self.expected.items() if set(counted.get(name, [])) != {n}}
        self.check("every_session_ends_with_its_exact_count", self.expected and not off, dict(list(off.items())[:5]))
        absences = [e for e in events if e["metadata"].get("event_code") == "engine.absent"]
        self.check("each_killed_engine_is_on_the_record", not self.kills or absences, f"{len(self.kills)} kills")

    def judge_delivery(self):
        """A last engine, undisturbed, delivers what is left."""
        self.post("/_fault", {})
        p = self.do("run", *self.options("last"), "--", "true")
        self.check("an_engine_starts_after_all_that", p.returncode == 0, p.stderr)
        self.until(lambda: self.engine() is None)
        journal = {e["metadata"]["uid"] for e in self.events() if e.get("unmapped", {}).get("journal", {}).get("kind") != "checkpoint"}
        with open(self.dir + "/received", encoding="utf-8") as f:
            received = {json.loads(line)["event"]["metadata"]["uid"] for line in f}
        self.check("the_siem_has_every_line", journal <= received, f"{len(journal - received)} of {len(journal)} are missing")
        self.lines = len(journal)

    def parent(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            mount = next(line.split()[4] for line in f if " - cgroup2 " in line)
        return f"{mount}/{self.name}/"

    def cgroups(self):
        return [base for base, _, _ in os.walk(self.parent()) if os.path.basename(base) not in ("", "engine")]

    def play(self):
        self.open()
        p = self.do("run", *self.options("first"), "--", "sh", "-c", LOOP.format(times=1, secret=self.secret, stop="/no-such", told=self.dir + "/first"))
        if p.returncode:
            raise RuntimeError(f"nothing can be run here: {p.stderr}")
        self.enforcing = "NOT ENFORCED" not in p.stderr
        self.expected["first"] = self.told(self.dir + "/first")
        threads = [threading.Thread(target=self.guarded, args=(fn, *a)) for fn, *a in
                   [*((self.runs, i) for i in range(RUNNERS)), *((self.held, i) for i in range(HELD)), (self.murder,), (self.misbehave,), (self.look,)]]
        for t in threads:
            t.start()
        time.sleep(self.args.seconds)
        self.over = True
        for t in threads:
            t.join(LIMIT)
        good = self.judge()
        print(f"# {'enforcing' if self.enforcing else 'observing'} for {self.args.seconds} s: {self.done}, {len(self.kills) // 2} engines killed, "
              f"{self.lines} lines; at most {self.most}")
        return good

    def guarded(self, fn, *args):
        try:
            fn(*args)
        except Exception as e:  # whatever it was, the soak failed
            self.wrong(f"{fn.__name__}: {type(e).__name__}: {e}")


def main():
    p = argparse.ArgumentParser(description="a week of a host, in short")
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    p.add_argument("--receiver", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e/hec_receiver.py"))
    args = p.parse_args()
    print(f"# seed {args.seed}", flush=True)
    soak = Soak(args)
    try:
        return 0 if soak.play() else 1
    finally:
        soak.close()


if __name__ == "__main__":
    sys.exit(main())
