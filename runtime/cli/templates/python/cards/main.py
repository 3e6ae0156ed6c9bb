"""A shop window: a carousel with a card for each product, and buttons for the one that is asked for."""

PRODUCTS = {"speaker": 1500, "powerbank": 1000}


def handle(event):
    asked = event["entities"].get("product")
    product = asked[0]["entity_value"] if asked else None
    if product in PRODUCTS:
        messages = [f"The {product} costs ₹{PRODUCTS[product]}.", buttons(product)]
        return {"status": True, "response": messages, "conversation_details": {"product": product}}
    messages = ["We don't have that.", carousel()] if product else [carousel()]
    return {"status": product is None, "response": messages}


def carousel():
    cards = [card(product, price) for product, price in PRODUCTS.items()]
    return {"type": "CAROUSEL", "text": "This is what we have", "data": {"image_aspect_ratio": 1, "width": "MEDIUM", "items": cards}}


def card(product, price):
    return {
        "title": product,
        "sub_title": f"₹{price}",
        "description": "",
        "thumbnail": {"image": f"https://example.com/{product}.png", "type": "LANDSCAPE"},
        "actionables": [say(f"What does the {product} cost?")],
    }


def buttons(product):
    items = [link("See it", f"https://example.com/{product}"), say("What else do you have?")]
    return {"type": "BUTTON", "text": "What would you like to do?", "data": {"items": items}}


def say(caption):
    return action(caption, "TEXT_ONLY", "", {"message": caption, "gogo_message": caption})


def link(caption, url):
    return action(caption, "APP_ACTION", "LINK", {"url": url})


def action(caption, kind, uri, payload):
    return {"actionable_text": caption, "type": kind, "uri": uri, "payload": payload, "location_required": False, "is_default": 0}
