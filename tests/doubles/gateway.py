"""A gateway before an Ollama double: it wants keys, is busy for a while, or redirects. It serves as HTTP proxy, too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PAGE = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    "<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n"
)


@dataclass
class Answer:
    """An answer of the gateway itself, given `times` times to paths that start with `path`, `after` others."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"
    times: int = 1
    after: int = 0

    @classmethod
    def page(cls, status: int, title: str, **more: Any) -> Answer:
        return cls(status, PAGE.format(title=f"{status} {title}"), **{"headers": {"Content-Type": "text/html"}, **more})


@dataclass
class Gateway:
    """A running gateway.

    Attributes:
        target: URL of the server behind it.
        lets_in: Whether it lets a request with these headers in; others get 401 with a page, as nginx does.
        answers: Its own answers, given before the server is asked.
        requests: (path, headers) of every request.
    """

    target: str
    lets_in: Callable[[Mapping[str, str]], bool] = lambda headers: True
    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Gateway:
        gateway = self

        class Bound(_Handler):
            owner = gateway

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def place(self) -> str:
        """Host and port."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.place}"

    def sent(self, name: str) -> list[str | None]:
        """The values of a header in all requests."""
        return [headers.get(name.lower()) for _, headers in self.requests]

    def own_answer(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        if not self.lets_in(headers):
            return Answer.page(401, "Authorization Required")
        for answer in self.answers:
            if answer.times > 0 and path.startswith(answer.path):
                if answer.after > 0:
                    answer.after -= 1
                    return None
                answer.times -= 1
                return answer
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: Gateway

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.requests.append((self.path, headers))
        answer = self.owner.own_answer(self.path, headers)
        if answer is not None:
            return self._send(answer.status, dict(answer.headers), answer.body.encode())
        split = urlsplit(self.path)  # of an absolute URL, where a client uses the gateway as its proxy
        there = HTTPConnection(urlsplit(self.owner.target).netloc)
        there.request(self.command, split.path, body or None, {"Content-Type": "application/json"})
        got = there.getresponse()
        data = got.read()
        there.close()
        return self._send(got.status, {"Content-Type": got.headers["Content-Type"]}, data)

    do_POST = do_CONNECT = do_GET  # noqa: N815

    def _send(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
