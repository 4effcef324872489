#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bailiff why: what it makes of the kernel's file (here a plain one), of a journal, and of what Bailiff did not refuse; and what run says of it."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cli_test import Host, Journal, check, equal, has, lines_of  # noqa: E402

TESTS = []
SECRET = '3s ago, 2 times: read "/srv/secret": refused (EACCES) by rule no-secrets (/p.yaml:7): credentials; ask security'
OTHER = '9s ago: create "/etc/a\\x0ab \\xc3\\xa4": refused (EACCES) by rule files.default (/p.yaml:3): no rule allows this path; ask platform; ' \
        'allowed instead: create below "/w"'
PEER = "9s ago: connect 192.0.2.1:443: refused (EACCES) by rule network.default (/p.yaml:1): no rule allows this address and port; ask platform"


def test(fn):
    TESTS.append(fn)
    return fn


def inside(h, text, *words):
    path = os.path.join(h.dir, "why")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return h.do("why", "--file", path, *words)


def refusal(n, path, **more):
    sandbox = {"id": "01A", "name": "agent", "operation": "open", "verb": "read",
               "rule": {"id": "no-secrets", "file": "/p.yaml", "line": 7, "why": "credentials", "owner": "security"}, **more}
    return {"metadata": {"uid": f"e{n}", "event_code": "decision"}, "class_uid": 1001, "time": 1700000000000 + 1000 * n, "severity_id": 3,
            "action_id": 2, "status_code": "EACCES", "message": "refused", "file": {"path": path}, "unmapped": {"sandbox": sandbox}}


@test
def inside_every_line_is_told_and_text_is_text_again():
    with Host() as h:
        p = inside(h, SECRET + "\n" + OTHER + "\n")
        equal(p.returncode, 0, p.stderr)
        equal(p.stdout.decode().splitlines(), [SECRET, OTHER.replace("\\xc3\\xa4", "ä")])


@test
def inside_one_act_is_looked_for_by_its_object():
    with Host() as h:
        text = SECRET + "\n" + OTHER + "\n" + PEER + "\n"
        for words, want in ((("read", "/srv/secret"), SECRET), (("connect", "192.0.2.1:443"), PEER)):
            p = inside(h, text, *words)
            equal((p.returncode, p.stdout.decode()), (0, want + "\n"), words)


@test
def a_path_is_looked_for_as_the_kernel_has_it():
    with Host() as h:
        os.symlink(h.dir, os.path.join(h.dir, "link"))
        line = f'0s ago: create "{os.path.realpath(h.dir)}/new": refused (EACCES) by rule x (/p.yaml:1); ask me'
        p = inside(h, line + "\n", "create", os.path.join(h.dir, "link", "new"))
        equal((p.returncode, p.stdout.decode()), (0, line + "\n"))


@test
def what_bailiff_did_not_refuse_is_said_and_what_else_may_have():
    with Host() as h:
        p = inside(h, "nothing was refused in this sandbox\n")
        equal(p.returncode, 1)
        has(p.stdout, "not Bailiff's refusal: nothing was refused in this sandbox")
        p = inside(h, SECRET + "\n", "read", "/no/such/file")
        equal(p.returncode, 1)
        has(p.stdout, "not Bailiff's refusal")
        has(p.stdout, "/no/such/file: No such file")
        check(b"no-secrets" not in p.stdout, p.stdout)


@test
def plain_permissions_that_refuse_are_named():
    with Host() as h:
        closed = os.path.join(h.dir, "closed")
        with open(closed, "w", encoding="utf-8"):
            pass
        os.chmod(closed, 0o600)
        p = inside(h, "nothing was refused in this sandbox\n", "read", closed)
        has(p.stdout, "plain permissions allow it")
        p = h.do("why", "--file", os.path.join(h.dir, "why"), "read", closed, user=65534, group=65534, extra_groups=[])
        has(p.stdout, f"refuse it: {closed} is of uid 0, gid 0, mode 0600; this is uid 65534, gid 65534")


