#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Strict stand-ins for two receivers, made from their documents: Standard Webhooks 1.0, and Datadog's log intake v2.

    web_receiver.py webhook|datadog --port 0 --token SECRET

The first line on stdout is `port N`. It goes on until SIGTERM, SIGINT or the end of stdin (--until-eof). Tests steer it over the same port
(--control) as they do hec_receiver.py: GET /_stats, POST /_fault {"mode", "count", ...}, POST /_token, POST /_reset. Faults:
    status     answer with this `status` (and `html`, `retry_after`) and take nothing
    reset      read the request, then reset the connection; `index` true: take the events first
    bad-event  400 for any request with an event that contains `text`; nothing of it is taken
    too-large  413 above `bytes`
"""
import argparse
import base64
import datetime
import gzip
import hashlib
import hmac
import json
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATUSES = {"emergency", "critical", "error", "warning", "notice", "info"}


class Bad(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def need(good, status, text):
    if not good:
        raise Bad(status, text)


def numbered(seq, event, log):
    need(isinstance(seq, int) and isinstance(event, dict), 400, "an event has no number, or is none")
    return {"seq": seq, "event": event, "log": log}


def take_webhook(headers, body, state):
    ident, when, signatures = (headers.get(f"webhook-{k}") for k in ("id", "timestamp", "signature"))
    need(ident and when and signatures, 400, "no webhook-id, webhook-timestamp or webhook-signature")
    need(when.isdigit() and abs(int(when) - time.time()) < 300, 400, "the timestamp is not of these five minutes")
    key = base64.b64decode(state.token.removeprefix("whsec_"), validate=True)
    mac = base64.b64encode(hmac.new(key, f"{ident}.{when}.".encode() + body, hashlib.sha256).digest()).decode()
    need(any(hmac.compare_digest(s, "v1," + mac) for s in signatures.split()), 401, "the signature is not ours")
    message = json.loads(body)
    need(set(message) == {"type", "timestamp", "data"} and message["type"] == "bailiff.events", 400, "not {type, timestamp, data}")
    datetime.datetime.fromisoformat(message["timestamp"])
    state.ids.append(ident)
    data = message["data"]
    if "head" in data:
        state.heads.append(data["head"])
    return 204, [numbered(e["seq"], e["event"], e) for e in data["events"]]


def take_datadog(headers, body, state):
    need(headers.get("DD-API-KEY"), 401, "no key")
    need(headers["DD-API-KEY"] == state.token, 403, "wrong key")
    need(headers.get("Content-Type") == "application/json", 400, "Content-Type")
    need(len(body) <= 5_000_000, 413, "above 5 MB")
    logs = json.loads(body)
    need(isinstance(logs, list) and 1 <= len(logs) <= 1000, 400, "not an array of 1 to 1,000 logs")
    out = []
    for log in logs:
        need(log.get("ddsource") == "bailiff" and isinstance(log.get("message"), str) and log["message"], 400, "ddsource or message")
        need(log.get("status") in STATUSES, 400, "status")
        need(-18 * 3600e3 < log["timestamp"] - time.time() * 1000 < 2 * 3600e3, 400, "a time that the intake does not take")
        need(len(json.dumps(log)) <= 1_000_000, 400, "a log above 1 MB would be cut")
        if "head" in log["bailiff"]:
            state.heads.append(log["bailiff"]["head"])
        out.append(numbered(log["bailiff"]["seq"], log["ocsf"], log))
    return 202, out


class State:
    def __init__(self, args):
        self.args, self.lock = args, threading.Lock()
        self.reset()

    def reset(self):
        self.token = self.args.token
        self.faults, self.order, self.seen, self.heads, self.ids = [], [], {}, [], []
        self.duplicates = self.requests = self.refused = self.anonymous = 0
        self.last = None

    def fault(self, *modes):
        for f in self.faults:
            if f["mode"] in modes and f["count"] != 0:
                f["count"] -= f["count"] > 0
                return f
        return None

    def index(self, events):
        for e in events:
            uid = e["event"].get("metadata", {}).get("uid")
            self.anonymous += uid is None
            if uid in self.seen:
                self.duplicates += 1
            else:
                self.order.append(e["seq"])
            self.seen[uid] = True
            self.last = e["log"]

    def stats(self):
        return {"order": self.order, "duplicates": self.duplicates, "heads": self.heads[-3:], "ids": self.ids[-50:], "requests": self.requests,
                "refused": self.refused, "anonymous": self.anonymous, "unique": len(self.seen), "last": self.last}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, text="", **headers):
        data = text.encode()
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)

    def do_GET(self):
        with self.server.state.lock:
            self.reply(200, json.dumps(self.server.state.stats()), Content_Type="application/json")

    def control(self, state, body):
        order = json.loads(body or b"{}")
        if self.path == "/_reset":
            state.reset()
        elif self.path == "/_token":
            state.token = order["token"]
        elif order:
            state.faults.append({"count": 1, **order})
        else:
            state.faults = []
        self.reply(200, "{}", Content_Type="application/json")

    def cut_off(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def misbehave(self, state, body):
        """True: the request is dealt with."""
        f = state.fault("status")
        if f:
            more = {"Retry_After": str(f["retry_after"])} if "retry_after" in f else {}
            self.reply(f["status"], "<html>no</html>" if f.get("html") else f.get("text", "no"), **more)
            return True
        for f in state.faults:
            if f["mode"] == "too-large" and len(body) > f["bytes"]:
                self.reply(413, "too large")
                return True
            if f["mode"] == "bad-event" and f["text"].encode() in body:
                self.reply(400, '{"error":"bad event"}', Content_Type="application/json")
                return True
        return False

    def do_POST(self):
        state = self.server.state
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with state.lock:
            if self.server.control and self.path.startswith("/_"):
                self.control(state, body)
                return
            state.requests += 1
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.misbehave(state, body):
                return
            reset = state.fault("reset")
            if reset and not reset.get("index"):
                self.cut_off()
                return
            try:
                status, events = self.server.take(self.headers, body, state)
            except Bad as e:
                state.refused += 1
                self.reply(e.status, str(e))
                return
            except (ValueError, KeyError, TypeError) as e:
                state.refused += 1
                self.reply(400, f"{type(e).__name__}: {e}")
                return
            state.index(events)
            if reset:
                self.cut_off()
            else:
                self.reply(status, "{}" if status == 202 else "", Content_Type="application/json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["webhook", "datadog"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", required=True)
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--until-eof", action="store_true")
    args = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
    server.daemon_threads = True
    server.state, server.control = State(args), args.control
    server.take = {"webhook": take_webhook, "datadog": take_datadog}[args.kind]
    print(f"port {server.server_address[1]}", flush=True)
    if args.until_eof:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
    else:
        server.serve_forever()


if __name__ == "__main__":
    main()
