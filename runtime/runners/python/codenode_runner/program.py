"""From an author's source to a program: the code of CPython, with the source for tracebacks. Runs none of it."""

import ast
import importlib.util
import linecache
import marshal
import sys
from types import CodeType
from typing import NamedTuple

from .failures import Failed, call_it, file

#: How a program begins. The code of another CPython would crash this one, so its number is part of it.
MAGIC = b"codenode python 1 " + importlib.util.MAGIC_NUMBER


_THERE_IS = "there are codenode, requests, pytz, dateutil and the standard library, as far as that needs no files, processes or sockets"


class _Missing(SyntaxError):
    """An import that cannot succeed. Shown under the name of what it would raise."""


_Missing.__name__ = ModuleNotFoundError.__name__


class Program(NamedTuple):
    source: str
    code: CodeType


def build(name: str, source: str) -> bytes:
    """The program of a source that is called `name`. Raises `Failed` with what is wrong with it, in several lines: `main.py:3:7: SyntaxError: …`, the
    line, and a caret."""
    call_it(name)
    source = source.removeprefix("\ufeff")
    try:
        tree = ast.parse(source, name)
        _refuse_missing_modules(tree)
        code = compile(tree, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Failed(_shown(error, source)) from None
    except (RecursionError, MemoryError):
        raise Failed(f"{name}: the source is nested too deeply, or too large") from None
    except ValueError as error:
        raise Failed(f"{name}: {error}") from None
    return MAGIC + marshal.dumps((source, code))


def load(program: bytes) -> Program:
    """The program that `build` made. Its lines can be shown in tracebacks from now on."""
    if not program.startswith(MAGIC):
        raise Failed("the program is of another runner: compile the source again")
    source, code = marshal.loads(memoryview(program)[len(MAGIC) :])
    name = code.co_filename
    call_it(name)
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    return Program(source, code)


def _refuse_missing_modules(tree: ast.Module) -> None:
    """Tells of an import that cannot succeed before the first event does. What stands in a `try`, an `if` or a function is the author's risk."""
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            wanted = [(name.name, name) for name in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0:
            wanted = [(statement.module, statement)]
        else:
            continue
        for module, where in wanted:
            if module not in sys.modules and module not in sys.builtin_module_names:
                why = f"there is no module {module} here: {_THERE_IS}"
                place = (file(), where.lineno, where.col_offset + 1, None, where.end_lineno, where.end_col_offset + 1)
                raise _Missing(why, place)


def _shown(error: SyntaxError, source: str) -> str:
    lines = source.splitlines()
    if not error.lineno or error.lineno > len(lines) + 1:
        return f"{file()}: {type(error).__name__}: {error.msg}"
    line = (lines[error.lineno - 1] if error.lineno <= len(lines) else "").replace("\t", " ")
    column = max(error.offset or 1, 1)
    is_one_line = error.end_lineno in (None, error.lineno)
    width = (error.end_offset or 0) - column if is_one_line else len(line) - column + 1
    carets = "^" * max(1, min(width, len(line) - column + 1))
    start = f"{file()}:{error.lineno}:{column}: {type(error).__name__}: {error.msg}"
    return f"{start}\n    {line}\n    {' ' * (column - 1)}{carets}"
