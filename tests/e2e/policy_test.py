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
    assert any(r["id"] == "agent.work" and r["line"] == 6 for r in rules)
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
    expect(bailiff(where, "diff", *args[:2]), 2, "", "has no value")
    expect(bailiff(where, "diff", "agent.yaml", "missing.yaml", *args[2:]), 2, "", "missing.yaml: No such file")


@test
def wrong_command_lines_are_told_so(where):
    expect(bailiff(where), 2, "", "usage: bailiff policy")
    expect(bailiff(where, "--help"), 0, "usage: bailiff policy")
    expect(bailiff(where, "chek", "x"), 2, "", "did you mean `bailiff policy check`?")
    expect(bailiff(where, "check"), 2, "", "usage: bailiff policy check")
    expect(bailiff(where, "check", "a", "b"), 2, "", "usage: bailiff policy check")
    for sub in ("check", "explain", "diff", "show", "digest"):
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