@test
def outside_a_sandbox_it_says_what_to_ask():
    with Host() as h:
        for text in ("not in a sandbox\n", ""):
            p = inside(h, text)
            equal((p.returncode, p.stdout), (125, b""))
            has(p.stderr, "bailiff why EVENT|SANDBOX")
        p = h.do("why", "--file", "/no/such/file")
        equal(p.returncode, 125)
        has(p.stderr, "bailiff doctor")
        equal(h.do("why", "a", "b", "c").returncode, 2)


@test
def an_event_is_told_by_its_id():
    with Host() as h:
        j = Journal(h)
        j.segment([refusal(1, "/srv/one"), refusal(2, "/srv/two")])
        p = h.do("why", "--dir", j.dir, "e2")
        equal(p.returncode, 0, p.stderr)
        has(p.stdout, ': read "/srv/two": refused (EACCES) by rule no-secrets (/p.yaml:7): credentials; ask security\n')
        check(b"/srv/one" not in p.stdout, p.stdout)


@test
def a_sandbox_is_told_by_id_and_name_each_refusal_once_and_the_newest_first():
    with Host() as h:
        j = Journal(h)
        j.segment([refusal(1, "/srv/one", repeats=4), refusal(2, "/srv/two"), refusal(3, "/srv/one"), refusal(4, "/x", id="01B", name="b")])
        for who in ("01A", "agent"):
            got = h.do("why", "--dir", j.dir, who).stdout.decode().splitlines()
            equal(len(got), 2, got)
            has(got[0], ', 6 times: read "/srv/one"')
            has(got[1], '"/srv/two"')


@test
def of_many_refusals_the_last_eight_are_told():
    with Host() as h:
        j = Journal(h)
        j.segment([refusal(n, f"/srv/{n:02d}") for n in range(30)])
        got = h.do("why", "--dir", j.dir, "agent").stdout.decode().splitlines()
        equal([line.split('"')[1] for line in got], [f"/srv/{n}" for n in range(29, 21, -1)])


@test
def what_is_no_refusal_or_not_there_is_said():
    with Host() as h:
        j = Journal(h)
        allowed = {**refusal(1, "/srv/one"), "action_id": 1}
        j.segment([allowed])
        p = h.do("why", "--dir", j.dir, "e1")
        equal(p.returncode, 1)
        has(p.stdout, "not Bailiff's refusal")
        p = h.do("why", "--dir", j.dir, "e9")
        equal(p.returncode, 125)
        has(p.stderr, "no event and no sandbox")
        equal(h.do("why", "--dir", "/no/such", "e1").returncode, 125)


@test
def names_in_the_journal_cannot_drive_the_terminal():
    with Host() as h:
        j = Journal(h)
        j.segment([refusal(1, "/srv/\x1b[2J\n: refused by nobody")])
        p = h.do("why", "--dir", j.dir, "e1")
        check(b"\x1b" not in p.stdout and len(p.stdout.splitlines()) == 1, p.stdout)


@test
def run_tells_the_newest_refusal_when_its_command_failed_and_only_then():
    summary = {"refused": 3, "would": 0, "events": 12, "members": 0}
    with Host(summary={**summary, "why": SECRET, "why_more": 2}) as h:
        p = h.sandbox("false")
        equal(p.returncode, 1)
        equal(lines_of(p)[-2], f"bailiff: {SECRET} (and 2 more: bailiff why 01FAKE0001)")
        check(not any("no-secrets" in line for line in lines_of(h.sandbox("true"))))
    with Host(summary={**summary, "why": SECRET, "why_more": 0}) as h:
        equal(lines_of(h.sandbox("false"))[-2], f"bailiff: {SECRET}")
    with Host(summary=summary) as h:
        check("refused" in lines_of(h.sandbox("false"))[-1] and len(lines_of(h.sandbox("false"))) == 2)


def main():
    if os.geteuid():
        print("skip why: needs root, as bailiff does")
        return 0
    failed = 0
    for fn in TESTS:
        try:
            fn()
            print("ok", "why_" + fn.__name__, flush=True)
        except Exception as e:  # whatever it was, the test failed
            failed = 1
            print(f"not ok why_{fn.__name__}: {type(e).__name__}: {e}".replace("\n", "\\n"), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
