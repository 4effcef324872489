#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bailiff learn on a real kernel: three runs of a small project under observe, a policy of them, a fourth run under enforce without a refusal,
# and the attacks still refused. vm: --timeout 600
exec python3 - "$@" <<'END'
import json
import os
import subprocess
import sys

LIMIT = 120
TESTS = []
HOME = "/srv/project"
WORK = r"""
set -e
cd /srv/project
python3 -m unittest -q test_sums 2>/dev/null
python3 - <<'PY'
import hashlib, http.server, os, sqlite3, tempfile, threading, time, urllib.request
run = f"/srv/runs/run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
os.makedirs(run)
for name in ("log", "stats"):
    with open(f"{run}/{name}", "w") as f:
        f.write(name)
digest = hashlib.sha1(str(time.time()).encode()).hexdigest()
os.makedirs("/srv/cache", exist_ok=True)
with tempfile.NamedTemporaryFile(dir="/srv/cache", delete=False) as f:
    f.write(b"x")
os.rename(f.name, f"/srv/cache/{digest}")
open(f"/srv/cache/{digest}").read()
with sqlite3.connect("/srv/state/work.db") as db:
    db.execute("create table if not exists runs(at text)")
    db.execute("insert into runs values(datetime())")
total = sum(len(open(f"/opt/data-1.2.3/{n}.csv").read()) for n in ("a", "b"))
server = http.server.HTTPServer(("127.0.0.1", 8642), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
urllib.request.urlopen("http://127.0.0.1:8642/sums.py").read()
server.shutdown()
with open("report.txt", "a") as f:
    f.write(f"{total}\n")
PY
git add -A
git -c user.name=a -c user.email=a@b.c commit -q -m work
git log --oneline | head -3
"""
ATTACKS = {
    "a key": "cat /root/.ssh/id_ed25519",
    "the passwords": "cat /etc/shadow",
    "the project's secrets": "cat /srv/project/.env",
    "a hook": "echo x >/srv/project/.git/hooks/pre-commit",
    "a program of the host": "echo x >/usr/bin/new",
    "a neighbour's file": "cat /srv/other/file",
    "metadata": "python3 -c 'import socket; socket.create_connection((\"169.254.169.254\", 80), 5)' 2>&1 | grep -q 'Permission denied' && exit 1",
    "another port": "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 22), 5)' 2>&1 | grep -q 'Permission denied' && exit 1",
}


def check(cond, *what):
    if not cond:
        raise AssertionError(" ".join(str(w) for w in what))


def test(fn):
    TESTS.append(fn)
    return fn


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def do(*words):
    return subprocess.run(["bailiff", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False)


def run(policy, script, *options):
    return do("run", "-p", policy, "--param", f"workspace={HOME}", *options, "--", "sh", "-c", script)


def refused(said):
    """What the last line of a run says: how many were refused, how many would have been."""
    words = next(line for line in reversed(said.splitlines()) if " would be refused" in line).replace(",", "").split()
    return int(words[words.index("refused") - 1]), int(words[words.index("would") - 1])


def project():
    write(f"{HOME}/sums.py", "def double(x):\n    return 2 * x\n")
    write(f"{HOME}/test_sums.py", "import unittest, sums\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(sums.double(2), 4)\n")
    write(f"{HOME}/.env", "TOKEN=1\n")
    write(f"{HOME}/.gitignore", ".env\n__pycache__\n")
    for name in ("a", "b"):
        write(f"/opt/data-1.2.3/{name}.csv", "1,2\n")
    write("/srv/other/file", "not for it\n")
    write("/root/.ssh/id_ed25519", "secret\n")
    os.makedirs("/srv/state", exist_ok=True)
    subprocess.run(["git", "init", "-q", HOME], check=True)
    write("/root/start.yaml", "version: 1\npolicy: start\nuses: [base]\nparams: {workspace: path}\n"
          "files:\n  read:\n    - $workspace/sums.py\n")


def rules_of(text):
    """Items of lists of rules; the tests of the policy are no rules."""
    return sum(1 for line in text.split("\ntests:")[0].splitlines() if line.startswith("    - "))


@test
def observe_records_and_lets_pass():
    for _ in range(3):
        p = run("/root/start.yaml", WORK, "--stage", "observe")
        check(p.returncode == 0, p.stdout, p.stderr)
        was, would = refused(p.stderr)
        check(was == 0 and would > 10, p.stderr)


@test
def learned_policy_is_small_and_right():
    p = do("learn", "-p", "/root/start.yaml", "--param", f"workspace={HOME}", "-o", "/root/learned.yaml")
    check(p.returncode == 0, p.stderr)
    with open("/root/learned.yaml", encoding="utf-8") as f:
        text = f.read()
    check(10 < rules_of(text) <= 40, rules_of(text), text)
    p = do("policy", "check", "/root/learned.yaml", "--param", f"workspace={HOME}")
    check(p.returncode == 0 and not p.stderr, p.stderr)


@test
def fourth_run_is_not_refused_anything():
    p = run("/root/learned.yaml", WORK)
    check(p.returncode == 0, p.stdout, p.stderr)
    check(refused(p.stderr) == (0, 0), p.stderr, do("tail", "-n", "30").stdout)


@test
def attacks_are_refused_still():
    for name, script in ATTACKS.items():
        p = run("/root/learned.yaml", script)
        check(p.returncode != 0 and refused(p.stderr)[0] > 0, name, p.returncode, p.stderr)


@test
def attacks_during_the_trial_are_not_learned():
    p = run("/root/start.yaml", "; ".join(ATTACKS[n] for n in ("a key", "the passwords", "the project's secrets", "a hook", "a program of the host")),
            "--stage", "observe", "--name", "talked-into")
    check(p.returncode == 0, p.stderr)
    p = do("learn", "-p", "/root/start.yaml", "--param", f"workspace={HOME}", "--sandbox", "talked-into", "-o", "/root/attacked.yaml")
    check(p.returncode == 0, p.stderr)
    for name in ("a key", "the passwords", "the project's secrets", "a hook", "a program of the host"):
        q = run("/root/attacked.yaml", ATTACKS[name])
        check(q.returncode != 0 and refused(q.stderr)[0] > 0, name, p.stderr, q.stderr)
    os.unlink("/usr/bin/new")


@test
def an_open_for_reading_and_writing_is_learned_whole():
    p = run("/root/start.yaml", "exec 3<>/srv/other/both", "--stage", "observe", "--name", "both")
    check(p.returncode == 0, p.stderr)
    p = run("/root/start.yaml", "exec 3<>/srv/other/both", "--stage", "observe", "--name", "both")
    p = do("tail", "--sandbox", "both", "--json")
    needs = [json.loads(line)["unmapped"]["sandbox"].get("needs") for line in p.stdout.splitlines()]
    check("read,change" in needs, needs)


project()
# The first start attaches: verification of every program under emulation.
subprocess.run(["bailiff", "run", "-p", "/root/start.yaml", "--param", f"workspace={HOME}", "--", "true"], stdin=subprocess.DEVNULL,
               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=200, check=False)
failed = 0
for fn in TESTS:
    if sys.argv[1:] and not any(w in fn.__name__ for w in sys.argv[1:]):
        continue
    try:
        fn()
        print("ok learn_" + fn.__name__, flush=True)
    except Exception as e:  # whatever it was, the test failed
        failed = 1
        print(f"not ok learn_{fn.__name__}: {type(e).__name__}: {e}".replace("\n", "\\n"), flush=True)
sys.exit(failed)
END
