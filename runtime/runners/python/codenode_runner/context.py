"""The `context` of a handler, with the names of AWS Lambda's."""

import json
import time


class Context:
    """What is known of a run. What AWS alone knows, such as an ARN's account, is not there or empty."""

    function_version = "$LATEST"
    invoked_function_arn = ""
    log_group_name = "codenode"
    identity = None
    client_context = None

    def __init__(self, text: str) -> None:
        """`text` is the host's JSON: `{"function_name": "…", "request_id": "…", "wall_time_millis": 10000}`."""
        self._started = time.monotonic()
        told = json.loads(text)
        self.function_name: str = told["function_name"]
        self.aws_request_id: str = told["request_id"]
        self.log_stream_name: str = self.aws_request_id
        self._wall_time_millis: int = told["wall_time_millis"]

    def get_remaining_time_in_millis(self) -> int:
        """How long the run may still take. It begins when the handler is loaded, a few milliseconds after the host's own stopwatch."""
        used = (time.monotonic() - self._started) * 1_000
        return max(0, self._wall_time_millis - int(used))
