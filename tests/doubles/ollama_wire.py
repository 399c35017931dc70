"""The HTTP side of the Ollama double: statuses, headers, streams, and the faults of the wire."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.doubles.ollama_model import Refusal

if TYPE_CHECKING:
    from tests.doubles.ollama import OllamaDouble

JSON = "application/json; charset=utf-8"
_METHODS = {
    "/api/version": "GET", "/api/tags": "GET", "/api/ps": "GET", "/api/show": "POST", "/api/create": "POST",
    "/api/generate": "POST", "/api/chat": "POST", "/api/embed": "POST", "/v1/models": "GET",
    "/v1/chat/completions": "POST",
}  # fmt: skip


@dataclass
class Fault:
    """A fault of the wire.

    Attributes:
        kind: `refuse` (the connection is closed without an answer), `drop` (it is closed within a streamed answer),
            `end` (a streamed answer ends properly, but too early), `truncate` (JSON that ends too early), `html` (a
            page with status 200), `proxy` (a page with status 502), `text` (another service), `shape` (JSON of another
            shape), `slow` (waits before the answer), `stall` (waits within a streamed one), `crash` (500), `busy`
            (503), `backwards` (durations below zero), `error` (an error within a streamed answer).
        path: The path that meets it, or its start.
        times: How often it is played.
        after: How many requests to the path pass first.
        seconds: How long `slow` and `stall` wait.
    """

    kind: str
    path: str = "/api/chat"
    times: int = 1
    after: int = 0
    seconds: float = 5.0


def go_json(value: Any) -> str:
    """JSON as Go writes it: two line ends of Unicode are escaped, the others are not."""
    return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


class QuietServer(ThreadingHTTPServer):
    """Ignore clients that hang up, which is no error."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def server_close(self) -> None:
        """Close the connections kept alive as well, as an ending server does."""
        super().server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, and the second one would wait for 40 ms
    server_double: OllamaDouble

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        double, path = self.server_double, self.path
        wanted = _METHODS.get(path)
        if wanted is None:
            return self._send(404, "text/plain", b"404 page not found")
        if wanted != method:
            return self._send(405, "text/plain", b"405 method not allowed", {"Allow": wanted})
        with suppress(BrokenPipeError, ConnectionResetError):
            try:
                body = _decode(raw) if method == "POST" else None
                double.requests.append((path, body))
                fault = double.next_fault(path)
                if fault is None or not self._play(fault):
                    self._answer(path, body, fault)
            except Refusal as refusal:
                self._refuse(path, refusal)
        return None

    def _answer(self, path: str, body: Any, fault: Fault | None) -> None:
        status, kind, value = self.server_double.answer(path, body)
        if isinstance(value, dict):
            data = go_json(value).encode()
            if fault is not None and fault.kind in ("truncate", "drop"):
                data = data[: len(data) // 2]
            return self._send(status, kind, data)
        return self._stream(kind, value, fault)

    def _refuse(self, path: str, refusal: Refusal) -> None:
        if not path.startswith("/v1"):
            return self._send(refusal.status, JSON, json.dumps({"error": refusal.error}).encode())
        known = (
            refusal.error if isinstance(refusal.error, dict) else {"message": refusal.error, "type": "not_found_error"}
        )
        kind = "application/json" if refusal.status == 404 else JSON
        return self._send(refusal.status, kind, json.dumps({"error": {**known, "param": None, "code": None}}).encode())

    def _play(self, fault: Fault) -> bool:
        """Produce a fault that needs no answer; return whether the request is finished."""
        if fault.kind == "refuse":
            self.close_connection = True
            return True
        if fault.kind == "slow":
            time.sleep(fault.seconds)
            return False
        page = b"<!DOCTYPE html>\n<html><body><h1>Sign in to the network</h1></body></html>"
        fixed = {
            "html": (200, "text/html", page),
            "proxy": (502, "text/html", page),
            "text": (200, "text/plain", b"hello from another service"),
            "shape": (200, JSON, b'{"hello": ["from", "another", "service"]}'),
            "crash": (
                500,
                JSON,
                b'{"error": "model runner has unexpectedly stopped, this may be due to resource limitations"}',
            ),
            "busy": (503, JSON, b'{"error": "server busy, please try again.  maximum pending requests exceeded"}'),
        }
        if fault.kind in fixed:
            self._send(*fixed[fault.kind])
        return fault.kind in fixed

    def _stream(self, kind: str, records: Iterator[Any], fault: Fault | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        played = None if fault is None else fault.kind
        for n, record in enumerate(records):
            if self.server_double.seconds_per_token:
                time.sleep(self.server_double.seconds_per_token)
            if played == "backwards" and isinstance(record, dict) and record["done"]:
                record |= {name: -record[name] for name in record if name.endswith("_duration")}
            text = record + "\n\n" if isinstance(record, str) else go_json(record) + "\n"
            if n == 3 and played in ("drop", "end", "truncate", "error", "stall"):
                if played == "stall":
                    time.sleep(fault.seconds if fault else 0)
                elif played == "drop":
                    self.close_connection = True
                    return
                elif played == "error":
                    self._chunk(json.dumps({"error": "an error was encountered while running the model"}) + "\n")
                    break
                else:
                    self._chunk(text[: len(text) // 2] if played == "truncate" else "")
                    break
            self._chunk(text)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        if text:
            data = text.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def _send(self, status: int, kind: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _decode(raw: bytes) -> Any:
    if not raw:
        raise Refusal(400, "missing request body")
    try:
        return json.loads(raw)
    except ValueError:
        raise Refusal(400, "unexpected EOF") from None
