#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bailiff policy: exit codes, what goes where, JSON that parses."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(os.path.join(os.environ.get("BUILD", os.path.join(HERE, "../../build")), "bailiff"))
GOOD = """version: 1
policy: agent
uses: [base]
params: {workspace: path}
files:
  write: [{path: $workspace, id: agent.work, why: work}]
tests:
  - {"create $workspace/a": allowed}
"""
TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def bailiff(where, *args):
    done = subprocess.run([BINARY, "policy", *args], cwd=where, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def write(where, text, name="agent.yaml"):
    with open(os.path.join(where, name), "w", encoding="utf-8") as f:
        f.write(text)


def expect(got, code, out="", err=""):
    assert got[0] == code, f"exit code {got[0]}, not {code}: {got[1]}{got[2]}"
    assert out in got[1], f"{out!r} is not in {got[1]!r}"
    assert err in got[2], f"{err!r} is not in {got[2]!r}"


@test
def check_says_fine_and_what_is_wrong(where):
    write(where, GOOD)
    expect(bailiff(where, "check", "agent.yaml", "--param", "workspace=/srv/ws"), 0, "agent.yaml: fine: ")
    expect(bailiff(where, "check", "agent.yaml"), 1, "", "agent.yaml:4:10: error: parameter workspace has no value")
    write(where, GOOD.replace("allowed", "refused"))
    expect(bailiff(where, "check", "agent.yaml", "--param", "workspace=/srv/ws"), 1, "",
           'agent.yaml:8:5: error: test failed: "create /srv/ws/a" is allowed by agent.work')
    expect(bailiff(where, "check", "missing.yaml"), 1, "", "missing.yaml: No such file")


@test
def check_speaks_json(where):
    write(where, GOOD.replace("files:", "fiels:"))
    code, out, err = bailiff(where, "check", "agent.yaml", "--json", "--param", "workspace=/srv/ws")
    assert code == 1 and not err, err
    said = json.loads(out)
    assert said["ok"] is False
    assert said["findings"][0]["line"] == 5 and said["findings"][0]["column"] == 1
    assert said["findings"][0]["help"] == 'did you mean "files"?' and said["findings"][0]["code"] == "unknown-key"
    write(where, GOOD)
    code, out, _ = bailiff(where, "check", "agent.yaml", "--json", "--param", "workspace=/srv/ws")
    said = json.loads(out)
    assert code == 0 and said["ok"] is True and said["tests"] == 1 and said["findings"] == []


@test
def check_takes_bindings_too(where):
    text = "version: 1\nbind: coders\nmatch: {user: agent}\npolicy: agent\nstage: enforce\n"
    write(where, text, "b.yaml")
    expect(bailiff(where, "check", "b.yaml"), 0, "b.yaml: fine: a binding")
    write(where, text.replace("enforce", "enforced"), "b.yaml")
    expect(bailiff(where, "check", "b.yaml"), 1, "", 'b.yaml:5:8: error: "enforced" is not a stage')


@test
def a_ceiling_lies_beside_the_policy(where):
    write(where, "version: 1\npolicy: floor\nuses: [base]\nfiles: {read: [/srv]}\n", "floor.yaml")
    write(where, "version: 1\npolicy: p\nwithin: floor\nuses: [base]\nfiles: {read: [/srv/data]}\n")
    expect(bailiff(where, "check", "agent.yaml"), 0, "agent.yaml: fine: ")
    write(where, "version: 1\npolicy: p\nwithin: floor\nuses: [base]\nfiles: {read: [/opt]}\n")
    expect(bailiff(where, "check", "agent.yaml"), 1, "", 'which refuses "read /opt" by files.default')
    write(where, "version: 1\npolicy: p\nwithin: floors\nuses: [base]\n")
    expect(bailiff(where, "check", "agent.yaml"), 1, "", 'there is no ceiling "floors"')


@test
def a_workspace_of_dot_is_where_it_was_typed(where):
    write(where, GOOD)
    os.mkdir(os.path.join(where, "sub"))
    here = os.path.realpath(where)
    expect(bailiff(where, "explain", "agent.yaml", "--param", "workspace=./sub", f"create {here}/sub/x"), 0,
           f"create {here}/sub/x: allowed by agent.work (agent.yaml:6): work")
    expect(bailiff(where, "explain", "agent.yaml", "--param", "workspace=./none", "create /x"), 2, "", "workspace=./none: No such file")
    expect(bailiff(where, "explain", "agent.yaml", "--param", "workspace", "create /x"), 2, "", "write NAME=VALUE")


@test
def explain_answers_and_names_the_nearest(where):
    write(where, GOOD)
    args = ("agent.yaml", "--param", "workspace=/srv/ws")
    expect(bailiff(where, "explain", *args, "read /etc/shadow"), 0,
           "read /etc/shadow: refused by base.host-secrets (preset:base:")
    expect(bailiff(where, "explain", *args, "execute /srv/ws/x"), 0, "nearest allow: agent.work (agent.yaml:6): work\n  it is for another verb\n")
    expect(bailiff(where, "explain", *args, "open /x"), 2, "", "a question is ")
    expect(bailiff(where, "explain", *args, "--by", "/usr/bin/git", "read /etc/shadow"), 0, "refused by base.host-secrets")
    expect(bailiff(where, "explain", *args, "--by", "git", "read /x"), 2, "", "git")
    write(where, GOOD + "network: {connect: [{to: 10.0.0.0/8, id: net, until: 2097-03-31}]}\n", "ends.yaml")
    ends = ("ends.yaml", "--param", "workspace=/srv/ws", "connect 10.1.1.1:80")
    expect(bailiff(where, "explain", *ends), 0, "connect 10.1.1.1:80: allowed by net ")
    expect(bailiff(where, "explain", "--at", "2097-04-01", *ends), 0, "connect 10.1.1.1:80: refused by network.default ", "")
    expect(bailiff(where, "explain", "--at", "2097-04-01", *ends), 0, "nearest allow: net (ends.yaml:")
    expect(bailiff(where, "explain", "--at", "2097-04-01", *ends), 0, "\n  it has ended\n")
    expect(bailiff(where, "explain", "--at", "soon", *ends), 2, "", '"soon" is no time: write 2027-03-31')
    code, out, _ = bailiff(where, "explain", *args, "--json", "write /srv/ws/x", "connect 1.1.1.1:1")
    answers = json.loads(out)
    assert code == 0 and [a["verb"] for a in answers] == ["change", "create", "remove", "connect"]
    assert [a["verdict"] for a in answers] == ["allowed"] * 3 + ["refused"]


@test
def show_prints_rules_canonical_text_and_presets(where):
    write(where, GOOD)
    args = ("agent.yaml", "--param", "workspace=/srv/ws")
    expect(bailiff(where, "show", *args), 0, "  write           /srv/ws\n                    agent.work, agent.yaml:6: work\n")
    expect(bailiff(where, "show", "preset:git"), 0, "policy: git\n")
    expect(bailiff(where, "show", "preset:nothing"), 2, "", 'there is no preset "nothing"')
    code, canonical, _ = bailiff(where, "show", *args, "--canonical")
    write(where, canonical, "canonical.yaml")
    expect(bailiff(where, "show", "canonical.yaml", "--canonical"), 0, canonical)
    rules = json.loads(bailiff(where, "show", *args, "--json")[1])["rules"]
    assert any(r["id"] == "agent.work" and r["line"] == 6 and r["paths"] == ["/srv/ws"] for r in rules)
    assert any(r.get("preset") == "base" and r["preset_revision"] == 2 and r["id"] == "base.credentials" for r in rules)
    assert code == 0 and [r["id"] for r in rules] == sorted(r["id"] for r in rules)


@test
def digest_is_of_what_the_policy_does(where):
    write(where, GOOD)
    args = ("agent.yaml", "--param", "workspace=/srv/ws")
    code, digest, _ = bailiff(where, "digest", *args)
    assert code == 0 and digest.startswith("sha256:") and len(digest) == 72, digest
    write(where, bailiff(where, "show", *args, "--canonical")[1], "canonical.yaml")
    expect(bailiff(where, "digest", "canonical.yaml"), 0, digest)
    assert bailiff(where, "digest", "agent.yaml", "--param", "workspace=/srv/other")[1] != digest
    expect(bailiff(where, "digest", "agent.yaml"), 1, "", "has no value")


@test
def the_presets_are_listed_and_tested(where):
    expect(bailiff(where, "show"), 0, "\nnode        revision 1  Node.js programs and npm")
    names = [p["preset"] for p in json.loads(bailiff(where, "show", "--json")[1])]
    assert "base" in names and "claude" in names, names
    params = [w for n in ("git_host", "resolver", "pip_index", "npm_registry", "model") for w in ("--param", n + "=192.0.2.1")]
    for name in names:
        expect(bailiff(where, "test", "preset:" + name, *params), 0, ", 0 failed\n")
    expect(bailiff(where, "test", "preset:cod"), 1, "", 'there is no preset "cod"')
    expect(bailiff(where, "explain", "preset:dns", *params, "send 192.0.2.1:53/udp"), 0, "allowed by dns.resolver (preset:dns:11)")


@test
def test_shows_each_question_with_the_rule_that_answers(where):
    write(where, GOOD)
    args = ("agent.yaml", "--param", "workspace=/srv/ws")
    expect(bailiff(where, "test", *args), 0, "ok      create /srv/ws/a: allowed by agent.work (agent.yaml:6)\n1 test, 0 failed\n")
    write(where, GOOD.replace("allowed", "refused"))
    expect(bailiff(where, "test", *args), 1, "not ok  create /srv/ws/a: allowed, and line 8 wants it refused by agent.work")
    said = json.loads(bailiff(where, "test", *args, "--json")[1])
    assert said[0]["ok"] is False and said[0]["wanted"] == "refused" and said[0]["rule"]["id"] == "agent.work", said


@test
def every_example_passes_its_check(where):
    folder = os.path.join(HERE, "../../docs/examples")
    params = [w for p in ("workspace=/srv/ws", "home=/home/a", "origin=/srv/git/x", "tracker=127.0.0.1", "intranet=10.0.0.0/8")
              for w in ("--param", p)]
    for name in sorted(os.listdir(folder)):
        expect(bailiff(folder, "check", name, *params), 0, name + ": fine: ")


@test
def diff_says_what_is_newly_allowed_and_refused(where):
    write(where, GOOD)
    write(where, GOOD.replace("work}]", "work}]\n  deny: [{path: '**/.env', id: agent.env}]\nnetwork: {connect: [{to: 10.0.0.0/8, ports: [443]}]}"), "new.yaml")
    args = ("agent.yaml", "new.yaml", "--param", "workspace=/srv/ws")
    expect(bailiff(where, "diff", *args), 1, "newly allowed\n  connect 10.0.0.0/8 port 443 tcp\n      was refused by network.default (agent.yaml:2)")
    expect(bailiff(where, "diff", *args), 1, "      is refused by agent.env (new.yaml:7)\n")
    code, out, _ = bailiff(where, "diff", *args, "--json")
    said = json.loads(out)
    assert code == 1 and said["same"] is False
    assert said["newly_allowed"]["actions"][0]["addresses"] == ["10.0.0.0/8"]
    refused = said["newly_refused"]["actions"]
    assert all(a["patterns"][0]["pattern"] == "/**/.env" and a["example"].endswith("/.env") and a["is"]["id"] == "agent.env" for a in refused)
    assert sorted(v for a in refused for v in a["verbs"]) == ["execute", "read", "write"], refused
    write(where, "# other words\n" + GOOD, "same.yaml")
    expect(bailiff(where, "diff", "agent.yaml", "same.yaml", *args[2:]), 0, "they allow and refuse the same\n")
    assert json.loads(bailiff(where, "diff", "agent.yaml", "same.yaml", *args[2:], "--json")[1])["same"] is True
    write(where, GOOD.replace("files:\n", "files:\n  read: [{path: /srv/x, id: for-git, by: /usr/bin/git}]\n"), "by.yaml")
    expect(bailiff(where, "diff", "agent.yaml", "by.yaml", *args[2:]), 1, "compared rule by rule\n  newly for-git (by.yaml:6)\n")
    named = "calls: {refuse: [mount]}\nlimits: {memory: 2G}\nowner: me\n"
    write(where, GOOD.replace("why: work", "why: play") + named, "named.yaml")
    code, out, _ = bailiff(where, "diff", "agent.yaml", "named.yaml", *args[2:], "--json")
    said = json.loads(out)
    assert code == 1 and {"what": "limits.memory", "is": "2G", "matters": True} in said["settings"], said["settings"]
    assert {"what": "owner", "is": "me", "matters": False} in said["settings"], said["settings"]
    assert [rule["changed"] for rule in said["rules"] if rule.get("was", {}).get("id") == "agent.work"] == [["why"]], said["rules"]
    write(where, GOOD.replace("why: work", "why: play"), "named.yaml")
    expect(bailiff(where, "diff", "agent.yaml", "named.yaml", *args[2:]), 0,
           "they allow and refuse the same\nrules that came, went or changed\n  changed why of agent.work (named.yaml:6): play\n")
    expect(bailiff(where, "diff", *args[:2]), 2, "", "has no value")
    expect(bailiff(where, "diff", "agent.yaml", "missing.yaml", *args[2:]), 2, "", "missing.yaml: No such file")


@test
def lint_names_deputies_and_what_they_could_do(where):
    write(where, GOOD)
    args = ("agent.yaml", "--param", "workspace=/srv/ws")
    expect(bailiff(where, "lint", *args), 0)
    docker = "sockets: {unix: [{path: /run/docker.sock, i_accept: host-control}]}\n"
    write(where, GOOD.replace("tests:", docker + "tests:"))
    expect(bailiff(where, "lint", *args), 1, "agent.yaml:7:18: unix /run/docker.sock is allowed by sockets.unix.")
    said = json.loads(bailiff(where, "lint", *args, "--json")[1])
    assert said["has_tests"] and "root on this host" in said["findings"][0]["could"], said
    write(where, GOOD.replace("uses: [base]", "uses: [base]\nopen: [sockets]"))
    expect(bailiff(where, "lint", *args), 1, "unix /run/dbus/system_bus_socket is allowed by the open class: who can do that asks systemd")
    write(where, GOOD[:GOOD.index("tests:")])
    expect(bailiff(where, "lint", *args), 1, "agent.yaml: no tests: add tests:")


@test
def fmt_is_stable_and_keeps_remarks_and_digest(where):
    ugly = GOOD.replace("uses: [base]", "# why\nuses:   [ base ,git]   # more").replace("  write: [{path: $workspace, id", "    write:  [{ path: $workspace,\n   id")
    write(where, ugly)
    code, tidy, err = bailiff(where, "fmt", "agent.yaml")
    assert code == 0 and "# why\nuses: [base, git]  # more\n" in tidy and "  write: [{path: $workspace,\n           id: agent.work" in tidy, tidy + err
    expect(bailiff(where, "fmt", "agent.yaml", "--check"), 1, "agent.yaml\n")
    digest = bailiff(where, "digest", "agent.yaml", "--param", "workspace=/srv/ws")[1]
    expect(bailiff(where, "fmt", "agent.yaml", "-w"), 0)
    with open(os.path.join(where, "agent.yaml"), encoding="utf-8") as f:
        assert f.read() == tidy
    expect(bailiff(where, "fmt", "agent.yaml", "--check"), 0)
    expect(bailiff(where, "digest", "agent.yaml", "--param", "workspace=/srv/ws"), 0, digest)
    write(where, "a: [", "broken.yaml")
    expect(bailiff(where, "fmt", "broken.yaml"), 1, "", "broken.yaml:2: a value is expected here")


@test
def init_makes_a_policy_that_holds(where):
    for names in ((), ("package.json", ".git"), ("pyproject.toml", "Makefile"), ("go.mod", "Cargo.toml", "Dockerfile", "setup.py")):
        project = tempfile.mkdtemp(dir=where, prefix="My Project ")
        for name in names:
            write(project, "", name)
        code, text, err = bailiff(project, "init")
        assert code == 0, err
        expect(bailiff(project, "init", "-o", "p.yaml", "."), 0)
        expect(bailiff(project, "check", "p.yaml", "--param", "workspace=."), 0, "p.yaml: fine: ")
        expect(bailiff(project, "lint", "p.yaml", "--param", "workspace=."), 0)
        expect(bailiff(project, "fmt", "p.yaml", "--check"), 0)
        expect(bailiff(project, "init", "-o", "p.yaml"), 1, "", "not overwritten")
        assert all(f"because of {name}" in text for name in names if name in ("package.json", ".git", "Makefile", "setup.py")), text
    expect(bailiff(where, "init", "nowhere"), 1, "", "nowhere: No such file")


@test
def wrong_command_lines_are_told_so(where):
    expect(bailiff(where), 2, "", "usage: bailiff policy")
    expect(bailiff(where, "--help"), 0, "usage: bailiff policy")
    expect(bailiff(where, "chek", "x"), 2, "", "did you mean `bailiff policy check`?")
    expect(bailiff(where, "check"), 2, "", "usage: bailiff policy check")
    expect(bailiff(where, "check", "a", "b"), 2, "", "usage: bailiff policy check")
    for sub in ("check", "explain", "test", "diff", "show", "lint", "fmt", "init", "digest"):
        expect(bailiff(where, sub, "--help"), 0, "exit code: 0")


def main():
    failed = 0
    for fn in TESTS:
        where = tempfile.mkdtemp(prefix="bailiff-policy.")
        try:
            fn(where)
            print("ok", fn.__name__)
        except (AssertionError, ValueError, KeyError, IndexError, subprocess.TimeoutExpired) as e:
            failed = 1
            print("not ok", fn.__name__ + ":", " ".join(f"{type(e).__name__}: {e}".split()))
        shutil.rmtree(where)
    return failed


sys.exit(main())
