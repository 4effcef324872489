# SPDX-License-Identifier: Apache-2.0
# What agents_disk.sh has instead of the world: a model, for whoever speaks OpenAI's Responses or Anthropic's Messages, which asks for the tool
# calls that it was given, one by one, and keeps what came of them; a package registry with the tarballs of a directory; a page that anybody may get.
import base64
import hashlib
import http.server
import io
import json
import os
import re
import tarfile
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, body, kind="application/json", code=200):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def stream(self, events):
        text = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
        self.answer(text.encode(), "text/event-stream")

    def do_GET(self):
        self.body()
        self.answer({"error": "not found"}, code=404)

    do_PUT = do_HEAD = do_POST = do_GET


class Page(Handler):
    def do_GET(self):
        self.answer(b"reached\n", "text/plain")


class Registry(Handler):
    """Packages: a packument each, its tarballs by file name."""

    def do_GET(self):
        name, file = self.path.lstrip("/").replace("%2f", "/"), os.path.basename(self.path)
        if file in self.server.tarballs:
            self.answer(self.server.tarballs[file][1], "application/octet-stream")
        elif name in self.server.packages:
            self.answer(self.packument(name))
        else:
            self.answer({"error": "not found"}, code=404)

    def packument(self, name):
        versions = {}
        for file in self.server.packages[name]:
            manifest, data = self.server.tarballs[file]
            dist = {"tarball": f"http://{self.headers['Host']}/{name}/-/{file}",
                    "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()}
            versions[manifest["version"]] = {**manifest, "dist": dist}
        return {"name": name, "dist-tags": {"latest": max(versions)}, "versions": versions}


class Model(Handler):
    """The n-th answer to a conversation is the n-th call; behind the last one it says that it is done."""

    def do_POST(self):
        asked = json.loads(self.body() or b"{}")
        self.server.asked.append((self.path, asked))
        path = self.path.split("?")[0]
        if path == "/v1/responses":
            whole, events = responses(self.server, asked)
            if asked.get("stream"):
                self.stream(events)
            else:
                self.answer(whole)
        elif path == "/v1/messages" and asked.get("stream"):
            self.stream(messages(self.server, asked))
        elif path == "/v1/messages":
            self.answer(message({"type": "text", "text": "Done."}, "end_turn"))
        else:
            self.answer({"input_tokens": 1} if path.endswith("count_tokens") else {})


def next_call(server, results):
    server.results = results
    return server.calls[len(results)] if len(results) < len(server.calls) else None


RUNNING = re.compile(r"Process running with session ID (\d+)")


def responses(server, asked):
    items = asked["input"] if isinstance(asked["input"], list) else []
    results, waits = [], 0
    for text in (text_of(i.get("output")) for i in items if i.get("type", "").endswith("_output")):
        if results and RUNNING.search(results[-1]):
            results[-1], waits = RUNNING.sub("", results[-1]) + text, waits + 1
        else:
            results.append(text)
    running = results and RUNNING.search(results[-1])
    call = next_call(server, results)
    if running:
        call = "write_stdin", {"session_id": int(running[1]), "chars": "", "yield_time_ms": 30000}
    if call is None:
        item = {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
                "content": [{"type": "output_text", "text": "Done.", "annotations": []}]}
    elif isinstance(call, dict):
        item = {**call, "id": f"i_{len(results)}_{waits}", "call_id": f"call_{len(results)}_{waits}", "status": "completed"}
    elif isinstance(call[1], str):
        item = {"type": "custom_tool_call", "id": f"ctc_{len(results)}_{waits}", "call_id": f"call_{len(results)}_{waits}", "name": call[0], "input": call[1],
                "status": "completed"}
    else:
        item = {"type": "function_call", "id": f"fc_{len(results)}_{waits}", "call_id": f"call_{len(results)}_{waits}", "name": call[0], "status": "completed",
                "arguments": json.dumps(call[1])}
    usage = {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2}
    response = {"id": f"resp_{len(results)}_{waits}", "object": "response", "created_at": 1, "status": "completed", "model": asked.get("model", "m"),
                "output": [item], "usage": usage, "error": None, "tools": [], "parallel_tool_calls": False}
    return response, [{"type": "response.created", "sequence_number": 0, "response": {**response, "status": "in_progress", "output": [], "usage": None}},
                      {"type": "response.output_item.done", "sequence_number": 1, "output_index": 0, "item": item},
                      {"type": "response.completed", "sequence_number": 2, "response": response}]


def message(block, stop):
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [block], "stop_reason": stop, "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1}}


def messages(server, asked):
    """Questions without tools are the program's own (a title, whether the network works)."""
    call = None
    if asked.get("tools"):
        blocks = [b for m in asked["messages"] if isinstance(m["content"], list) for b in m["content"]]
        results = [text_of(b.get("content")) for b in blocks if b["type"] == "tool_result"]
        call = next_call(server, results)
    if call:
        block = {"type": "tool_use", "id": f"toolu_{len(results)}", "name": call[0], "input": {}}
        delta, stop = {"type": "input_json_delta", "partial_json": json.dumps(call[1])}, "tool_use"
    else:
        block, delta, stop = {"type": "text", "text": ""}, {"type": "text_delta", "text": "Done."}, "end_turn"
    return [{"type": "message_start", "message": {**message(block, None), "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 1}},
            {"type": "message_stop"}]


def text_of(content):
    if isinstance(content, list):
        return "".join(text_of(c.get("text") if isinstance(c, dict) else c) for c in content)
    return content if isinstance(content, str) else json.dumps(content)


def serve(handler, address, port):
    server = http.server.ThreadingHTTPServer((address, port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def model(address, port):
    server = serve(Model, address, port)
    server.calls, server.results, server.asked = [], [], []
    return server


def tarball(manifest, files):
    """What npm pack makes of a package."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in {"package.json": json.dumps(manifest), **files}.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size, info.mode = len(text.encode()), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def registry(address, port, tarballs):
    server = serve(Registry, address, port)
    server.tarballs, server.packages = {}, {}
    for data in tarballs:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            member = next(m for m in tar.getmembers() if m.name.count("/") == 1 and m.name.endswith("/package.json"))
            manifest = json.load(tar.extractfile(member))
        file = f"{manifest['name'].split('/')[-1]}-{manifest['version']}.tgz"
        server.tarballs[file] = (manifest, data)
        server.packages.setdefault(manifest["name"], []).append(file)
    return server
