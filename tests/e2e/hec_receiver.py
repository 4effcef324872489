#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A strict stand-in for Splunk's HTTP Event Collector, made from its documents; no Splunk was at hand to compare it with.

    hec_receiver.py --port 0 --token SECRET [--ack] [--tls CERT KEY] [--out FILE]

The first line on stdout is `port N`. What it takes is appended to FILE, one JSON object a line: {"event", "fields", "time", "host", "source",
"sourcetype", "index", "duplicate"}. It goes on until SIGTERM, SIGINT or the end of stdin (--until-eof).

Tests steer it over the same port (--control):
    GET  /_stats                     counts, what arrived in which order, requests by path and status
    POST /_fault {"mode": ..., ...}  misbehave; see FAULTS. "count": how many requests (default 1, -1: until cleared); {} clears all
    POST /_token {"token": ...}      only this token is good from now on
    POST /_restart                   forget all channels and close all connections, as a restart does
    POST /_reset                     as if nothing had ever happened
"""
import argparse
import gzip
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
EVENT_PATHS = {"/services/collector", "/services/collector/event", "/services/collector/event/1.0"}
ACK_PATH = "/services/collector/ack"
HEALTH_PATHS = {"/services/collector/health", "/services/collector/health/1.0"}
ENVELOPE_KEYS = {"event", "time", "host", "source", "sourcetype", "index", "fields"}
TEXTS = {
    0: "Success", 1: "Token disabled", 2: "Token is required", 3: "Invalid authorization", 4: "Invalid token", 5: "No data",
    6: "Invalid data format", 7: "Incorrect index", 8: "Internal server error", 9: "Server is busy", 10: "Data channel is missing",
    11: "Invalid data channel", 12: "Event field is required", 13: "Event field cannot be blank", 14: "ACK is disabled",
    15: "Error in handling indexed fields", 16: "Query string authorization is not enabled", 17: "HEC is healthy",
    23: "Server is shutting down", 24: "HEC queue is approaching capacity", 25: "HEC ACK channel is approaching capacity",
    26: "HEC queue at capacity", 27: "HEC ACK channel at capacity",
}
STATUS = {0: 200, 1: 403, 2: 401, 3: 401, 4: 403, 5: 400, 6: 400, 7: 400, 8: 500, 9: 503, 10: 400, 11: 400, 12: 400, 13: 400, 14: 400,
          15: 400, 16: 400, 17: 200, 23: 503, 24: 200, 25: 200, 26: 429, 27: 429}
# mode: what it does to a request
FAULTS = {
    "code": "answer with this HEC code and take nothing (24, 25: take it)",
    "html": "answer `status` with HTML, take nothing; `location` makes a redirect",
    "reset": "read the request, then reset the connection; `index` true: take the events first",
    "slow": "wait `seconds` before the answer",
    "too-large": "413 with HTML above `bytes`",
    "bad-event": "400, code 6 (or `code`) with invalid-event-number for any event that contains `text`; those before it are taken",
    "lose-acks": "take the events, and never confirm this batch",
    "ack-false": "never confirm a batch with an event that contains `text`",
    "ack-code": "answer questions about acknowledgement with this HEC code",
    "no-ack-id": "take the events and give no ackId",
    "disable-ack": "from now on the token has no acknowledgement",
    "big-reply": "200 with `bytes` of rubbish",
}


class Refused(Exception):
    def __init__(self, code, event_number=None):
        super().__init__(code)
        self.code = code
        self.event_number = event_number


class State:
    def __init__(self, args):
        self.args = args
        self.lock = threading.Lock()
        self.connections = set()
        self.out = open(args.out, "a", encoding="utf-8") if args.out else None
        self.reset()

    def reset(self):
        args = self.args
        self.token = args.token
        self.ack = args.ack
        self.channels = {}  # guid -> {"next": id, "pending": {id: time from which it is confirmed}}
        self.faults = []
        self.seen = {}      # metadata.uid -> times it came
        self.order = []     # bailiff_seq of first arrivals, in order
        self.heads = []
        self.requests = {}
        self.received = self.duplicates = self.batches = self.largest = self.longest = self.most = 0
        self.anonymous = 0

    # ---- faults ----
    def fault(self, *modes):
        """The first active fault of these modes, used up by one; the lock is held."""
        for f in self.faults:
            if f["mode"] in modes and f["count"] != 0:
                f["count"] -= f["count"] > 0
                return f
        return None

    def fault_for(self, mode, text):
        for f in self.faults:
            if f["mode"] == mode and f["count"] != 0 and f["text"] in text:
                f["count"] -= f["count"] > 0
                return f
        return None

    # ---- events ----
    def index(self, envelopes):
        for e in envelopes:
            event, fields = e["event"], e.get("fields", {})
            uid = event.get("metadata", {}).get("uid") if isinstance(event, dict) else None
            self.received += 1
            if uid is None:
                self.anonymous += 1
            duplicate = uid is not None and uid in self.seen
            if uid is not None:
                self.seen[uid] = self.seen.get(uid, 0) + 1
            self.duplicates += duplicate
            if not duplicate and "bailiff_seq" in fields:
                self.order.append(int(fields["bailiff_seq"]))
            if "bailiff_head" in fields:
                self.heads.append(fields["bailiff_head"])
            if self.out:
                self.out.write(json.dumps({**e, "duplicate": duplicate}, separators=(",", ":")) + "\n")
        if self.out:
            self.out.flush()

    def ack_id(self, guid, confirmed_from):
        c = self.channels.setdefault(guid.lower(), {"next": 0, "pending": {}})
        number = c["next"]
        c["next"] += 1
        c["pending"][number] = confirmed_from
        return number

    def ack_answer(self, guid, ids):
        """True is told once; false means pending, lost, unknown or told already."""
        pending = self.channels.get(guid.lower(), {"pending": {}})["pending"]
        now = time.monotonic()
        answer = {}
        for i in ids:
            answer[str(i)] = i in pending and pending[i] is not None and pending[i] <= now
            if answer[str(i)]:
                del pending[i]
        return answer

    def stats(self):
        return {
            "received": self.received, "unique": len(self.seen), "duplicates": self.duplicates, "anonymous": self.anonymous,
            "batches": self.batches, "largest_body": self.largest, "longest_event": self.longest, "most_events": self.most,
            "channels": len(self.channels), "requests": self.requests, "order": self.order, "heads": self.heads[-3:],
            "open_acks": sum(len(c["pending"]) for c in self.channels.values()),
        }


def check_fields(fields, number):
    if not isinstance(fields, dict):
        raise Refused(15, number)
    for value in fields.values():
        flat = isinstance(value, (str, int, float, bool)) or (isinstance(value, list) and all(isinstance(v, str) for v in value))
        if not flat:
            raise Refused(15, number)


def check_envelope(e, number, indexes):
    if not isinstance(e, dict):
        raise Refused(6, number)
    if "event" not in e:
        raise Refused(12, number)
    if e["event"] is None or e["event"] == "" or (isinstance(e["event"], str) and not e["event"].strip()):
        raise Refused(13, number)
    if not isinstance(e["event"], (str, dict)) or not set(e) <= ENVELOPE_KEYS:
        raise Refused(6, number)
    for key in ("host", "source", "sourcetype", "index"):
        if key in e and not isinstance(e[key], str):
            raise Refused(6, number)
    if "time" in e:
        try:
            if isinstance(e["time"], bool) or not 0 <= float(e["time"]) < 1e11:   # seconds, not milliseconds
                raise Refused(6, number)
        except (TypeError, ValueError):
            raise Refused(6, number) from None
    if "fields" in e:
        check_fields(e["fields"], number)
    if indexes and e.get("index", indexes[0]) not in indexes:
        raise Refused(7, number)


def reject_constant(name):
    raise ValueError(name)


def parse_body(text, indexes, bad_event):
    """All good envelopes and the refusal that ended them, if any."""
    decoder = json.JSONDecoder(parse_constant=reject_constant)
    envelopes, at, end = [], 0, len(text)
    while True:
        while at < end and text[at] in " \t\r\n":
            at += 1
        if at == end:
            break
        start = at
        try:
            e, at = decoder.raw_decode(text, at)
            check_envelope(e, len(envelopes), indexes)
            bad = bad_event(text[start:at])
            if bad:
                raise Refused(bad.get("code", 6), len(envelopes))
        except Refused as r:
            return envelopes, r
        except ValueError:
            return envelopes, Refused(6, len(envelopes))
        envelopes.append(e)
    return envelopes, None if envelopes else Refused(5)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Splunkd"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 120

    def setup(self):
        super().setup()
        with self.server.state.lock:
            self.server.state.connections.add(self.connection)

    def finish(self):
        with self.server.state.lock:
            self.server.state.connections.discard(self.connection)
        super().finish()

    def log_message(self, *args):
        if self.server.state.args.verbose:
            super().log_message(*args)

    # ---- answers ----
    def count(self, status):
        key = f"{self.path.partition('?')[0]} {status}"
        with self.server.state.lock:
            self.server.state.requests[key] = self.server.state.requests.get(key, 0) + 1

    def send(self, status, body, kind, extra=()):
        self.count(status)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in extra:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, status, value, extra=()):
        self.send(status, json.dumps(value, separators=(",", ":")).encode(), "application/json; charset=UTF-8", extra)

    def html(self, status, extra=()):
        page = f"<!doctype html><html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\r\n"
        self.send(status, page.encode(), "text/html; charset=UTF-8", extra)

    def code(self, code, event_number=None, more=None, extra=()):
        value = {"text": TEXTS.get(code, "?"), "code": code, **(more or {})}
        if event_number is not None:
            value["invalid-event-number"] = event_number
        self.json(STATUS.get(code, 400), value, extra)

    # ---- requests ----
    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                data += self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return data
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def authorize(self):
        if "token=" in self.path.partition("?")[2]:
            raise Refused(16)
        value = self.headers.get("Authorization")
        if value is None:
            raise Refused(2)
        scheme, _, token = value.partition(" ")
        if scheme != "Splunk" or not token:
            raise Refused(3)
        if token != self.server.state.token:
            raise Refused(4)

    def channel(self, required):
        query = dict(p.partition("=")[::2] for p in self.path.partition("?")[2].split("&"))
        guid = self.headers.get("X-Splunk-Request-Channel") or query.get("channel")
        if guid is None:
            if required:
                raise Refused(10)
        elif not GUID.match(guid):
            raise Refused(11)
        return guid

    def do_POST(self):
        path = self.path.partition("?")[0]
        data = self.body()
        if path in EVENT_PATHS:
            self.guarded(self.take_events, data)
        elif path == ACK_PATH:
            self.guarded(self.tell_acks, data)
        elif self.server.state.args.control and path in ("/_fault", "/_token", "/_restart", "/_reset"):
            self.steer(path, json.loads(data or b"{}"))
        else:
            self.json(404, {"text": "The requested URL was not found on this server.", "code": 404})

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path in HEALTH_PATHS:
            self.code(17)
        elif self.server.state.args.control and path == "/_stats":
            with self.server.state.lock:
                stats = self.server.state.stats()
            self.json(200, stats)
        elif path in EVENT_PATHS or path == ACK_PATH:
            self.json(405, {"text": "The requested URL does not allow this method.", "code": 404})
        else:
            self.json(404, {"text": "The requested URL was not found on this server.", "code": 404})

    def guarded(self, serve, data):
        try:
            serve(data)
        except Refused as r:
            self.code(r.code, r.event_number)

    def drop(self):
        """Reset, not an orderly end."""
        self.count("reset")
        raw = self.connection
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True
        os.close(raw.detach())

    # ---- events ----
    def misbehave_first(self, data):
        """True when the request has been answered by a fault."""
        s = self.server.state
        with s.lock:
            f = s.fault("slow")
        if f:
            time.sleep(f["seconds"])
        with s.lock:
            f = s.fault("html", "big-reply")
            if not f:
                f = s.fault("reset") if not any(x["mode"] == "reset" and x.get("index") for x in s.faults) else None
            if not f:
                f = next((x for x in s.faults if x["mode"] == "too-large" and len(data) > x["bytes"]), None)
            if not f:
                f = s.fault("code") if any(x["mode"] == "code" and x["code"] not in (24, 25) for x in s.faults) else None
        if not f:
            return False
        extra = [("Retry-After", str(f["retry_after"]))] if "retry_after" in f else []
        if f["mode"] == "html":
            self.html(f["status"], extra + ([("Location", f["location"])] if "location" in f else []))
        elif f["mode"] == "big-reply":
            self.send(200, b"x" * f["bytes"], "application/json")
        elif f["mode"] == "reset":
            self.drop()
        elif f["mode"] == "too-large":
            self.html(413)
        else:
            self.code(f["code"], extra=extra)
        return True

    def decode(self, data):
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding == "identity":
            return data
        if encoding != "gzip":
            return None
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise Refused(6) from None

    def take_events(self, data):
        s = self.server.state
        plain = self.decode(data)
        if plain is None:
            self.html(415)
            return
        if self.misbehave_first(plain):
            return
        self.authorize()
        guid = self.channel(s.ack)
        if len(plain) > s.args.max_bytes:
            self.html(413)
            return
        if not plain.strip():
            raise Refused(5)
        try:
            text = plain.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(6, 0) from None
        with s.lock:
            envelopes, refusal = parse_body(text, s.args.index, lambda t: s.fault_for("bad-event", t))
            s.batches += 1
            s.largest = max(s.largest, len(plain))
            s.most = max(s.most, len(envelopes))
            s.index(envelopes)
            if refusal:
                raise refusal
            s.longest = max([s.longest] + [len(json.dumps(e["event"])) for e in envelopes])
            more, drop = self.after_taking(s, guid, text)
            code = s.fault("code")
        if drop:
            self.drop()
        else:
            self.code(code["code"] if code else 0, more=more)

    def after_taking(self, s, guid, text):
        drop = s.fault("reset")
        if not s.ack or s.fault("no-ack-id"):
            return {}, drop
        lost = s.fault("lose-acks") or s.fault_for("ack-false", text)
        return {"ackId": s.ack_id(guid, None if lost else time.monotonic() + s.args.ack_delay / 1000)}, drop

    def tell_acks(self, data):
        s = self.server.state
        with s.lock:
            f = s.fault("ack-code")
        if f:
            extra = [("Retry-After", str(f["retry_after"]))] if "retry_after" in f else []
            self.code(f["code"], extra=extra)
            return
        plain = self.decode(data)
        self.authorize()
        if not s.ack:
            raise Refused(14)
        guid = self.channel(True)
        try:
            ids = json.loads(plain or b"")["acks"]
            if not isinstance(ids, list) or not all(type(i) is int and i >= 0 for i in ids):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise Refused(6) from None
        with s.lock:
            answer = s.ack_answer(guid, ids)
        self.json(200, {"acks": answer})

    # ---- steering ----
    def steer(self, path, value):
        s = self.server.state
        with s.lock:
            if path == "/_token":
                s.token = value["token"]
            elif path == "/_reset":
                s.reset()
            elif path == "/_restart":
                s.channels.clear()
                others = [c for c in s.connections if c is not self.connection]
                for c in others:
                    try:
                        c.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            elif not value:
                s.faults.clear()
            elif value["mode"] not in FAULTS:
                self.json(400, {"error": "no such fault", "faults": FAULTS})
                return
            elif value["mode"] == "disable-ack":
                s.ack = False
            else:
                s.faults.append({"count": 1, **value})
        self.json(200, {"ok": True})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32

    def __init__(self, state, context):
        super().__init__((state.args.host, state.args.port), Handler)
        self.state = state
        self.context = context

    def finish_request(self, request, client_address):
        # on the connection's own thread: a client that stalls its TLS hello stalls nobody else
        if self.context:
            request.settimeout(30)
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        if self.state.args.verbose:
            super().handle_error(request, client_address)


def arguments():
    p = argparse.ArgumentParser(description="a strict stand-in for Splunk's HTTP Event Collector")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=8088)
    p.add_argument("--token", required=True)
    p.add_argument("--ack", action="store_true", help="the token uses indexer acknowledgement")
    p.add_argument("--ack-delay", type=float, default=50, metavar="MS", help="confirm so long after taking")
    p.add_argument("--index", action="append", default=[], help="indexes that the token may write to (default: any)")
    p.add_argument("--max-bytes", type=int, default=838860800)
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--out", metavar="FILE")
    p.add_argument("--control", action="store_true", help="allow tests to steer it")
    p.add_argument("--until-eof", action="store_true", help="end when stdin ends")
    p.add_argument("--verbose", action="store_true")
    return p.parse_args()


def main():
    args = arguments()
    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*args.tls)
    server = Server(State(args), context)
    print(f"port {server.server_address[1]}", flush=True)
    if args.until_eof:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
