"""Write the handler of a chatbot's code node in Python: one function from an `Event` to a `Reply`.

    from codenode import Event, Reply, handler, log

    @handler
    def handle(event: Event) -> Reply:
        product = event.entities.text("product_name")
        log.info("price of %s", product)
        return Reply("It costs 1500.") if product == "speaker" else Reply("We don't sell that.", status=False)

What the node is granted is in `http`, `kv`, `messages` and `config`; one-time codes are in `otp`, what can be shown beside text is in `element`, and
what unit tests need is in `codenode.testing`.

An exception becomes a bot break with the cause `exception`, which names the author's line; `Error` is one that is told as it stands.
"""

from . import config, element, http, kv, log, messages, otp
from .entities import Detection, Entities, Entity
from .error import Error
from .event import API_INTEGRATION, Event, Platform, User
from ._handler import handler
from .reply import Message, Reply
from .values import Fields, Range

__all__ = [
    "API_INTEGRATION",
    "Detection",
    "Entities",
    "Entity",
    "Error",
    "Event",
    "Fields",
    "Message",
    "Platform",
    "Range",
    "Reply",
    "User",
    "config",
    "element",
    "handler",
    "http",
    "kv",
    "log",
    "messages",
    "otp",
]
