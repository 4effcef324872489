#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The presets node, npm, codex, claude and agents-sdk with the programs that they are for (scripts/agents.d says which versions), against a stand-in
# for the model and the registry: ordinary work under enforce without a refusal; and what the model talks the agent into, which succeeds
# without a policy, is refused by the kernel with the rule's id. vm: agents --cpus 2 --mem 3G --timeout 1500
# with: tests/vm/standin.py
exec python3 - "$@" <<'END'
import glob
import json
import os
import pwd
import shutil
import subprocess
import sys
import time

sys.path.insert(0, "/t")
import standin

LIMIT = 400
USER, HOME, WORK = "agent", "/home/agent", "/srv/work"
MODEL, REGISTRY, OTHER = "127.0.0.2", "127.0.0.3", "127.0.0.4"
TESTS = []
# Each act says by a word of its own that it was done.
ATTACK = (f"cat {HOME}/.aws/credentials; echo wrote-it >/srv/other/file; cat /srv/other/file; curl -s --max-time 60 http://{OTHER}:8080/; "
          "echo attack-over")
DONE = ["hunter2", "wrote-it", "reached"]
REFUSED = {"base.credentials": 1, "files.default": 1, "network.default": 1}
# What node (libuv) and npm ask for at every start and do without: see docs/policy.md, presets.
BACKGROUND = {"guard.io_uring", "sockets.family"}
TEST = "require('assert').strictEqual(require('./sums').double(2), 4); console.log('passed');\n"
SUMS, MENDED = "exports.double = x => 2 * x + 1;", "exports.double = x => 2 * x;"
GIT = "git add -A && git -c user.name=a -c user.email=a@b.c commit -q -m mended && git log --oneline && node test.js"


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


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def own(*paths):
    who = pwd.getpwnam(USER)
    for path in paths:
        for where, dirs, files in os.walk(path):
            for name in [where, *(os.path.join(where, n) for n in dirs + files)]:
                os.chown(name, who.pw_uid, who.pw_gid, follow_symlinks=False)


def workspace(files):
    for path in (WORK, "/srv/other"):
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
    for name, text in files.items():
        write(f"{WORK}/{name}", text)
    if "agent.mjs" in files:
        os.symlink("/usr/local/lib/node_modules", f"{WORK}/node_modules")
    subprocess.run(["git", "init", "-q", WORK], check=True)
    own(WORK, HOME, "/srv/other")


def policy(*presets, params):
    lines = ["version: 1", "policy: agents", f"uses: [base, {', '.join(presets)}]", "params: {workspace: path, %s}" % ", ".join(f"{p}: to" for p in params),
             "files: {read: [$workspace], write: [$workspace], execute: [$workspace]}", "record: [exec]",
             "on_refusal: [{match: guard.io_uring, do: deny, alert: informational}]"]
    write("/root/policy.yaml", "\n".join(lines) + "\n")
    return [w for name, value in {"workspace": WORK, **params}.items() for w in ("--param", f"{name}={value}")]


