"""A request over `wasi:http`, and its whole response. Which requests go out is the host's to say."""

from collections.abc import Callable
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, streams, types as http

from . import _urls
from ._host import Invalid, Refused, Request, Response, TimedOut, Unanswered, Unsent, not_granted

#: `wasi:io` takes no more in one blocking write.
WRITE_BYTES = 4_096
READ_BYTES = 64 << 10
NANOS = 1_000_000_000
MAX_NANOS = (1 << 64) - 1

_METHODS: dict[str, Callable[[], http.Method]] = {
    "GET": http.Method_Get,
    "HEAD": http.Method_Head,
    "POST": http.Method_Post,
    "PUT": http.Method_Put,
    "DELETE": http.Method_Delete,
    "CONNECT": http.Method_Connect,
    "OPTIONS": http.Method_Options,
    "TRACE": http.Method_Trace,
    "PATCH": http.Method_Patch,
}

#: What frames a message, and what `requests` and `urllib` add unasked: the host's own.
_LEFT_TO_THE_HOST = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"}

_TIMED_OUT = "the service did not answer in time"


_TOLD: dict[type[object], tuple[type[Unsent], str]] = {
    http.ErrorCode_DestinationIpProhibited: (Refused, "its address is not public"),
    http.ErrorCode_HttpRequestMethodInvalid: (Invalid, "its method is not served"),
    http.ErrorCode_HttpRequestUriInvalid: (Invalid, "its URL is invalid"),
    http.ErrorCode_HttpRequestUriTooLong: (Invalid, "its URL is too long"),
    http.ErrorCode_HttpRequestBodySize: (Invalid, "the run may not send so much"),
    http.ErrorCode_DnsTimeout: (TimedOut, _TIMED_OUT),
    http.ErrorCode_ConnectionTimeout: (TimedOut, _TIMED_OUT),
    http.ErrorCode_ConnectionReadTimeout: (TimedOut, _TIMED_OUT),
    http.ErrorCode_ConnectionWriteTimeout: (TimedOut, _TIMED_OUT),
    http.ErrorCode_HttpResponseTimeout: (TimedOut, _TIMED_OUT),
    http.ErrorCode_DnsError: (Unanswered, "its name has no address"),
    http.ErrorCode_ConnectionRefused: (Unanswered, "nobody listens there"),
    http.ErrorCode_TlsCertificateError: (Unanswered, "the service's certificate is not good"),
    http.ErrorCode_HttpResponseIncomplete: (Unanswered, "the connection broke"),
    http.ErrorCode_HttpProtocolError: (Unanswered, "the service broke the rules of HTTP"),
    http.ErrorCode_HttpResponseBodySize: (Unanswered, "the response is larger than the run may receive"),
}


class Sent:
    """A request whose response is on its way."""

    def __init__(self, future: http.FutureIncomingResponse, wanted: Request) -> None:
        self._future, self._wanted = future, wanted

    def finish(self) -> Response:
        """Waits for the whole response; any status is one. Raises `Unsent`."""
        with self._future, _wait(self._future, self._wanted) as response:
            with response.headers() as fields:
                pairs = [(name, value.decode("latin-1")) for name, value in fields.entries()]
            return Response(response.status(), pairs, _read(response, self._wanted))


def start(wanted: Request) -> Sent:
    """Sends it. Raises `Unsent`, and `TypeError` where a part of it is of another type."""
    wanted.check()
    request = _request(wanted)
    sent = request.body()
    try:
        future = outgoing_handler.handle(request, _options(wanted.connect_seconds, wanted.read_seconds))
    except Err as error:
        raise _failure(wanted, error.value) from None
    _write(sent, wanted.body)
    return Sent(future, wanted)


def _request(wanted: Request) -> http.OutgoingRequest:
    shown, parts = wanted.shown, urlsplit(wanted.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    known: dict[str, http.Scheme] = {"http": http.Scheme_Http(), "https": http.Scheme_Https()}
    scheme = known.get(parts.scheme, http.Scheme_Other(parts.scheme))
    verb = _METHODS.get(wanted.method)
    request = http.OutgoingRequest(_fields(wanted.headers, shown))
    try:
        request.set_method(verb() if verb else http.Method_Other(wanted.method))
        request.set_scheme(scheme)
        request.set_authority(parts.netloc)
        request.set_path_with_query(path)
    except Err:
        raise Invalid(f"{shown}: its URL or its method is invalid") from None
    return request


def _fields(headers: list[tuple[str, str | bytes]], shown: str) -> http.Fields:
    fields = http.Fields()
    for name, value in headers:
        if name.lower() in _LEFT_TO_THE_HOST:
            continue
        try:
            fields.append(name, value.encode("latin-1") if isinstance(value, str) else value)
        except Err as error:
            is_the_hosts = isinstance(error.value, http.HeaderError_Forbidden)
            raise Invalid(f"{shown}: the header {name} is {'set by the host' if is_the_hosts else 'invalid'}") from None
        except UnicodeEncodeError:
            raise Invalid(f"{shown}: the header {name} is not of Latin-1") from None
    return fields


def _options(connect_seconds: float | None, read_seconds: float | None) -> http.RequestOptions | None:
    if connect_seconds is None and read_seconds is None:
        return None
    options = http.RequestOptions()
    try:
        if connect_seconds is not None:
            options.set_connect_timeout(_nanos(connect_seconds))
        if read_seconds is not None:
            options.set_first_byte_timeout(_nanos(read_seconds))
            options.set_between_bytes_timeout(_nanos(read_seconds))
    except Err:
        # A host that knows no time-outs waits as long as the run lasts.
        pass
    return options


def _nanos(seconds: float) -> int:
    return int(min(seconds, MAX_NANOS // NANOS) * NANOS)


def _write(sent: http.OutgoingBody, body: bytes) -> None:
    """If the host stops to take it, the response says why."""
    try:
        with sent.write() as stream:
            for start in range(0, len(body), WRITE_BYTES):
                stream.blocking_write_and_flush(body[start : start + WRITE_BYTES])
        http.OutgoingBody.finish(sent, None)
    except Err:
        pass


def _wait(future: http.FutureIncomingResponse, wanted: Request) -> http.IncomingResponse:
    while (got := future.get()) is None:
        with future.subscribe() as pollable:
            pollable.block()
    if not isinstance(got, Ok):
        raise Unanswered(f"{wanted.shown}: the response was taken twice")
    if not isinstance(got.value, Ok):
        raise _failure(wanted, got.value.value)
    return got.value.value


def _read(response: http.IncomingResponse, wanted: Request) -> bytes:
    parts = []
    with response.consume() as body, body.stream() as stream:
        while True:
            try:
                parts.append(stream.blocking_read(READ_BYTES))
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    return b"".join(parts)
                with error.value.value as cause:
                    code = http.http_error_code(cause)
                raise _failure(wanted, code) if code else Unanswered(f"{wanted.shown}: the connection broke") from None


def _failure(wanted: Request, code: http.ErrorCode) -> Unsent:
    """What is not told apart is the service's failure, under WASI's own name."""
    if isinstance(code, http.ErrorCode_HttpRequestDenied):
        return Refused(f"{wanted.shown}: {not_granted(f'http:{_urls.origin(wanted.url)}')}")
    kind, why = _TOLD.get(type(code), (Unanswered, type(code).__name__.removeprefix("ErrorCode_")))
    if isinstance(code, http.ErrorCode_InternalError) and code.value:
        why = code.value
    return kind(f"{wanted.shown}: {why}")
