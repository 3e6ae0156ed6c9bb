"""A module beside the handler's own."""

from codenode import Reply


def share(whole: int, parts: int) -> Reply:
    return Reply(str(whole // parts))
