"""A service on this machine that tells what it was asked, for what runs in a test send."""

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    """The path says how it answers: `/503`, `/slow`, `/packed`, `/moved`; any other one well."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode("latin-1")
        path = self.path.partition("?")[0]
        told = {"method": self.command, "path": self.path, "body": body, "headers": {name.lower(): value for name, value in self.headers.items()}}
        content = json.dumps(told).encode()
        if path == "/slow":
            time.sleep(2)
        self.send_response({"/503": 503, "/404": 404, "/moved": 302}.get(path, 200))
        if path == "/packed":
            content = gzip.compress(content)
            self.send_header("content-encoding", "gzip")
        if path == "/moved":
            self.send_header("location", "/here")
        self.send_header("set-cookie", "basket=7; Path=/")
        self.send_header("set-cookie", "theme=dark; Path=/")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        pass


def start() -> str:
    """Its URL. It ends with the process."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
