"""What is in the image of the component when it is taken: modules, time zones, and state that would otherwise be made in each run.

A run starts from the image, so what is imported here costs it nothing; and there is no file system behind it, so what is not cannot be imported.
"""

import asyncio
import codecs
import encodings.aliases
import importlib
import io
import json
import linecache
import pkgutil
import re
import socket
import sys
import time
import traceback
import urllib.request
import uuid
import zoneinfo

import chardet
import dateutil.easter
import dateutil.parser
import dateutil.relativedelta
import dateutil.rrule
import dateutil.tz
import dateutil.utils
import dateutil.zoneinfo
import idna
import pytz
import requests
import requests.adapters
import requests.auth
import requests.cookies
import requests.exceptions
import requests.sessions
import six
import six.moves.urllib.parse

import codenode
from codenode import _guest, _memory
from codenode_runner import handler, program
from codenode_runner.loop import Loop
from codenode_runner.transport import Adapter, Opener

#: Of the standard library, what cannot work without files, processes, threads or a terminal, or is for whoever works on CPython itself.
_LEFT_OUT = re.compile(
    r"_?(android|apple|ios)_support|antigravity|concurrent\.interpreters|curses|dbm|ensurepip|idlelib|lib2to3|msilib|multiprocessing"
    r"|nturl2path|pip|profiling|pydoc_data|site|sitecustomize|sqlite3|test|this|tkinter|turtle|turtledemo|usercustomize|venv|webbrowser|__main__"
    r"|_pyrepl|_ios_support|asyncio\.(windows|__main__)|.*\.__main__|.*\.tests?(\..*)?|unittest\.__main__"
)

_EXERCISE = '''
import json, re
from datetime import datetime

def main(event, context):
    order = json.loads(event["body"])
    assert re.fullmatch(r"[A-Z_]+", order["node"])
    datetime.strptime("2024-02-29 12:00", "%Y-%m-%d %H:%M").strftime("%d %b %Y")
    print(end="")
    return {"statusCode": 200, "body": json.dumps({"status": True, "response": [f"{order['node']} {1.5:.2f}"]})}
'''


def prepare() -> None:
    """Makes everything ready. The image is taken after this."""
    _import_the_standard_library()
    _import_encodings()
    _keep_time_zones()
    _replace_sockets()
    _guest.send_lines()
    _exercise()
    _forget_the_file_system()
    _memory.settle()


def _import_the_standard_library() -> None:
    """All that can be imported here."""
    for name in sorted(sys.stdlib_module_names):
        _import(name)
    packages = [module for name, module in list(sys.modules.items()) if name in sys.stdlib_module_names]
    for package in packages:
        for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}.", onerror=lambda _: None):
            _import(found.name)


def _import(name: str) -> None:
    parts = name.split(".")
    if any(_LEFT_OUT.fullmatch(".".join(parts[: end + 1])) for end in range(len(parts))):
        return
    try:
        importlib.import_module(name)
    except Exception:
        # It wants what is not in a sandbox: an author's import of it says so.
        sys.modules.pop(name, None)


def _import_encodings() -> None:
    """Codecs are looked up by name when they are used first."""
    for name in sorted(set(encodings.aliases.aliases.values())):
        try:
            codecs.lookup(name)
        except LookupError:
            continue


def _keep_time_zones() -> None:
    """`zoneinfo` and `pytz` read a zone from a file when it is asked for first; here both read the files of `pytz`, out of memory."""
    zones = {}
    for name in pytz.all_timezones:
        with pytz.open_resource(name) as file:
            zones[name] = file.read()
    tables = {}
    for name in ("zone.tab", "iso3166.tab"):
        with pytz.open_resource(name) as file:
            tables[name] = file.read()

    def load_tzdata(key: str) -> io.BytesIO:
        if key not in zones:
            raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}")
        return io.BytesIO(zones[key])

    def open_resource(name: str) -> io.BytesIO:
        if name not in zones and name not in tables:
            raise FileNotFoundError(name)
        return io.BytesIO(zones.get(name) or tables[name])

    zoneinfo._common.load_tzdata = load_tzdata
    zoneinfo.available_timezones = lambda: set(zones)
    pytz.open_resource = open_resource
    pytz.resource_exists = lambda name: name in zones or name in tables
    zoneinfo.ZoneInfo("Asia/Kolkata")
    pytz.timezone("Asia/Kolkata")
    pytz.country_names.get("IN")
    pytz.country_timezones.get("IN")
    dateutil.zoneinfo.get_zonefile_instance()


def _replace_sockets() -> None:
    """What would open some goes over `wasi:http`, or does without, or says what to do."""
    requests.sessions.HTTPAdapter = requests.adapters.HTTPAdapter = Adapter
    urllib.request.install_opener(urllib.request.build_opener(Opener))
    asyncio.events._get_event_loop_policy()._loop_factory = Loop
    # Else it looks for the address of a network card.
    uuid._GETTERS = []

    def no_address(*_arguments: object, **_options: object) -> None:
        raise PermissionError("there are no sockets here: use `requests` or `urllib.request`")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
        setattr(socket, name, no_address)


def _exercise() -> None:
    """Runs a handler, and one that fails, so that what they make once is there."""
    context = json.dumps({"function_name": "exercise", "request_id": "0", "wall_time_millis": 1_000})
    handler.run(program.build("main.py", _EXERCISE), '{"node": "ORDER"}', context)
    try:
        json.loads("{")
    except ValueError as error:
        traceback.TracebackException.from_exception(error).format()
    dateutil.parser.parse("29 Feb 2024 12:00 UTC")
    chardet.detect("naïve café".encode())
    idna.encode("bücher.example")
    time.strptime("2024", "%Y")
    requests.Session().close()
    linecache.clearcache()
    sys.modules.pop("main", None)


def _forget_the_file_system() -> None:
    """Where the modules came from is gone when the image runs: an import then fails at once, without looking for it."""
    sys.path.clear()
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
