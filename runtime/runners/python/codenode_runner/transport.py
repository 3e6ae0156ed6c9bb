"""How `requests` and `urllib.request` reach the network: over `wasi:http`, in place of sockets and TLS of their own."""

import email.message
import io
import urllib.error
import urllib.request
import urllib.response
from http import HTTPStatus
from typing import Any

import requests
import requests.adapters
import urllib3
from codenode import _host
from urllib3.util import Timeout


class Adapter(requests.adapters.HTTPAdapter):
    """The adapter that every session of `requests` has. `verify`, `cert` and `proxies` are the host's own affair, and are not looked at."""

    def init_poolmanager(self, *_args: Any, **_options: Any) -> None:
        """The host keeps connections."""

    def close(self) -> None:
        """The host keeps connections."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        connect, read = _seconds(timeout)
        body = _bytes(request.body)
        headers = list(request.headers.items())
        if body and "Content-Length" not in request.headers:
            headers.append(("Content-Length", str(len(body))))
        try:
            # A name and a password before the host are in a header by now.
            wanted = _host.Request(request.method or "GET", requests.utils.urldefragauth(request.url or ""), headers, body, connect, read)
            answer = _host.host.start(wanted).finish()
        except _host.Invalid as error:
            raise requests.exceptions.InvalidURL(str(error), request=request) from None
        except _host.Refused as error:
            raise requests.ConnectionError(str(error), request=request) from None
        except _host.TimedOut as error:
            raise _of_the_service(requests.ReadTimeout(str(error), request=request)) from None
        except _host.Unanswered as error:
            raise _of_the_service(requests.ConnectionError(str(error), request=request)) from None
        return self.build_response(request, _response(request, answer))


class Opener(urllib.request.HTTPHandler):
    """What opens URLs for `urllib.request.urlopen`."""

    def http_open(self, request: urllib.request.Request) -> Any:
        headers = [*request.unredirected_hdrs.items(), *request.headers.items()]
        headers = [(name, value) for name, value in headers if name != "Host"]
        seconds = request.timeout if isinstance(request.timeout, int | float) else None
        try:
            body = _bytes(request.data)
            wanted = _host.Request(request.get_method(), request.full_url, headers, body, seconds, seconds)
            answer = _host.host.start(wanted).finish()
        except _host.Unanswered as error:
            reason = TimeoutError(str(error)) if isinstance(error, _host.TimedOut) else OSError(str(error))
            raise urllib.error.URLError(_of_the_service(reason)) from None
        except (_host.Invalid, _host.Refused) as error:
            raise urllib.error.URLError(OSError(str(error))) from None
        message = _message(answer)
        opened = urllib.response.addinfourl(io.BytesIO(answer.body), message, request.full_url, answer.status)
        opened.msg = _phrase(answer.status)
        return opened

    https_open = http_open
    https_request = urllib.request.HTTPHandler.http_request


class _Original:
    """What `requests` asks of `http.client`'s own response: the headers, to take cookies from."""

    def __init__(self, msg: email.message.Message) -> None:
        self.msg = msg

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        pass


def _response(request: requests.PreparedRequest, answer: _host.Response) -> urllib3.HTTPResponse:
    """As `urllib3` would have got it: it decodes `content-encoding` when it is read."""
    return urllib3.HTTPResponse(
        body=io.BytesIO(answer.body),
        headers=urllib3.HTTPHeaderDict(answer.headers),
        status=answer.status,
        version=11,
        reason=_phrase(answer.status),
        preload_content=False,
        decode_content=False,
        request_method=request.method,
        original_response=_Original(_message(answer)),
    )


def _message(answer: _host.Response) -> email.message.Message:
    message = email.message.Message()
    for name, value in answer.headers:
        message[name] = value
    return message


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _seconds(timeout: Any) -> tuple[float | None, float | None]:
    """Of what `requests` takes: a number, a pair, a `Timeout`, or none. Raises `ValueError`."""
    if not isinstance(timeout, Timeout):
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        timeout = Timeout(connect=connect, read=read)
    return timeout.connect_timeout, timeout.read_timeout


def _bytes(body: Any) -> bytes:
    """The whole of a body: bytes, text, a file, or parts."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if hasattr(body, "read"):
        return _bytes(body.read())
    return b"".join(_bytes(part) for part in body)


def _of_the_service(error: Exception) -> Exception:
    """Marks a failure as the service's, for whoever tells the host of it."""
    error.is_of_a_service = True
    return error
