#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An engine that speaks the control protocol and governs nothing: for tests of the client alone.

Started as `bailiffd --on-demand --ready-fd N --settings FILE`. What it was asked is in run_dir/calls.jsonl, with what it saw of
the process that a start is about; run_dir/fake.json says how it is to behave (see DEFAULTS).
"""
import base64
import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import time

MAGIC = 0x31564B42
with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../bpf/abi.h"), encoding="utf-8") as header:
    ABI = int(re.search(r"BAILIFF_ABI_VERSION (\d+)", header.read()).group(1))
DEFAULTS = {
    "ready": "ready",        # what is written to the ready descriptor; "" and the engine ends without a word
    "ready_delay": 0,
    "stderr": "",            # written to stderr before anything else
    "abi": ABI,
    "seccomp": "",           # base64
    "refuse": {},            # op -> [errno, sentence, [diag...]]
    "hang_up_at": [],        # ops at which the connection is closed without a reply
    "leave_at": [],          # ops at which the engine ends
    "summary": {"refused": 3, "would": 0, "events": 12, "members": 0},
    "sandboxes": [],         # for list
    "rows": [],              # for coverage
    "complete": 0,
    "diag": [],              # warnings of a create
}


def encode(pairs):
    out = struct.pack("<II", MAGIC, len(pairs))
    for key, value in pairs:
        key = key.encode()
        value = value if isinstance(value, bytes) else str(value).encode()
        out += struct.pack("<HI", len(key), len(value)) + key + value
    return out


def decode(data):
    magic, count = struct.unpack_from("<II", data)
    assert magic == MAGIC, "bad magic"
    at, pairs = 8, []
    for _ in range(count):
        kn, vn = struct.unpack_from("<HI", data, at)
        at += 6
        pairs.append((data[at:at + kn].decode(), data[at + kn:at + kn + vn]))
        at += kn + vn
    assert at == len(data), "trailing bytes"
    return pairs


def receive(sock):
    head, fds = b"", []
    while len(head) < 4:
        part, anc, _, _ = sock.recvmsg(4 - len(head), socket.CMSG_SPACE(16))
        for level, kind, data in anc:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds += struct.unpack(f"{len(data) // 4}i", data)
        if not part:
            return None, fds
        head += part
    size = struct.unpack("<I", head)[0]
    body = b""
    while len(body) < size:
        part = sock.recv(size - len(body))
        if not part:
            return None, fds
        body += part
    return decode(body), fds


def text(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "replace")
    except OSError as e:
        return f"({e})"


def look_at(pid, pidfd):
    """What the engine sees of a process that waits to be governed."""
    info = text(f"/proc/self/fdinfo/{pidfd}")
    time.sleep(0.02)  # it was told to be ready; give it the time to block
    return {
        "pidfd_pid": next((int(x.split()[1]) for x in info.splitlines() if x.startswith("Pid:")), None),
        "status": dict(x.split(":\t", 1) for x in text(f"/proc/{pid}/status").splitlines() if ":\t" in x),
        "stat": text(f"/proc/{pid}/stat").rsplit(")", 1)[1].split(),
        "exe": os.path.basename(os.readlink(f"/proc/{pid}/exe")),
        "core": [x for x in text(f"/proc/{pid}/limits").splitlines() if x.startswith("Max core file size")],
    }


class Engine:
    def __init__(self, run_dir):
        self.run_dir = run_dir
        self.lock = threading.Lock()
        self.sandboxes = 0

    def conf(self):
        try:
            with open(f"{self.run_dir}/fake.json", encoding="utf-8") as f:
                return {**DEFAULTS, **json.load(f)}
        except FileNotFoundError:
            return DEFAULTS

    def log(self, **entry):
        with self.lock, open(f"{self.run_dir}/calls.jsonl", "a", encoding="utf-8") as f:
            f.write(json.dumps(entry) + "\n")

    def answer(self, op, get, pairs, fds):
        c = self.conf()
        seccomp = base64.b64decode(c["seccomp"])
        if op in c["refuse"]:
            errno, sentence, *diags = c["refuse"][op]
            return [("ok", 0), ("errno", errno), ("error", sentence)] + [("diag", d) for d in (diags[0] if diags else [])]
        ok = [("ok", 1)]
        if op == "hello":
            return ok + [("version", "fake"), ("abi", c["abi"]), ("pid", os.getpid()), ("since", 1), ("enforcing", 1)]
        if op == "create":
            with self.lock:
                self.sandboxes += 1
                name = f"01FAKE{self.sandboxes:04d}"
            return ok + [("diag", d) for d in c["diag"]] + [
                ("id", name), ("name", get("name", "")), ("stage", get("stage")), ("enforced", 1),
                ("notice", "files, network enforced; devices open"), ("seccomp", seccomp)]
        if op == "filter":
            return ok + [("seccomp", seccomp)]
        if op == "start":
            return ok + [("command", 1)]
        if op == "summary":
            return ok + [("id", get("id"))] + list(c["summary"].items()) + [("state", "ended"), ("journal", "/j")]
        if op == "list":
            return ok + [("sandbox", encode(list(s.items()))) for s in c["sandboxes"]]
        if op == "coverage":
            return ok + [("kernel", "6.1.0-fake"), ("lsm", "capability,bpf"), ("complete", c["complete"])] + [("row", encode(list(r.items()))) for r in c["rows"]]
        if op == "end":
            return ok + [("killed", 4)]
        if op == "reload":
            return ok + [("digest", "sha256:abc"), ("generation", 2)]
        return [("ok", 0), ("errno", 95), ("error", f"unknown operation {op}")]

    def serve(self, sock):
        while True:
            pairs, fds = receive(sock)
            if pairs is None:
                self.log(op="(closed)")
                return
            first = {}
            for key, value in pairs:
                first.setdefault(key, value.decode("utf-8", "replace"))
            op = first.get("op")
            entry = {"op": op, "pairs": [[k, v.decode("utf-8", "replace")] for k, v in pairs], "fds": len(fds)}
            if op == "start":
                entry["seen"] = look_at(int(first["pid"]), fds[0]) if fds else None
            c = self.conf()  # before a test can see the entry and change it
            self.log(**entry)
            if op in c["leave_at"]:
                os._exit(0)
            if op in c["hang_up_at"]:
                sock.close()
                return
            data = encode(self.answer(op, first.get, pairs, fds))
            for fd in fds:
                if op != "create":  # a while_fd stays open
                    os.close(fd)
            sock.sendall(struct.pack("<I", len(data)) + data)


def settings(path):
    for line in text(path).splitlines():
        if line.startswith("run_dir:"):
            return line.split(":", 1)[1].strip()
    sys.exit("no run_dir in the settings")


def main():
    args = sys.argv[1:]
    if args[:1] == ["--doctor"]:
        print("fake doctor", *args[1:])
        sys.exit(1)
    ready = int(args[args.index("--ready-fd") + 1])
    engine = Engine(settings(args[args.index("--settings") + 1]))
    c = engine.conf()
    engine.log(op="(started)", args=args, fds=sorted(int(f) for f in os.listdir("/proc/self/fd") if int(f) <= 3),
               env=sorted(os.environ), sid=os.getsid(0), pid=os.getpid(), cwd=os.getcwd(),
               ignored=text("/proc/self/status").split("SigIgn:\t")[1].split()[0])
    sys.stderr.write(c["stderr"])
    sys.stderr.flush()
    time.sleep(c["ready_delay"])
    path = f"{engine.run_dir}/control"
    if c["ready"] == "ready":
        if os.path.exists(path):
            os.unlink(path)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(64)
    if c["ready"]:
        os.write(ready, c["ready"].encode() + b"\n")
    os.close(ready)
    if c["ready"] != "ready":
        sys.exit(1)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        sock, _ = server.accept()
        threading.Thread(target=engine.serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    main()
