#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is our stand-in of Splunk's event collector stricter than the world? Splunk's own sender for JavaScript must get along with it."""
import json
import os
import shutil
import subprocess
import sys
import urllib.request

PACKAGE = "splunk-logging@0.11.1"
PLACE = os.path.abspath("build/npm/splunk-logging")
TOKEN = "11111111-2222-3333-4444-555555555555"
SENDER = r"""
const { Logger } = require(process.argv[2] + '/node_modules/splunk-logging');
const logger = new Logger({ token: process.argv[4], url: process.argv[3], maxBatchCount: 0, maxRetries: 0 });
logger.error = (err) => { console.log(JSON.stringify({ error: String(err) })); process.exit(1); };
logger.send({ message: { metadata: { uid: 'r-1' }, text: 'an object' }, severity: 'info',
	metadata: { source: 's', sourcetype: 'bailiff:event', index: 'main', host: 'h', time: 1790000000.123 } });
logger.send({ message: 'a text', severity: 'warn' });
logger.flush((err, response, body) => { console.log(JSON.stringify({ error: err && String(err), body })); });
"""


def install():
    """None, or why not."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    if os.path.isdir(os.path.join(PLACE, "node_modules", "splunk-logging")):
        return None
    os.makedirs(PLACE, exist_ok=True)
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", PLACE, PACKAGE],
                              capture_output=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        return "npm does not get the package in time"
    return None if done.returncode == 0 else "npm cannot get the package here"


def send(port, token):
    done = subprocess.run(["node", "-e", SENDER, "--", "x", PLACE, f"http://127.0.0.1:{port}", token], capture_output=True, text=True, timeout=60,
                          check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return lines[-1] if lines else {"error": done.stderr}


def main():
    name = "splunks_own_sender_gets_along_with_the_stand_in"
    why_not = install()
    if why_not:
        print(f"skip {name}: {why_not}")
        return 0
    receiver = subprocess.Popen([sys.executable, "tests/e2e/hec_receiver.py", "--port", "0", "--token", TOKEN, "--control", "--until-eof"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(receiver.stdout.readline().split()[1])
        good, bad = send(port, TOKEN), send(port, "wrong")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stats") as answer:
            stats = json.load(answer)
    finally:
        receiver.stdin.close()
        receiver.wait(10)
    taken = not good.get("error") and good.get("body", {}).get("code") == 0 and stats["received"] == 2
    print(f"ok {name}" if taken else f"not ok {name}: {good} {stats}")
    told = (bad.get("body") or {}).get("code") == 4 or "Invalid token" in str(bad)
    print("ok and_it_understands_our_refusal" if told else f"not ok and_it_understands_our_refusal: {bad}")
    return 0 if taken and told else 1


if __name__ == "__main__":
    sys.exit(main())
