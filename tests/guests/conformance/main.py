"""Does what the entity `way` says; see tests/it/black_box/conformance."""

import random
import sys
import time

from codenode import config, http, kv, messages

try:
    import requests
except ImportError:
    # In a component. Sources have both.
    requests = None

runs = []


def handle(event):
    way = first(event, "way")
    name = first(event, "name")
    match way:
        case "greet":
            return says(f"नमस्ते {name} 😊" if name else "नमस्ते")
        case "element":
            items = [{"actionable_text": "Yes", "type": "TEXT_ONLY", "payload": {"message": "Yes"}}]
            return {"response": [{"text": "Sure?", "type": "BUTTON", "data": {"items": items}}]}
        case "details":
            return says("kept") | {"conversation_details": {"step": "2"}, "user_details": {"city": name}}
        case "decline":
            return says("Sorry.") | {"status": False}
        case "amount":
            amount = first(event, "amount")
            return says(f"{amount['value']} {amount['unit']}")
        case "branch":
            return says("gold") | {"tier": {"name": "gold", "points": [1, 2.5]}}
        case "clock":
            return says(str(int(time.time())))
        case "random":
            return says(random.randbytes(16).hex())
        case "wait":
            time.sleep(0.05)
            return says("rested")
        case "count":
            runs.append(way)
            return says(str(len(runs)))
        case "error":
            raise RuntimeError("the list of prices is out of date")
        case "exit":
            sys.exit(3)
        case "not_json":
            return {"statusCode": 200, "body": '{"response": ["half a rep'}
        case "wrong_shape":
            return {"response": [7]}
        case "empty":
            return {"response": []}
        case "long":
            return says("x" * (300 << 10))
        case "sleep":
            time.sleep(60)
        case "loop":
            while True:
                pass
        case "eat":
            eaten = []
            while True:
                eaten.append(bytearray(1 << 20))
        case "recurse":
            return handle(event)
        case "calls":
            for call in range(20_000):
                sys.stderr.write(f"{call}\n")
                sys.stderr.flush()
        case "log":
            print(f"{name} was here", file=sys.stderr)
            return says("logged")
        case "config":
            return says(config.text("shop"))
        case "kv":
            return says(str(kv.node().increment("visits", 1)))
        case "message":
            return says(messages.text("hello", event["user"]["language_code"]))
        case "fetch":
            return says(fetch(event["env_variables"]["service"]))
        case "remember":
            return says(event["user_details"]["city"])
    raise LookupError(f"no way {way}")


def fetch(url):
    if requests is None:
        return http.get(url, timeout=5).checked().text()
    response = requests.get(url, timeout=5)
    response.raise_for_status()
    return response.text


def first(event, entity):
    detected = event["entities"].get(entity)
    return detected[0]["entity_value"] if detected else None


def says(text):
    return {"status": True, "response": [text]}
