"""A code node in Python: the whole of CPython must get through the gates."""

import json

import wit_world


class WitWorld(wit_world.WitWorld):
    def handle(self, event: str) -> str:
        platform_event = json.loads(event)
        node = platform_event.get("node") or platform_event.get("step")
        return json.dumps({"status": True, "response": [f"python answers {node}"]})
