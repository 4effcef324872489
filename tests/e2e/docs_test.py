#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages and docs/coverage.md against what they describe: the programs' own tables, and the hooks in bpf/."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../.."))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
MAN = os.path.join(TOP, "docs/man")
TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


def said(program, *words):
    done = subprocess.run([os.path.join(BUILD, program), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (program, words, done.stderr)
    return done.stdout


def page(name):
    """A page as plain text: one line a paragraph's line, without fonts and escapes."""
    with open(os.path.join(MAN, name), encoding="utf-8") as f:
        text = f.read()
    return re.sub(r"\\f.", "", text).replace("\\-", "-").replace("\\&", "")


def option_heads(name):
    """The options that a page has an entry for."""
    heads = set()
    for line in page(name).splitlines():
        if line.startswith("-"):
            heads.update(re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", line))
    return heads


def options_of(text):
    """The options in a --help text: lines that begin with one."""
    found = set()
    for line in text.splitlines():
        entry = re.match(r"\s+((?:-\w, )?--[a-z][a-z-]*)", line)
        if entry:
            found.update(entry.group(1).split(", "))
    return found


def commands_of(text):
    return [m.group(1) for m in re.finditer(r"(?m)^  ([a-z]+)  ", text)]


@test
def every_setting_is_in_the_page_with_its_type_and_default():
    rows = re.findall(r"(?m)^\| `([^`]+)` \| ([^|]+) \| ([^|]*) \| ", said("bailiffd", "--settings-manual"))
    assert len(rows) > 20, rows
    text = page("bailiff.yaml.5")
    for key, kind, default in rows:
        default = default.strip().strip("`")
        ending = "(required)" if default == "required" else f"(default: {default or 'none'})"
        line = f"{key.removeprefix('sinks[].')} {kind.strip()} {ending}"
        assert line in text.splitlines(), f"no line `{line}`"


@test
def the_page_of_settings_has_none_that_is_not():
    known = {m.removeprefix("sinks[].") for m in re.findall(r"(?m)^\| `([^`]+)`", said("bailiffd", "--settings-manual"))}
    told = set(re.findall(r"(?m)^(\w+) \S+ \((?:required|default: .*)\)$", page("bailiff.yaml.5")))
    assert told == known, told ^ known


@test
def every_option_of_bailiffd_is_in_its_page():
    have = options_of(said("bailiffd", "--help").split("settings:")[0])
    assert have == option_heads("bailiffd.8"), have ^ option_heads("bailiffd.8")


@test
def every_command_and_option_of_bailiff_is_in_its_page():
    text = page("bailiff.1")
    options = set()
    for name in commands_of(said("bailiff", "help")):
        if name == "help":
            continue
        shown = said("bailiff", name, "--help")
        subs = [f"{name} {sub}" for sub in commands_of(shown)] if name in ("policy", "journal") else []
        assert subs or f"bailiff {name}" in text, name
        for sub in subs:
            assert f"bailiff {sub}" in text, sub
            shown += said("bailiff", *sub.split(), "--help")
        options |= options_of(shown)
    options -= {"-h", "--help"}
    assert len(options) > 20, options
    assert options == option_heads("bailiff.1"), options ^ option_heads("bailiff.1")


@test
def the_formatter_finds_no_fault_in_a_page():
    for path in sorted(glob.glob(MAN + "/*.[1-8]")):
        done = subprocess.run(["groff", "-man", "-ww", "-b", "-z", "-Tutf8", path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and not done.stderr, f"{os.path.basename(path)}: {done.stderr}"


@test
def make_help_lists_every_target():
    with open(os.path.join(TOP, "Makefile"), encoding="utf-8") as f:
        targets = next(line for line in f if line.startswith(".PHONY:")).split()[1:]
    shown = subprocess.run(["make", "-s", "-C", TOP, "help"], capture_output=True, text=True, check=True, timeout=60).stdout
    listed = re.findall(r"(?m)^  make ([a-z-]+) ", shown)
    assert sorted(listed) == sorted(targets), set(listed) ^ set(targets)


@test
def every_page_is_installed_where_man_looks():
    root = tempfile.mkdtemp(prefix="bailiff-docs.")
    try:
        subprocess.run(["make", "-s", "-C", TOP, "-o", "all", "install", f"BUILD={BUILD}", f"DESTDIR={root}", "prefix=/usr"], check=True,
                       capture_output=True, timeout=60)
        for path in glob.glob(MAN + "/*.[1-8]"):
            name = os.path.basename(path)
            there = os.path.join(root, "usr/share/man", f"man{name[-1]}", name)
            with open(there, "rb") as a, open(path, "rb") as b:
                assert a.read() == b.read(), name
    finally:
        shutil.rmtree(root)


@test
def coverage_names_every_hook_that_is_attached():
    with open(os.path.join(TOP, "docs/coverage.md"), encoding="utf-8") as f:
        text = f.read()
    hooks = set()
    for path in glob.glob(os.path.join(TOP, "bpf/*.bpf.[ch]")):
        with open(path, encoding="utf-8") as f:
            hooks |= {m.split("/")[1] for m in re.findall(r'SEC\("([a-z_]+/\w+)"\)', f.read())}
    assert len(hooks) > 50, hooks
    missing = sorted(h for h in hooks if not re.search(rf"`(?:\w+/)?{h}`", text))
    assert not missing, missing
    gone = sorted(set(re.findall(r"`(?:lsm|tp_btf|raw_tp|fentry)/(\w+)`", text)) - hooks)
    assert not gone, gone


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
