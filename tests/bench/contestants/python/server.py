"""The price of a product as a web server of Python's standard library: a thread for each connection.

Usage: SECRET=… PORT=… python3 server.py
"""

import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = hmac.new(os.environ["SECRET"].encode(), digestmod="sha1")
REPLIES = {
    "speaker": {"status": True, "response": ["The price of the speaker is ₹1500."]},
    "powerbank": {"status": True, "response": ["The price of the powerbank is ₹1000."]},
}
OTHERWISE = {"status": False, "response": ["Sorry, we don't sell that."]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered: headers and body leave in one write.
    wbufsize = -1

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_signed(self.headers.get("x-hub-signature", ""), body):
            return self.send(401, {"error": "the signature is missing or wrong"})
        try:
            event = json.loads(body)
        except ValueError:
            return self.send(400, {"error": "the body is not JSON"})
        self.send(200, answer(event))

    def send(self, status, reply):
        body = json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing is logged for a request."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # The default of 5 loses connections that come at once.
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def is_signed(header, body):
    digest = KEY.copy()
    digest.update(body)
    return hmac.compare_digest(header.encode(), b"sha1=" + digest.hexdigest().encode())


def answer(event):
    try:
        product = event["entities"]["product_name"][0]["entity_value"]
    except (KeyError, IndexError, TypeError):
        return OTHERWISE
    return REPLIES.get(product, OTHERWISE) if isinstance(product, str) else OTHERWISE


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
