"""Uses whatever a node can be granted, as the event says: what the compiled SDK for Python must be seen to do."""

import logging
import random
from collections.abc import Callable

import shop
from codenode import Error, Event, Reply, config, handler, http, kv, log, messages, otp


@handler
def handle(event: Event) -> Reply:
    wanted = event.entities.text("what") or ""
    if wanted not in WAYS:
        raise Error(f"there is no way {wanted!r}")
    return WAYS[wanted](event)


def keep(event: Event) -> Reply:
    """An entry that is set, listed, counted, changed at once, and kept for a while."""
    bucket = kv.node()
    bucket.set_json("order", {"id": 71})
    bucket.keep_for(days=1).increment("visits")
    bucket.update("last", lambda before: (before or b"") + b"x")
    found = bucket.get_many(["order", "none"])
    return Reply(f"{bucket.json('order')['id']} {bucket.increment('visits')} {list(bucket.keys())} {found} {bucket.text('last')}")


def refuse(event: Event) -> Reply:
    try:
        kv.tenant()
    except kv.Refused as error:
        return Reply(str(error))
    return Reply("it was granted")


def say(event: Event) -> Reply:
    return Reply(messages.fill(messages.text("order.late", event.user.language_code), order=71))


def know(event: Event) -> Reply:
    return Reply(f"{config.text('shop.name')} {config.read('orders.shown')} {sorted(config.all())}")


def write(event: Event) -> Reply:
    log.debug("visits of %s", event.user.user_name)
    logging.getLogger("shop").warning("from logging")
    print("from print")
    return Reply("written")


def ask(event: Event) -> Reply:
    asked = [http.Request("GET", event.env_variables.text("url") or "", params={"id": at}) for at in (1, 2)]
    return Reply(*(str(answer) if isinstance(answer, http.Error) else answer.text() for answer in http.all(asked)))


def depend(event: Event) -> Reply:
    return Reply(http.get(event.env_variables.text("url") or "").checked().text())


def code(event: Event) -> Reply:
    return Reply(str(otp.Codes().issue("a").isdigit()))


def roll(event: Event) -> Reply:
    return Reply(str(random.random()))


def halve(event: Event) -> Reply:
    """Half a character, which no host can take."""
    return Reply("\ud83d")


def break_off(event: Event) -> Reply:
    return shop.share(1, 0)


WAYS: dict[str, Callable[[Event], Reply]] = {
    way.__name__: way for way in (keep, refuse, say, know, write, ask, depend, code, roll, halve, break_off)
}
