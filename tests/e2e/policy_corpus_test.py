#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The corpora of policies and bindings: tests/policies/good passes `bailiff policy check` (what it may say stands in NAME.expected), tests/policies/bad
does not, and the whole of what is said about each stands in NAME.expected, byte for byte. A message is read by somebody in a hurry: who
changes one looks at what changed. So for tests/bindings.

The JSON Schemas are judged by the same corpora, with a validator that is not ours: it passes the good ones and those bad ones that are of the
right form; bad ones with "structural" in their first comment fail it.

    tests/e2e/policy_corpus_test.py [NAME...]     run, with a diff for each message that is another
    tests/e2e/policy_corpus_test.py --rewrite     take what is said now as right; look at `git diff` then
"""
import difflib
import glob
import json
import os
import re
import subprocess
import sys

import jsonschema
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.abspath(os.path.join(os.environ.get("BUILD", os.path.join(HERE, "../../build")), "bailiff"))
CORPORA = {corpus: os.path.join(HERE, "..", corpus) for corpus in ("policies", "bindings")}
SCHEMAS = {
    "policies": ([], os.path.join(HERE, "../../docs/bailiff-policy.schema.json")),
    "bindings": (["--binding"], os.path.join(HERE, "../../docs/bailiff-binding.schema.json")),
}
PARAMS = ["workspace=/srv/ws", "home=/home/u", "db=10.0.0.1", "relative=ws", "badto=10.0.0.1/8"]
FAILED = []


def check(directory, name, *more):
    """Whatever was given to it: exit code, stdout, stderr, as bytes."""
    params = [word for param in PARAMS for word in ("--param", param)]
    done = subprocess.run([BINARY, "policy", "check", name, *params, *more], cwd=directory, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def say(good, name, why=""):
    print("ok" if good else "not ok", name + (": " + why if why else ""))
    if not good:
        FAILED.append(name)


def pinned(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def diff(path, want, got):
    texts = [text.decode(errors="backslashreplace").splitlines(keepends=True) for text in (want, got)]
    return "".join(difflib.unified_diff(*texts, path, "what is said"))


def message_problem(directory, stem, code, said):
    """What is wrong with what was said; None if nothing is."""
    path = os.path.join(directory, stem + ".expected")
    want = pinned(path)
    if said != want:
        print(diff(os.path.relpath(path), want, said))
        return "another message"
    if any(byte < 0x20 and byte != 0x0A or byte == 0x7F for byte in said):
        return "a control character is printed"
    try:
        said.decode()
    except UnicodeDecodeError:
        return "what is printed is not UTF-8"
    if code and b": error: " not in said:
        return "no error is named"
    return None


def json_problem(directory, name, code, said):
    """The same findings as JSON, in the same order, with a place and a kind."""
    json_code, out, err = check(directory, name, "--json")
    document = json.loads(out)
    lines = [line for line in said.decode().splitlines() if line.startswith(name) or line.startswith("preset:")]
    firsts = [line for line in lines if ": error: " in line or ": warning: " in line]
    if json_code != code or err or document["ok"] != (code == 0):
        return "--json ends otherwise"
    if len(document["findings"]) != len(firsts):
        return f"--json has {len(document['findings'])} findings, not {len(firsts)}"
    for finding, first in zip(document["findings"], firsts):
        place = f":{finding['line']}:{finding['column']}" if "line" in finding else ""
        if not first.startswith(f"{finding['file']}{place}: {finding['severity']}: "):
            return f"--json has another finding than {first!r}"
        if not finding["code"]:
            return f"no code for {first!r}"
    return None


def run_one(corpus, kind, name, rewrite):
    directory = os.path.join(CORPORA[corpus], kind)
    stem = name[: -len(".yaml")]
    code, _, said = check(directory, name)
    if rewrite:
        path = os.path.join(directory, stem + ".expected")
        if said:
            with open(path, "wb") as file:
                file.write(said)
        elif os.path.exists(path):
            os.unlink(path)
    problem = f"exit code {code}" if code != (kind == "bad") else message_problem(directory, stem, code, said)
    say(not problem, f"{corpus}/{kind}/{stem}", problem or json_problem(directory, name, code, said) or "")


# ---- the schema ----


class Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, which editors read: no dates, no yes and no."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)


def is_structural(text):
    comment = next((line for line in text.lstrip("\ufeff").splitlines() if line.startswith("#")), "")
    return "structural" in comment


def schema_problem(validator, path):
    """Whether the schema says what it should; a text that is no YAML is no matter of the schema."""
    raw = pinned(path)
    structural = is_structural(raw.decode(errors="replace"))
    try:
        document = yaml.load(raw.decode(), Loader=Loader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        return "no YAML, and marked structural" if structural else None
    if document is None:
        return None
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if structural and not error:
        return "the schema passes it: no \"structural\" in its first comment, then"
    if error and not structural:
        return f"the schema refuses it, so its first line is `# structural`: {error.json_path}: {error.message[:200]}"
    return None


def shipped_policies():
    return [path for place in ("user/policy/presets", "docs/examples") for path in glob.glob(os.path.join(HERE, "../..", place, "*.yaml"))]


def schema_test(corpus):
    options, kept = SCHEMAS[corpus]
    done = subprocess.run([BINARY, "policy", "schema", *options], capture_output=True, check=False)
    out = done.stdout
    say(done.returncode == 0 and not done.stderr, f"policy schema prints that of {corpus}")
    say(out == pinned(kept), f"the schema of {corpus} in docs is what the tables make", "" if out == pinned(kept) else "run `make docs`")
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    sets = {kind: [os.path.join(CORPORA[corpus], kind, name) for name in every(corpus, kind)] for kind in ("good", "bad")}
    if corpus == "policies":
        sets["shipped"] = shipped_policies()
    for kind, paths in sets.items():
        problems = [(path, schema_problem(validator, path)) for path in paths]
        for path, problem in problems:
            if problem:
                say(False, f"schema: {os.path.relpath(path)}", problem)
        say(not any(problem for _, problem in problems), f"the schema judges all {kind} {corpus} by their form")
    marked = [path for path in sets["bad"] if is_structural(pinned(path).decode(errors="replace"))]
    say(len(marked) >= 30, f"many bad {corpus} are of a wrong form", f"{len(marked)} are")
    for field in undescribed(schema, "$"):
        say(False, f"schema: {field}", "no description")


def undescribed(node, path):
    """Keys that an editor could not explain."""
    if isinstance(node, list):
        for item in node:
            yield from undescribed(item, path)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "properties":
            yield from (f"{path}.{name}" for name, inner in value.items() if not inner.get("description"))
        yield from undescribed(value, f"{path}.{key}")


def codes_test():
    """Programs rely on the codes: the manual lists those that there are, and no other."""
    used = set()
    for path in glob.glob(os.path.join(HERE, "../../user/policy/*.c")):
        used |= set(re.findall(r'CODE\("([a-z-]+)"\)', pinned(path).decode()))
    manual = pinned(os.path.join(HERE, "../../docs/policy.md")).decode()
    table = manual.split("| Code | Finding |", 1)[1].split("\n\n", 1)[0]
    listed = {code for line in table.splitlines() for code in re.findall(r"`([a-z-]+)`", line.split(" | ")[0])}
    say(used == listed, "the manual lists the codes of findings", ", ".join(sorted(used ^ listed)))


def every(corpus, kind):
    return sorted(name for name in os.listdir(os.path.join(CORPORA[corpus], kind)) if name.endswith(".yaml"))


def main():
    rewrite = "--rewrite" in sys.argv
    only = [arg for arg in sys.argv[1:] if arg != "--rewrite"]
    for corpus, kind in ((corpus, kind) for corpus in CORPORA for kind in ("good", "bad")):
        for name in every(corpus, kind):
            if not only or any(word in name for word in only):
                run_one(corpus, kind, name, rewrite)
    if not only:
        for corpus in CORPORA:
            schema_test(corpus)
        codes_test()
    say(only or len(every("policies", "bad")) >= 150, "the corpus has 150 bad policies", str(len(every("policies", "bad"))))
    return 1 if FAILED else 0


sys.exit(main())
