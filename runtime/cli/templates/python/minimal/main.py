"""An event comes in, a reply goes out."""


def handle(event):
    name = event["user"].get("full_name")
    hello = f"Hello {name}" if name else "Hello"
    return {"status": True, "response": [f"{hello}, what can I do for you?"]}
