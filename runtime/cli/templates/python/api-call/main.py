"""Where an order is: asks a service, and says so when that is down."""

import requests
from codenode import config, log


def handle(event):
    asked = event["entities"].get("order")
    if not asked:
        return say("Which order do you mean?", status=False)
    order = asked[0]["entity_value"]
    try:
        answer = requests.get(f"{config.text('orders_url')}/orders", params={"id": order}, timeout=5)
        if answer.status_code == 404:
            return say(f"There is no order {order}.", status=False)
        answer.raise_for_status()
        return say(f"Order {order} is {answer.json()['state']}.")
    except requests.RequestException as error:
        log.warn("order %s: %s", order, error)
        return say("I cannot look that up right now. Please try again later.", status=False)


def say(text, status=True):
    return {"status": status, "response": [text]}