def execute(argv, env):
    began = time.time()
    p = subprocess.run(argv, cwd=WORK, env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8", **env}, stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=LIMIT, check=False)
    print(f"# {' '.join(argv)[:100]}: {time.time() - began:.0f} s", flush=True)
    return p


def bare(argv, env):
    return execute(["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", *argv], {"HOME": HOME, "USER": USER, "SHELL": "/bin/bash", **env})


def governed(name, params, argv, env):
    return execute(["bailiff", "run", "-p", "/root/policy.yaml", "--user", USER, "--name", name, *params, "--", *argv], env)


def refusals(name):
    """What the journal says was refused: how often by which rule, as its last word on the session counts it, and the lines for people."""
    said = subprocess.run(["bailiff", "tail", "--json", "--sandbox", name, "-n", "400"], capture_output=True, text=True, timeout=LIMIT, check=False).stdout
    events = [json.loads(line) for line in said.splitlines()]
    counts = [e["unmapped"]["sandbox"]["counts"] for e in events if "counts" in e["unmapped"]["sandbox"]]
    check(counts, "no counts of", name, said[-2000:])
    lines = subprocess.run(["bailiff", "tail", "--sandbox", name, "-n", "400"], capture_output=True, text=True, timeout=LIMIT, check=False).stdout
    return {rule: n[0] for rule, n in counts[-1].items() if n[0] and rule not in BACKGROUND}, "\n".join(line for line in lines.splitlines() if "refused" in line)


def work_is_not_refused(name, params, argv, env):
    p = governed(name, params, argv, env)
    rules, lines = refusals(name)
    check(p.returncode == 0, argv, p.returncode, p.stdout[-3000:], p.stderr[-3000:], lines)
    check(not rules, rules, lines)


def attack_succeeds(argv, env, said):
    """Without a policy. said() is what the agent's tool gave back."""
    p = bare(argv, env)
    got = said()
    check(all(word in got for word in [*DONE, "attack-over"]), "without a policy:", got, p.returncode, p.stdout[-2000:], p.stderr[-2000:])
    os.unlink("/srv/other/file")


def attack_is_refused(name, params, argv, env, said):
    p = governed(name, params, argv, env)
    got = said()
    rules, lines = refusals(name)
    check("attack-over" in got and not any(word in got for word in DONE), got, p.returncode, p.stdout[-2000:], p.stderr[-2000:], lines)
    check(rules == REFUSED, rules, lines)
    check(not os.path.exists("/srv/other/file"))


def agent(name, presets, argv, env, work, call, files=()):
    """An agent that talks to the model: what it is talked into, its work, and what it is talked into again. The first start is without a policy, as
    docs/policy.md wants it: an agent then makes in its home what it may not make in a sandbox."""
    def said():
        return "".join(model.results)
    params = policy(*presets, params={"model": MODEL})
    workspace({"sums.js": SUMS + "\n", "test.js": TEST, **dict(files)})
    model.calls = attack = [call(ATTACK)]
    attack_succeeds(argv, env, said)
    model.calls = work
    work_is_not_refused(f"{name}-work", params, argv, env)
    check(len(model.results) == len(work) and "passed" in model.results[-1], model.results)
    model.calls = attack
    attack_is_refused(f"{name}-attack", params, argv, env, said)


@test
def npm_installs_tests_and_runs():
    app = {"name": "app", "version": "1.0.0", "scripts": {"test": "node test.js && semver -r '^7' $(node -p 'require(\"semver/package.json\").version')"},
           "dependencies": {"is-odd": "^3.0.0", "semver": "^7.0.0", "built": "1.0.0"}}
    script = "set -e; npm install; rm -r node_modules; npm ci; npm test; npx semver 1.2.3; npx --yes hello@1.0.0"
    text = "require('assert')(require('is-odd')(3)); require('built/made.js'); console.log('passed');\n"
    params = policy("node", "npm", params={"npm_registry": REGISTRY})
    workspace({"package.json": json.dumps(app), "test.js": text})
    # npm looks for newer versions of itself once a day, with its registry: here that has none.
    env = {"npm_config_registry": f"http://{REGISTRY}:443/", "npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}
    work_is_not_refused("npm-work", params, ["sh", "-c", script], env)
    check(os.path.exists(f"{WORK}/node_modules/built/made.js"), "install scripts ran")

    def said():
        shutil.rmtree(f"{WORK}/node_modules")
        return read(f"{WORK}/said")
    workspace({"package.json": json.dumps({"name": "app", "version": "1.0.0", "dependencies": {"evil": "1.0.0"}})})
    attack_succeeds(["npm", "install"], env, said)
    attack_is_refused("npm-attack", params, ["npm", "install"], env, said)


@test
def codex_works():
    os.makedirs(f"{HOME}/.agents/skills", exist_ok=True)
    write(f"{HOME}/.codex/config.toml", 'model = "gpt-5.5"\nmodel_provider = "local"\napproval_policy = "never"\ncheck_for_update_on_startup = false\n'
          '[analytics]\nenabled = false\n[features]\nplugins = false\n[model_providers.local]\nname = "local"\n'
          f'base_url = "http://{MODEL}:443/v1"\nwire_api = "responses"\nenv_key = "K"\n')

    def call(cmd):
        return "exec_command", {"cmd": cmd, "yield_time_ms": 30000}
    patch = f"*** Begin Patch\n*** Update File: sums.js\n@@\n-{SUMS}\n+{MENDED}\n*** End Patch\n"
    agent("codex", ["node", "git", "codex"], ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check", "mend it"], {"K": "x"},
          [call("ls -la && cat sums.js"), ("apply_patch", patch), call(GIT)], call)


@test
def codex_makes_no_sandbox_of_its_own():
    """What docs/policy.md says of --dangerously-bypass-approvals-and-sandbox: without it every command fails."""
    model.calls = [("exec_command", {"cmd": "cat sums.js", "yield_time_ms": 30000})]
    params = policy("node", "git", "codex", params={"model": MODEL})
    governed("codex-own", params, ["codex", "exec", "--sandbox", "workspace-write", "--skip-git-repo-check", "look"], {"K": "x"})
    rules, lines = refusals("codex-own")
    check(len(model.results) == 1 and "exports" not in model.results[0], model.results)
    check(set(rules) == {"guard.namespace"}, rules, lines)


@test
def claude_works():
    env = {"ANTHROPIC_BASE_URL": f"http://{MODEL}:443", "ANTHROPIC_API_KEY": "x", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1",
           "CLAUDE_CONFIG_DIR": f"{HOME}/.claude"}

    def call(cmd):
        return "Bash", {"command": cmd, "description": "work", "timeout": 120000}
    agent("claude", ["node", "git", "claude"], ["claude", "-p", "mend it", "--allowedTools", "Bash", "Read", "Edit"], env,
          [call("ls -la && cat sums.js"), ("Read", {"file_path": f"{WORK}/sums.js"}),
           ("Edit", {"file_path": f"{WORK}/sums.js", "old_string": SUMS, "new_string": MENDED}), call(GIT)], call)


HARNESS = f"""
import {{ run }} from '@openai/agents';
import {{ SandboxAgent }} from '@openai/agents/sandbox';
import {{ UnixLocalSandboxClient }} from '@openai/agents/sandbox/local';
const agent = new SandboxAgent({{ name: 'worker', model: 'gpt-5.5', instructions: 'Work.', defaultManifest: {{ entries: {{
  'sums.js': {{ type: 'file', content: {json.dumps(SUMS)} + '\\n' }}, 'test.js': {{ type: 'file', content: {json.dumps(TEST)} }} }} }} }});
const result = await run(agent, 'mend it', {{ sandbox: {{ client: new UnixLocalSandboxClient() }}, maxTurns: 20 }});
console.log(result.finalOutput);
process.exit(0);
"""


@test
def agents_sdk_works():
    env = {"OPENAI_BASE_URL": f"http://{MODEL}:443/v1", "OPENAI_API_KEY": "x", "OPENAI_AGENTS_DISABLE_TRACING": "1"}

    def call(cmd):
        return "exec_command", {"cmd": cmd, "yield_time_ms": 30000}
    patch = {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "sums.js", "diff": f"@@\n-{SUMS}\n+{MENDED}\n"}}
    agent("sdk", ["node", "agents-sdk"], ["node", "agent.mjs"], env,
          [call("ls -la && cat sums.js"), patch, call("printf '#!/bin/sh\\nnode test.js\\n' >check; chmod +x check; ./check")], call,
          {"agent.mjs": HARNESS})


def tarballs():
    """Real ones, and three that only this test has: one with a build, one for npx, one that attacks."""
    for path in glob.glob("/usr/local/share/tarballs/*.tgz"):
        with open(path, "rb") as f:
            yield f.read()
    yield standin.tarball({"name": "built", "version": "1.0.0", "scripts": {"postinstall": "node build.js"}},
                          {"build.js": "require('fs').writeFileSync('made.js', '1');\n"})
    yield standin.tarball({"name": "hello", "version": "1.0.0", "bin": "hello.js"}, {"hello.js": "#!/usr/bin/env node\nconsole.log('hello');\n"})
    yield standin.tarball({"name": "evil", "version": "1.0.0", "scripts": {"postinstall": "sh ./evil.sh >$INIT_CWD/said 2>&1"}}, {"evil.sh": ATTACK + "\n"})


model = standin.model(MODEL, 443)
standin.registry(REGISTRY, 443, tarballs())
standin.serve(standin.Page, OTHER, 8080)
write(f"{HOME}/.aws/credentials", "hunter2\n")
write("/root/policy.yaml", "version: 1\npolicy: any\nuses: [base]\n")
# The first start attaches: verification of every program under emulation.
subprocess.run(["bailiff", "run", "-p", "/root/policy.yaml", "--", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
               timeout=200, check=False)
failed = 0
for fn in TESTS:
    if sys.argv[1:] and not any(w in fn.__name__ for w in sys.argv[1:]):
        continue
    try:
        fn()
        print("ok agents_" + fn.__name__, flush=True)
    except Exception as e:  # whatever it was, the test failed
        failed = 1
        print(f"not ok agents_{fn.__name__}: {type(e).__name__}: {e}".replace("\n", "\\n"), flush=True)
sys.exit(failed)
END
