"""One event through an author's handler: `main(event, context)` as platforms call it, or `handle(event)`."""

import asyncio
import base64
import inspect
import json
import sys
import time
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from codenode import Error, Reply, _guest, log
from codenode._handler import kind as _kind, takes_events
from codenode.reply import valid

from . import program as programs
from .context import Context
from .failures import FAILURES, Failed, bare, file, shortened

#: A dict of these alone, with a body, is an answer over HTTP, as AWS Lambda's are. Any other dict is the reply.
_ANSWER_KEYS = {"statusCode", "body", "headers", "multiValueHeaders", "cookies", "isBase64Encoded"}

_EXPECTED = 'return {"statusCode": 200, "body": json.dumps(reply)} or the reply itself, a dict'


def run(program: bytes, event: str, context: str) -> str:
    """The reply's JSON. Raises `Failed` with the one line that says why there is none; the traceback is in the log by then."""
    loaded, settings = programs.load(program), Context(context)
    _guest.begin()
    try:
        module = _module(loaded)
        name, handler = _find(module)
        returned = _call(name, handler, event, settings)
        if inspect.iscoroutine(returned):
            returned = asyncio.run(returned)
        return _text(_reply(_named(name, handler), returned))
    except Failed:
        raise
    except BaseException as error:
        raise Failed(_logged(error)) from None
    finally:
        _guest.end()


def _module(loaded: programs.Program) -> ModuleType:
    module = ModuleType("main")
    module.__file__ = file()
    sys.modules["main"] = module
    exec(loaded.code, module.__dict__)
    return module


def _find(module: ModuleType) -> tuple[str, Callable[..., Any]]:
    for name in ("main", "handle"):
        handler = getattr(module, name, None)
        if handler is None:
            continue
        if not callable(handler) or isinstance(handler, type):
            raise Failed(f"{file()}: {name} is no function but {_kind(handler)}: write `def {_SHAPES[name]}`")
        return name, handler
    raise Failed(f"{file()}: there is no handler: write `def main(event, context)` or `def handle(event)`")


_SHAPES = {"main": "main(event, context)", "handle": "handle(event)"}


def _call(name: str, handler: Callable[..., Any], event: str, context: Context) -> Any:
    # What `codenode.handler` made takes an `Event`, whatever it is called; what else it takes, its author's function says.
    is_of_events = takes_events(handler)
    function = inspect.unwrap(handler) if is_of_events else handler
    first = json.loads(event) if name == "handle" or is_of_events else proxy_event(event, context)
    usual, other = ((first, context), (first,)) if name == "main" else ((first,), (first, context))
    if _takes(function, len(usual)):
        return handler(*usual)
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):
        return handler(first, context)
    for given in (usual, other):
        try:
            signature.bind(*given)
        except TypeError:
            continue
        return handler(*given)
    raise Failed(f"{file()}: {name} takes {signature}: write `def {_SHAPES[name]}`")


def _takes(handler: Callable[..., Any], count: int) -> bool:
    """Whether it is a function of so many parameters, as nearly all are: `inspect` takes half a millisecond to find that out."""
    if not isinstance(handler, FunctionType):
        return False
    return handler.__code__.co_argcount == count and handler.__code__.co_kwonlyargcount == 0


def proxy_event(event: str, context: Context) -> dict[str, Any]:
    """The event as AWS Lambda is given one by its gateway: the platform's JSON is the text `body`. What codenode does not know is empty."""
    return {
        "resource": "/",
        "path": "/",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": context.aws_request_id,
            "httpMethod": "POST",
            "path": "/",
            "requestTimeEpoch": int(time.time() * 1_000),
        },
        "body": event,
        "isBase64Encoded": False,
    }


def _named(name: str, handler: Callable[..., Any]) -> str:
    """`main.py:7: main`, where it is a function of the author's."""
    code = getattr(inspect.unwrap(handler), "__code__", None)
    return f"{file()}:{code.co_firstlineno}: {name}" if code and code.co_filename == file() else name


def _reply(name: str, returned: Any) -> Any:
    """What the reply is of what a handler returned: text that is taken for JSON, or a dict."""
    if returned is None:
        raise Failed(f"{name} returned None, as a function does that ends without `return`: {_EXPECTED}")
    if isinstance(returned, Reply):
        return returned.to_dict()
    if not isinstance(returned, dict):
        raise Failed(f"{name} returned {_kind(returned)}: {_EXPECTED}")
    if "statusCode" not in returned and not ("body" in returned and _ANSWER_KEYS.issuperset(returned)):
        return returned
    body = _body(name, returned)
    status = returned.get("statusCode", 200)
    if str(status) != "200":
        said = body if isinstance(body, str) else repr(body)
        raise Failed(shortened(" ".join(f"the handler answered with the statusCode {status}: {said}".split())))
    if body is None:
        raise Failed(f"{name} returned an answer without a body: {_EXPECTED}")
    if not isinstance(body, str | dict):
        raise Failed(f"{name} returned an answer whose body is {_kind(body)}: {_EXPECTED}")
    return body


def _body(name: str, answer: dict[str, Any]) -> Any:
    body = answer.get("body")
    if not answer.get("isBase64Encoded") or not isinstance(body, str):
        return body
    try:
        return base64.b64decode(body, validate=True).decode()
    except ValueError as error:
        raise Failed(f"{name} returned an answer whose body is no base64 of UTF-8: {error}") from None


def _text(reply: Any) -> str:
    """As JSON. A text is the host's to judge, byte for byte."""
    if not isinstance(reply, str):
        try:
            reply = json.dumps(reply, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise Failed(f"the reply cannot be JSON: {' '.join(str(error).split())}") from None
    return valid(reply)


def _logged(error: BaseException) -> str:
    """The one line. Where even that takes more memory than there is, the little that is certain."""
    try:
        if not isinstance(error, Error):
            log.write(log.Level.CRITICAL, "", FAILURES.full(error))
        return log.clean(FAILURES.line(error))
    except (MemoryError, RecursionError):
        return bare(error)
