"""What codenode offers to a handler beside Python itself: `kv`, `messages`, `config` and `log`. Each is granted to the node's revision, but for `log`."""

from . import config, kv, log, messages

__all__ = ["config", "kv", "log", "messages"]
