#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
A second opinion on Bailiff's journal, for auditors: written from docs/journal.md alone, it shares no line with Bailiff. It needs python3's standard
library and the openssl program, which checks the Ed25519 signatures.

usage: verify.py DIR --key FILE [--head SEGMENT:LINES:ROOT]
exit code: 0 intact, 1 not intact, 2 usage, 125 it could not be checked
"""
import base64
import datetime
import hashlib
import os
import re
import subprocess
import sys
import tempfile

LINE_MAX = 1 << 20
OWN = b'{"unmapped":{"journal":{'
CHECKPOINT = OWN + b'"kind":"checkpoint"'
ZERO = bytes(32)

# ---- the two lines that the journal itself writes ----
NUMBER, SEQ, HASH, WORD = rb"(0|[1-9][0-9]*)", rb"([0-9]{20})", rb"([0-9a-f]{64})", rb"([A-Za-z0-9._-]{0,%d})"
BASE = rb',"activity_id":99,"activity_name":"Journal","category_uid":0,"class_uid":0,"type_uid":99,"severity_id":1,"time":'
META = rb',"metadata":\{"version":"1\.8\.0","product":\{"name":"Bailiff","vendor_name":"Bailiff"\},"uid":"'
HEADER = re.compile(
    re.escape(OWN) + rb'"kind":"segment","format":2,"id":"([0-9a-f]{32})","segment":"' + SEQ + rb'","host":"' + WORD % 64
    + rb'","boot_id":"' + WORD % 36 + rb'","key_epoch":' + NUMBER + rb',"key":"' + HASH + rb'","endorsed":"([0-9a-f]{128})","oldest":"' + SEQ
    + rb'","previous":\{"segment":"' + SEQ + rb'","lines":' + NUMBER + rb',"root":"' + HASH + rb'","damaged":([01])\}\}\}' + BASE + NUMBER + META
    + rb'([0-9a-f]{32})-' + SEQ + rb'"\},"message":"journal segment opened"\}')
SEAL = re.compile(
    re.escape(CHECKPOINT) + rb',"id":"([0-9a-f]{32})","segment":"' + SEQ + rb'","lines":' + NUMBER + rb',"root":"' + HASH + rb'","key_epoch":' + NUMBER
    + rb',"closes":([01]),"signature":"([0-9a-f]{128})"\}\}' + BASE + NUMBER + META + rb'([0-9a-f]{32})-' + SEQ
    + rb'"\},"message":"journal checkpoint"\}')
FOREIGN = re.compile(re.escape(OWN) + rb'"kind":"segment","format":(?!2,)[1-9]')
STATE = re.compile(r"([0-9]{20}):(0|[1-9][0-9]*):([0-9a-f]{64})")
PLACE = re.compile(r"bailiff-cursor-2 ([0-9a-f]{32}) (0|[1-9][0-9]*) (-|" + STATE.pattern.replace("(", "(?:") + r")\n")


class Wrong(Exception):
    """The record is not what it was."""


class Unchecked(Exception):
    """Nothing can be said about it."""


class Own:    # the members of a header or checkpoint, as they stand
    def __init__(self, names, match):
        for name, value in zip(names, match.groups()):
            text = value.decode()
            setattr(self, name, int(text) if name in NUMBERS else text)


NUMBERS = {"segment", "key_epoch", "oldest", "previous", "previous_lines", "damaged", "time", "lines", "closes", "uid_seq"}
HEADER_NAMES = ("id", "segment", "host", "boot_id", "key_epoch", "key", "endorsed", "oldest", "previous", "previous_lines", "previous_root",
                "damaged", "time", "uid", "uid_seq")
SEAL_NAMES = ("id", "segment", "lines", "root", "key_epoch", "closes", "signature", "time", "uid", "uid_seq")


def parse(pattern, names, line):
    match = pattern.fullmatch(line)
    own = match and Own(names, match)
    if not own or any(getattr(own, n) >= 1 << 64 for n in names if n in NUMBERS):
        return None
    return own if own.uid == own.id and own.uid_seq == own.segment + getattr(own, "lines", 0) else None


def header(line):
    return parse(HEADER, HEADER_NAMES, line)


def checkpoint(line):
    return parse(SEAL, SEAL_NAMES, line)


# ---- signatures ----
class Openssl:
    def __init__(self, directory):
        self.dir = directory
        self.known = {}

    def write(self, name, data):
        with open(os.path.join(self.dir, name), "wb") as f:
            f.write(data)
        return f.name

    def signed(self, key, signature, *lines):
        text = "".join(f"{line}\n" for line in lines).encode()
        what = (key, signature, text)
        if what not in self.known:
            der = bytes.fromhex("302a300506032b6570032100" + key)
            pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"
            args = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", self.write("key", pem), "-in", self.write("text", text),
                    "-sigfile", self.write("signature", bytes.fromhex(signature))]
            self.known[what] = subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
        return self.known[what]

    def checkpoint(self, key, c):
        return self.signed(key, c.signature, "bailiff-journal-checkpoint-2", c.id, f"{c.segment:020}", c.lines, c.root, c.key_epoch, c.closes, c.time)

    def header(self, key, h):
        return self.signed(key, h.endorsed, "bailiff-journal-segment-2", h.id, f"{h.segment:020}", h.host, h.boot_id, h.key_epoch, h.key,
                           f"{h.oldest:020}", f"{h.previous:020}", h.previous_lines, h.previous_root, h.damaged, h.time)


def read_key(path):
    try:
        out = subprocess.run(["openssl", "pkey", "-pubin", "-in", path, "-outform", "DER"], capture_output=True, check=False)
    except OSError as e:
        raise Unchecked(f"openssl: {e.strerror}") from e
    if out.returncode or len(out.stdout) != 44 or out.stdout[:12].hex() != "302a300506032b6570032100":
        raise Unchecked(f"{path} is no Ed25519 public key (PEM)")
    return out.stdout[12:].hex()


# ---- the tree: RFC 9162, as the digits of a binary counter ----
def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


class Tree:
    def __init__(self, other=None):
        self.leaves = other.leaves if other else 0
        self.nodes = dict(other.nodes) if other else {}

    def add(self, digest):
        level = 0
        while self.leaves >> level & 1:
            digest = hashlib.sha256(b"\1" + self.nodes.pop(level) + digest).digest()
            level += 1
        self.nodes[level] = digest
        self.leaves += 1

    def root(self):
        out = None
        for level in sorted(self.nodes):
            out = hashlib.sha256(b"\1" + self.nodes[level] + out).digest() if out else self.nodes[level]
        return (out or hashlib.sha256(b"").digest()).hex()


# ---- one segment ----
class Segment:
    """Lines against their hashes, checkpoints against the tree. What is wrong first is in `damage`."""

    def __init__(self, verifier, first):
        self.v, self.first = verifier, first
        self.header = self.last = None
        self.lines = self.size = self.checkpoints = self.torn_at = self.bad_line = 0
        self.missing_at = None       # number of the first line without a stored hash
        self.tree, self.stored = Tree(), None
        self.damage, self.ends_signed = "", False
        path = os.path.join(verifier.dir, f"{first:020}.")
        try:
            with open(path + "leaf", "rb") as f:
                data = f.read()
        except FileNotFoundError:
            data = b""
        self.hashes = [data[i:i + 32] for i in range(0, len(data) - len(data) % 32, 32)]
        with open(path + "jsonl", "rb") as f:
            self.read(f)
            self.torn = max(0, os.fstat(f.fileno()).st_size - self.size)

    def wrong(self, text):
        self.damage = self.damage or f"segment {self.first:020} {text}"

    def read(self, f):
        while not self.damage:
            line = f.readline(LINE_MAX + 2)
            if len(line) > LINE_MAX + 1 or (len(line) == LINE_MAX + 1 and not line.endswith(b"\n")):
                self.wrong(f"line {self.lines + 1}: is longer than any line may be")
            elif not line.endswith(b"\n"):
                break
            else:
                self.line(line[:-1])
        if self.bad_line:
            self.wrong(f"line {self.bad_line}: {self.bad_how}")
        if len(self.hashes) > self.lines:
            self.wrong(f"line {self.lines + 1}: is missing with all behind it; their {len(self.hashes) - self.lines} leaf hashes are there")

    def line(self, text):
        whole = len(text) >= 2 and text[:1] == b"{" and text[-1:] == b"}" and b"\0" not in text
        if not self.torn_at and self.lines >= len(self.hashes) and not whole:
            self.torn_at = self.lines + 1
        if self.torn_at:    # only the rest of the same crash may stand behind it
            c = checkpoint(text)
            if c and not self.misfit(c):
                self.wrong(f"line {self.torn_at}: is damaged, and a signed checkpoint stands behind it")
            return
        digest = leaf(text)
        stored = self.compare(digest)
        self.content(text)
        self.tree.add(digest)
        if self.bad_line:
            self.stored.add(stored or digest)
        self.lines += 1
        self.size += len(text) + 1
        for state in self.v.states:
            if state["segment"] == self.first and state["lines"] == self.lines:
                state["found"] = state["root"] == self.tree.root()

    def compare(self, digest):
        at = self.lines
        stored = self.hashes[at] if at < len(self.hashes) and self.hashes[at] != ZERO else None
        if not stored and self.missing_at is None:
            self.missing_at = at + 1
        if self.bad_line and at + 1 == self.bad_line + 1 and self.bad_stored == digest:
            self.bad_how = "does not match its leaf hash, which is that of the next line: a line was put in here"
        if stored and stored != digest and not self.bad_line:
            self.bad_line, self.bad_stored, self.stored = at + 1, stored, Tree(self.tree)
            removed = self.hashes[at + 1:at + 2] == [digest]
            self.bad_how = "does not match its leaf hash" + (" but that of the next line: a line was removed here" if removed else "")
        return stored

    def content(self, text):
        if not self.lines:
            self.header = header(text)
            if not self.header:
                self.wrong("line 1: is not the header of a segment")
            elif self.header.segment != self.first:
                self.wrong(f"line 1: is the header of segment {self.header.segment:020}")
                self.header = None
            return
        if self.ends_signed and self.last.closes:
            self.wrong(f"line {self.lines + 1}: stands behind the checkpoint that closes the segment")
        self.ends_signed = False
        if text.startswith(CHECKPOINT):
            self.seal(checkpoint(text))
        elif text.startswith(OWN):
            self.wrong(f"line {self.lines + 1}: poses as a line of the journal itself")

    def misfit(self, c):
        h = self.header
        if not h or c.id != h.id or c.segment != self.first:
            return "is the checkpoint of another segment or journal"
        if c.key_epoch != h.key_epoch:
            return "is a checkpoint of another key epoch than the header"
        if not self.v.openssl.checkpoint(h.key, c):
            return "is a checkpoint with a signature that is not by the key of this segment: forged or changed"
        return None

    def seal(self, c):
        at, root = self.lines + 1, self.tree.root()
        misfit = self.misfit(c) if c else "is a malformed checkpoint"
        if misfit:
            if not self.bad_line or self.bad_line == at:
                self.wrong(f"line {at}: {misfit}")
        elif self.bad_line:
            self.judge(c, at, root)
        elif c.lines != self.lines:
            self.wrong(f"line {at}: the checkpoint covers {c.lines} lines but stands behind {at - 1}: lines were removed or put in before it")
        elif c.root != root:
            self.wrong(f"lines 1 to {at - 1}: do not give the root that the checkpoint in line {at} signs: at least one was changed")
        elif not self.damage:
            self.last, self.ends_signed = c, True
            self.checkpoints += 1

    def judge(self, c, at, root):
        """Line and hash disagree: which of the two does this checkpoint confirm?"""
        if c.lines != self.lines:
            return
        bad = f"line {self.bad_line}: does not match its leaf hash; the checkpoint in line {at} confirms the "
        if c.root == root:
            self.wrong(bad + "line: the .leaf file was changed")
        elif c.root == self.stored.root():
            self.wrong(bad + "hash: the line was changed")


# ---- the chain ----
class Verifier:
    def __init__(self, directory, key, head, openssl):
        self.dir, self.key, self.openssl = directory, key, openssl
        self.states = [state(head, None)] if head else []
        self.before = None
        self.segments = self.lines = self.checkpoints = self.torn = 0
        self.anchor = None
        self.kept_from = self.kept_ms = 0
        self.begins = 1

    def list(self):
        names = (n for n in os.listdir(self.dir) if re.fullmatch(r"[0-9]{20}\.jsonl", n))
        return sorted(int(n[:20]) for n in names if int(n[:20]))

    def first_line(self, first):
        with open(os.path.join(self.dir, f"{first:020}.jsonl"), "rb") as f:
            line = f.readline(2048)
        return line[:-1] if line.endswith(b"\n") else b""

    def foreign(self, first):
        line = self.first_line(first)
        try:
            with open(os.path.join(self.dir, f"{first:020}.leaf"), "rb") as f:
                return bool(FOREIGN.match(line)) and f.read(32) == leaf(line)
        except FileNotFoundError:
            return False

    def look_ahead(self, segments):
        """The newest header says what is kept; places of sinks say what they have confirmed."""
        if self.foreign(segments[0]):
            raise Unchecked("this journal is of another format than 2")
        h = next((h for h in (header(self.first_line(s)) for s in reversed(segments)) if h), None)
        if not h:
            return segments
        self.kept_from, self.kept_ms = h.oldest, h.time
        self.witnesses(h.id)
        return [s for s in segments if s >= h.oldest] if h.oldest in segments else segments

    def witnesses(self, journal_id):
        places = os.path.join(self.dir, "cursors")
        for name in sorted(os.listdir(places)) if os.path.isdir(places) else []:
            if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", name):
                continue
            with open(os.path.join(places, name), encoding="ascii", errors="replace") as f:
                match = PLACE.fullmatch(f.read(400))
            if match and match[1] == journal_id and match[3] != "-":
                self.states.append(state(match[3], name))

    def run(self):
        segments = self.list()
        if not segments:
            raise Unchecked("there is no journal here")
        segments = self.look_ahead(segments)
        for i, first in enumerate(segments):
            self.segment(Segment(self, first), i == len(segments) - 1, first == segments[0])
        if not self.before:
            raise Unchecked("there is no journal here")
        for s in self.states:
            self.state(s, segments[0])

    def segment(self, s, last, begins):
        self.segments += 1
        where = f"segment {s.first:020} line 1"
        if begins:
            self.begins = s.first
        try:
            if s.header:
                (self.chain if self.before else self.beginning)(s, where)
                self.lines += s.lines
                self.checkpoints += s.checkpoints
                self.anchor = (s.first + s.last.lines, s.last.time) if s.last else self.anchor
        except Wrong:
            if not s.damage:
                raise
        if s.damage:
            raise Wrong(s.damage)    # nearer than that it does not fit
        if not s.header and not last:
            raise Wrong(f"{where}: is missing")
        if last:
            self.torn = s.torn
        if s.header:
            self.before = s

    def chain(self, s, where):
        b, h = self.before, s.header
        name = f"segment {b.first:020}"
        if h.id != b.header.id:
            raise Wrong(f"{where}: belongs to another journal")
        if h.previous != b.first:
            raise Wrong(f"{where}: follows segment {h.previous:020}, which is not here: removed")
        if h.damaged:
            raise Wrong(f"{name}: was found damaged when segment {s.first:020} was opened, and is not as it was found")
        if b.lines < h.previous_lines:
            raise Wrong(f"{name} line {b.lines + 1}: is missing with all behind it; segment {s.first:020} says there are {h.previous_lines} lines")
        if b.lines > h.previous_lines or b.torn:
            raise Wrong(f"{name} line {h.previous_lines + 1}: was added after the segment had ended")
        if b.missing_at is not None:
            raise Wrong(f"{name} line {b.missing_at}: its leaf hash is missing from the .leaf file")
        if h.previous_root != b.tree.root():
            raise Wrong(f"{where}: names another root for {name} than its lines give")
        self.step(b.header, h, where)
        if not b.ends_signed or not b.last.closes:
            raise Wrong(f"{name} line {b.lines}: is not the checkpoint that must close the segment")

    def step(self, b, h, where):
        """What two headers that follow each other must agree on."""
        if h.id != b.id:
            raise Wrong(f"{where}: belongs to another journal")
        if h.previous != b.segment:
            raise Wrong(f"{where}: follows segment {h.previous:020}, which is not here: removed")
        if h.segment != b.segment + h.previous_lines:
            raise Wrong(f"{where}: should have been numbered {b.segment + h.previous_lines:020}")
        if h.key_epoch != b.key_epoch + 1 or not self.openssl.header(b.key, h):
            raise Wrong(f"{where}: names a signing key that the key before it does not endorse")

    def first_key(self, h, where):
        if h.key != self.key:
            raise Wrong(f"{where}: is signed by key {h.key[:16]}..., not by the given key {self.key[:16]}...")
        if not self.openssl.header(h.key, h):
            raise Wrong(f"{where}: is not signed by the key that it names")

    def beginning(self, s, where):
        h = s.header
        if not h.previous:
            self.first_key(h, where)
            return
        if self.kept_from < s.first:
            raise Wrong(f"{where}: follows segment {h.previous:020}, which is not here, and nothing signed says that retention retired it: removed")
        if h.key != self.key:
            self.step(self.retired(s.first), h, where)

    def retired(self, before):
        """The headers of what retention deleted lead from the given key to the last one in front of this segment."""
        last = None
        try:
            with open(os.path.join(self.dir, "retired"), "rb") as f:
                lines = f.read().split(b"\n")[:-1]
        except OSError as e:
            raise Wrong(f"file retired: the headers of what was retired before segment {before:020} cannot be read: {e.strerror}") from e
        for n, line in enumerate(lines, 1):
            h, where = header(line), f"file retired line {n}"
            if not h:
                raise Wrong(f"{where}: is not the header of a segment")
            if h.segment >= before:
                break
            if last:
                self.step(last, h, where)
            elif h.previous:
                raise Wrong(f"{where}: is not the first header of the journal")
            else:
                self.first_key(h, where)
            last = h
        if not last:
            raise Wrong(f"file retired: the headers of what was retired before segment {before:020} cannot be read: there are none")
        return last

    def state(self, s, first):
        sink = s["sink"]
        if s["found"]:
            return
        if s["segment"] >= first:
            told = f", which was sent to {sink}" if sink else ""
            raise Wrong(f"segment {s['segment']:020}: never had the witnessed root behind line {s['lines']}{told}: lines were removed or changed")
        if not sink:
            raise Unchecked(f"segment {s['segment']:020} was retired: whether it had the witnessed root cannot be told any more")


def state(text, sink):
    match = STATE.fullmatch(text)
    return {"segment": int(match[1]), "lines": int(match[2]), "root": match[3], "found": False, "sink": sink}


# ---- what it found ----
def when(ms):
    return datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03}Z"


def report(v, error):
    if v.begins > 1:
        print(f"begins    at segment {v.begins:020}; what is before it was retired by retention, says the signed record of {when(v.kept_ms)}")
    print(f"read      {v.segments} segments, {v.lines} lines, {v.checkpoints} checkpoints")
    print(f"anchored  lines up to {v.anchor[0] - 1}, by the signature of {when(v.anchor[1])}" if v.anchor
          else "anchored  nothing: no valid signature covers any line")
    witnessed = [s for s in v.states if s["found"]]
    for s in witnessed:
        print(f"witness   lines up to {s['segment'] + s['lines'] - 1}, by {'sink ' + s['sink'] if s['sink'] else 'the given state'}")
    if not error:
        b = v.before
        start = max([b.first + 1] + [s["segment"] + s["lines"] for s in witnessed])
        if v.anchor and start < v.anchor[0]:
            print(f"window    lines {start} to {v.anchor[0] - 1} could be written anew by who has the signing key of epoch {b.header.key_epoch}")
        if b.ends_signed and b.last.closes:
            print("window    the last segment is closed and none follows: a crash in the midst of a rotation, or what followed was cut off")
        behind = b.first + b.lines - v.anchor[0] - 1 if v.anchor else v.lines
        if behind:
            print(f"trailing  {behind} lines only self-asserted: no signature covers them yet")
    print(f"result    {'NOT INTACT: ' + error if error else 'intact'}")


def main(argv):
    args = list(argv)
    given = {}
    for name in ("--key", "--head"):
        if name in args[:-1]:
            at = args.index(name)
            given[name] = args[at + 1]
            del args[at:at + 2]
    if len(args) != 1 or args[0].startswith("-") or "--key" not in given or ("--head" in given and not STATE.fullmatch(given["--head"])):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as scratch:
            v = Verifier(args[0], read_key(given["--key"]), given.get("--head"), Openssl(scratch))
            try:
                v.run()
                error = ""
            except Wrong as e:
                error = str(e)
        report(v, error)
        return 1 if error else 0
    except (Unchecked, OSError) as e:
        print(f"{args[0]}: {e}", file=sys.stderr)
        return 125


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
