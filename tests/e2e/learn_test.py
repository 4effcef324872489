#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bailiff learn on journals as the engine writes them: filters, what it says of itself, and that what it prints is a policy."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(HERE, "../../build")))
BAILIFF = os.path.join(BUILD, "bailiff")
TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


class Record:
    """A journal's directory; events get numbers and times of their own."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="bailiff-learn.")
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def add(self, code="decision", sandbox="01A", program="/usr/bin/python3.11", rule="files.default", action=3, **more):
        n = len(self.events) + 1
        sb = {"id": sandbox, "name": "agent-" + sandbox, "stage": "observe", "operation": "open", "rule": {"id": rule}}
        sb.update(more.pop("sb", {}))
        self.events.append({"metadata": {"uid": f"e{n}", "event_code": code}, "class_uid": 1001, "time": 1764000000000 + 1000 * n, "severity_id": 2,
                            "action_id": action, "message": more.pop("message", "m"), "actor": {"process": {"path": program}}, "unmapped": {"sandbox": sb},
                            **more})

    def path(self, path, needs, path2=None, **more):
        sb = {"verb": needs.split(">")[0].split(",")[0], "needs": needs, **more.pop("sb", {})}
        other = {"file_result": {"path": path2, "name": "x"}} if path2 else {}
        self.add(file={"path": path, "name": os.path.basename(path), "type_id": more.pop("type_id", 0)}, sb=sb, **other, **more)

    def peer(self, ip, port, direction=2, **more):
        self.add(rule="network.default", dst_endpoint={"ip": ip, "port": port}, connection_info={"direction_id": direction, "protocol_num": 6}, **more)

    def learn(self, *words, **kw):
        where = os.path.join(self.dir, f"{1:020d}.jsonl")
        with open(where, "w", encoding="utf-8") as f:
            f.write('{"type":"bailiff.segment"}\n')
            f.writelines((e if isinstance(e, str) else json.dumps(e)) + "\n" for e in self.events)
        return subprocess.run([BAILIFF, "learn", "--dir", self.dir, *words], capture_output=True, text=True, timeout=60, check=False, **kw)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path


def equal(a, b, what=""):
    assert a == b, f"{what} {a!r} is not {b!r}"


def has(text, part):
    assert part in text, f"{part!r} is not in {text!r}"


def lacks(text, part):
    assert part not in text, f"{part!r} is in {text!r}"


@test
def what_it_prints_is_a_policy_that_allows_what_was_seen():
    with Record() as r:
        r.path("/srv/data/in.csv", "read,change", sb={"repeats": 4})
        r.path("/srv/data/caf\\xe9", "read")
        r.path("/srv/data/new", "remove>create", "/srv/data/old", sb={"operation": "rename"})
        r.peer("10.1.2.3", 5432)
        p = r.learn()
        equal(p.returncode, 0, p.stderr)
        has(p.stdout, "# 5 times by python3.11, 2025-11-24 16:00:01; event e1\n")
        out = r.file("learned.yaml", p.stdout)
        q = subprocess.run([BAILIFF, "policy", "check", out], capture_output=True, text=True, timeout=60, check=False)
        equal((q.returncode, q.stderr), (0, ""), q.stdout)
        for question in ("change /srv/data/in.csv", "remove /srv/data/new", "create /srv/data/old", "connect 10.1.2.3:5432", "read /srv/data/caf\\xe9"):
            q = subprocess.run([BAILIFF, "policy", "explain", out, question], capture_output=True, text=True, timeout=60, check=False)
            if "\\" not in question:
                has(q.stdout, "allowed")
        equal(r.learn().stdout, p.stdout, "the same bytes")


@test
def filters_leave_out_other_sandboxes_programs_and_times():
    with Record() as r:
        r.path("/srv/one", "read")
        r.path("/srv/two", "read", sandbox="01B")
        r.path("/srv/three", "read", program="/usr/bin/git")
        for words, names in ((["--sandbox", "01B"], {"two"}), (["--sandbox", "agent-01A"], {"one", "three"}), (["--by", "git"], {"three"}),
                             (["--by", "/usr/bin/python3.11"], {"one", "two"}), (["--since", "2025-11-24T16:00:03Z"], {"three"})):
            p = r.learn(*words)
            equal(p.returncode, 0, p.stderr)
            equal({n for n in ("one", "two", "three") if f"/srv/{n}" in p.stdout}, names, words)


@test
def a_policy_keeps_its_text_and_what_it_allows_is_not_learned():
    with Record() as r:
        text = "version: 1\npolicy: mine # remark\nuses: [base]\nfiles: {read: [/srv/a]}\n"
        mine = r.file("mine.yaml", text)
        r.path("/srv/a/x", "read")
        r.path("/srv/b", "read")
        p = r.learn("-p", mine)
        equal(p.returncode, 0, p.stderr)
        has(p.stdout, "policy: mine # remark\nuses: [base]\nfiles: {read: [/srv/a,\n")
        lacks(p.stdout, "/srv/a/x")
        has(p.stderr, "already allowed:\n  by files.read.")
        has(p.stderr, "1 allowed already, 1 learned as 1 rule, 0 not learned")
        with open(mine, encoding="utf-8") as f:
            equal(f.read(), text)


@test
def attacks_are_listed_and_not_learned():
    with Record() as r:
        r.path("/home/u/.ssh/id_rsa", "read")
        r.peer("169.254.169.254", 80)
        r.add(class_uid=4001, rule="sockets.default", dst_endpoint={"name": "/run/docker.sock"}, sb={"verb": "unix", "operation": "connect unix"})
        r.add(rule="guard.mount", sb={"operation": "mount"})
        r.path("/proc/sys/kernel/core_pattern", "change", rule="guard.capability")
        r.path("/srv/x\n- y", "read")
        p = r.learn()
        equal(p.returncode, 0, p.stderr)
        for part in ("read /home/u/.ssh/id_rsa: credentials", "connect 169.254.169.254:80: ", "unix /run/docker.sock: starts containers", "mount: guard.mount",
                     "core_pattern: guard.capability"):
            has(p.stderr, part)
        has(p.stdout, "\"/srv/x\\\\x0a-\\\\x20y\"\n")
        for part in ("ssh/id_rsa\"\n", "169.254.169.254\",", "docker.sock\"\n", "core_pattern"):
            lacks(p.stdout, part)


@test
def what_the_record_lacks_is_said():
    with Record() as r:
        r.path("/srv/a", "read")
        r.add("counted", action=0)
        r.add("gap", action=0, message="records were lost: decisions, cpu 0, numbers 4 to 9")
        r.events.append("{not json")
        p = r.learn()
        equal(p.returncode, 0, p.stderr)
        has(p.stderr, "not everything: 2 times")
        has(p.stderr, "1 line of the journal cannot be read")


@test
def it_says_what_is_wrong():
    with Record() as r:
        p = r.learn()
        equal(p.returncode, 1)
        has(p.stderr, "--stage observe")
        r.add("session.start", action=0)
        p = r.learn()
        equal(p.returncode, 0, p.stderr)
        has(p.stderr, "0 events of 1 sandbox")
        r.path("/srv/a", "read")
        out = r.file("there.yaml", "")
        p = r.learn("-o", out)
        equal((p.returncode, p.stdout), (1, ""))
        has(p.stderr, "not overwritten")
        equal(r.learn("-p", r.file("bad.yaml", "version: 1\npolicy: x\nfiels: 1\n")).returncode, 1)
        p = r.learn("-p", r.file("flow.yaml", "{version: 1, policy: x, open: [devices, privileges, limits, session, labels]}\n"))
        equal(p.returncode, 1)
        has(p.stderr, "stands in brackets")
        for words in (["word"], ["--tighten"], ["-p", out, "--uses", "base"], ["--since", "never"], ["-p", out, "--tighten", "-o", "x"]):
            equal(r.learn(*words).returncode, 2, words)
        equal(r.learn("-p", "/no/such").returncode, 1)
        equal(subprocess.run([BAILIFF, "learn", "--dir", "/no/such"], capture_output=True, timeout=60, check=False).returncode, 1)


@test
def tighten_names_what_nothing_needed():
    with Record() as r:
        policy = r.file("p.yaml", "version: 1\npolicy: p\nuses: [base, git]\nfiles: {read: [{path: /srv/a, id: used}, {path: /srv/b, id: idle}]}\n"
                                  "network: {connect: [{to: 10.0.0.1, ports: [1], id: reached}, {to: 10.0.0.2, ports: [1], id: alone}]}\nrecord: [open, connect]\n")
        r.add("open", action=1, file={"path": "/srv/a/x", "name": "x", "type_id": 0})
        r.add("connect", action=1, dst_endpoint={"ip": "10.0.0.1", "port": 1}, connection_info={"direction_id": 2, "protocol_num": 6})
        p = r.learn("--tighten", "-p", policy)
        equal(p.returncode, 0, p.stderr)
        has(p.stdout, "no recorded action needed:\n  alone (")
        has(p.stdout, "  idle (")
        lacks(p.stdout, "  used (")
        lacks(p.stdout, "  reached (")
        has(p.stdout, "git: no recorded action needed this preset")


def main():
    failed = 0
    for fn in TESTS:
        try:
            fn()
            print("ok", fn.__name__)
        except (AssertionError, OSError, subprocess.SubprocessError) as e:
            failed = 1
            print("not ok", fn.__name__ + ":", " ".join(f"{type(e).__name__}: {e}".split()))
    return failed


sys.exit(main())
