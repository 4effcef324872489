#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The README's first policy in five minutes, its very commands, on a project of Python, one of JavaScript and one of C: at the end the same work
# runs under enforce without a refusal. vm: --timeout 900
# with: README.md
exec python3 - "$@" <<'END'
import os
import re
import shutil
import subprocess
import sys

LIMIT = 300
GIT = "git add -A\ngit -c user.name=a -c user.email=a@b.c commit -q --allow-empty -m work\ngit status --short\n"
PROJECTS = {
    "python": {
        "pyproject.toml": "[project]\nname = \"sums\"\n",
        "sums.py": "def double(x):\n    return 2 * x\n",
        "test_sums.py": "import unittest, sums\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(sums.double(2), 4)\n",
        "build.py": "import os, pathlib, sqlite3, tempfile, time\n"
                    "home = pathlib.Path.home() / '.local/state/sums'\nhome.mkdir(parents=True, exist_ok=True)\n"
                    "db = sqlite3.connect(home / 'runs.db')\ndb.execute('create table if not exists runs(at)')\n"
                    "db.execute('insert into runs values(1)')\ndb.commit()\n"
                    "(home / f'run-{time.time_ns()}').write_text('x')\n"
                    "os.replace(tempfile.mkstemp(dir='.')[1], 'report.txt')\n",
        "agent": "#!/bin/sh\nset -e\npython3 -m unittest -q test_sums 2>/dev/null\npython3 build.py\n" + GIT,
    },
    "node": {
        "package.json": '{"name": "sums", "version": "1.0.0", "main": "sums.js"}\n',
        "sums.js": "exports.double = x => 2 * x;\n",
        "build.js": "const fs = require('fs'), os = require('os'), path = require('path'), crypto = require('crypto'), assert = require('assert');\n"
                    "assert.strictEqual(require('./sums').double(2), 4);\n"
                    "const text = fs.readFileSync('sums.js') + String(process.hrtime.bigint());\n"
                    "const cache = path.join(os.homedir(), '.cache', 'sums-build'), name = crypto.createHash('sha256').update(text).digest('hex');\n"
                    "fs.mkdirSync(cache, {recursive: true});\nfs.writeFileSync(path.join(cache, name), text);\n"
                    "fs.mkdirSync('dist', {recursive: true});\nfs.writeFileSync('dist/.bundle.tmp', text);\n"
                    "fs.renameSync('dist/.bundle.tmp', 'dist/bundle.js');\nfs.rmSync(fs.mkdtempSync(path.join(os.tmpdir(), 'sums-')), {recursive: true});\n",
        "agent": "#!/bin/sh\nset -e\nnode build.js\nnode -e 'require(\"./dist/bundle.js\")' 2>/dev/null || :\n" + GIT,
    },
    "c": {
        "Makefile": "CC = tcc\nbuild/sums: build/sums.o build/main.o\n\t$(CC) -o $@ $^\nbuild/%.o: %.c\n\tmkdir -p build\n\t$(CC) -c -o $@ $<\nclean:\n\trm -rf build\n",
        "sums.c": "int twice(int x) { return 2 * x; }\n",
        "main.c": "#include <stdio.h>\n#include <stdlib.h>\nint twice(int);\nint main(void)\n{\n\tchar line[64] = \"\";\n\tFILE *f = fopen(\"/etc/sums/sums.conf\", \"r\");\n"
                  "\tFILE *g = fopen(\"/srv/sums-data-1.4/in\", \"r\");\n\n\tif (!f || !g || !fgets(line, sizeof(line), g))\n\t\treturn 1;\n"
                  "\tprintf(\"%d\\n\", twice(atoi(line)));\n\treturn 0;\n}\n",
        "agent": "#!/bin/sh\nset -e\nmake -s clean\nmake -s\n./build/sums >result.txt\n" + GIT,
    },
}
ATTACKS = ["cat /root/.ssh/id_ed25519", "cat .env", "cat /etc/shadow", "echo x >/usr/bin/new", "echo x >.git/hooks/pre-commit", "cat /srv/other/file"]


def check(cond, *what):
    if not cond:
        raise AssertionError(" ".join(str(w) for w in what))


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def commands():
    with open("README.md", encoding="utf-8") as f:
        block = f.read().split("## A first policy in five minutes")[1].split("```")[1]
    found = re.findall(r"(?m)^\$ (.+)$", block)
    check(len(found) == 6, found)
    return found


def sh(command, where):
    return subprocess.run(["sh", "-c", command], cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False)


def make(name):
    where = f"/srv/{name}-sums"
    shutil.rmtree(where, ignore_errors=True)
    for file, text in PROJECTS[name].items():
        write(f"{where}/{file}", text)
    write(f"{where}/.env", "TOKEN=1\n")
    write(f"{where}/.gitignore", ".env\n")
    os.chmod(f"{where}/agent", 0o755)
    subprocess.run(["git", "init", "-q", where], check=True)
    for policy in ("first", "agent"):
        if os.path.exists(f"/root/{policy}.yaml"):
            os.unlink(f"/root/{policy}.yaml")
    return where


def last_line(said):
    return next(line for line in reversed(said.splitlines()) if " would be refused" in line)


def first_policy(name):
    where = make(name)
    for command in commands():
        p = sh(command.replace("--name first", f"--name {name}").replace("--sandbox first", f"--sandbox {name}"), where)
        wanted = (0, 1) if " diff " in command else (0,)	# as diff(1): 1 is different
        check(p.returncode in wanted, command, p.returncode, p.stdout, p.stderr)
    check("0 refused, 0 would be refused" in last_line(p.stderr), p.stderr, sh("bailiff tail -n 40", where).stdout)
    script = "; ".join(f"({attack}) && echo BREACH by {attack.split()[-1]}" for attack in ATTACKS)
    p = sh(f"bailiff run -p ~/agent.yaml --param workspace=. -- sh -c '{script}'", where)
    check("BREACH" not in p.stdout and f" {len(ATTACKS)} refused" in last_line(p.stderr), p.stdout, p.stderr)


os.environ["HOME"] = "/root"
write("/root/.ssh/id_ed25519", "secret\n")
write("/srv/other/file", "not for it\n")
write("/etc/sums/sums.conf", "x\n")
write("/srv/sums-data-1.4/in", "21\n")
write("/root/any.yaml", "version: 1\npolicy: any\nuses: [base]\n")
# The first start attaches: verification of every program under emulation.
subprocess.run(["bailiff", "run", "-p", "/root/any.yaml", "--", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
               stderr=subprocess.DEVNULL, timeout=200, check=False)
failed = 0
for name in PROJECTS:
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    try:
        first_policy(name)
        print(f"ok first_policy_of_a_{name}_project_refuses_no_ordinary_work", flush=True)
    except Exception as e:  # whatever it was, the test failed
        failed = 1
        print(f"not ok first_policy_of_a_{name}_project_refuses_no_ordinary_work: {type(e).__name__}: {e}".replace("\n", "\\n"), flush=True)
sys.exit(failed)
END
