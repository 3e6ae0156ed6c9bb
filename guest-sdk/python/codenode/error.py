"""The error of a handler that has no reply, and knows why."""


class Error(Exception):
    """There is no reply, and its text says why: one line for the author, which is the detail of a bot break with the cause `exception` as it stands.

    Any other exception is one too; then the line begins with its place, and the traceback is logged.

        raise codenode.Error("no product was asked for")
    """
