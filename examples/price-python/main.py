"""The price of a product, as it is pasted into a Code Editor: a speaker, a powerbank, or anything else."""

import json

PRICES = {"speaker": 1500, "powerbank": 1000}


def main(event, context):
    asked = json.loads(event["body"])["entities"].get("product_name", [])
    product = text(asked[0]["entity_value"]) if asked else None
    if product in PRICES:
        reply = {"status": True, "response": [f"The price of the {product} is ₹{PRICES[product]}."]}
    else:
        reply = {"status": False, "response": ["Sorry, we don't sell that."]}
    return {"statusCode": 200, "body": json.dumps(reply)}


def text(value):
    """The platform writes a text bare, or wrapped: `{"value": "speaker"}`."""
    bare = value.get("value") if isinstance(value, dict) else value
    return bare if isinstance(bare, str) else None
