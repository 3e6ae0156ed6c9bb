"""The memory that each run of a component begins with."""

import gc
import sys
import zlib
from array import array
from types import CodeType

#: Where `immortal` finds the objects of an image: after this are how many there are, the CRC-32 of their addresses, the count of holders of an object
#: that is immortal, and the addresses: that of a type is one more.
MARK = b"codenode: the objects of this image\0"

_OBJECTS = array("I", MARK + bytes(12))
#: What fills the holes.
_FILLING: list[object] = []


def settle() -> None:
    """Notes which objects there are, for `immortal`, and fills the holes between them, for good, so that what a run makes lies together. Nothing of the
    image is garbage then that a run would look for. Each page that a run writes to costs it 3 us. The image is to be taken after this."""
    gc.collect()
    _note_objects()
    top = max(map(id, gc.get_objects()))
    gc.freeze()
    header = sys.getsizeof(b"")
    for size in (*range(16, 513, 16), *(1 << bits for bits in range(10, 17))):
        while True:
            filling = bytes(size - header) if size > header else object()
            _FILLING.append(filling)
            if id(filling) > top:
                break


def _note_objects() -> None:
    """Whatever modules lead to, once."""
    first = len(_OBJECTS)
    seen = bytearray()
    waiting: list[object] = list(sys.modules.values())
    while waiting:
        one = waiting.pop()
        # Objects are 8 bytes apart at the least.
        at, bit = id(one) >> 6, 1 << (id(one) >> 3 & 7)
        if at >= len(seen):
            seen.extend(bytes(at + 1 - len(seen)))
        if seen[at] & bit:
            continue
        seen[at] |= bit
        _OBJECTS.append(id(one) | isinstance(one, type))
        waiting.append(type(one))
        waiting += gc.get_referents(one)
        if isinstance(one, type):
            waiting += gc.get_referents(one.__dict__)
        elif isinstance(one, CodeType):
            waiting += (one.co_consts, one.co_names, one.co_name, one.co_qualname, one.co_filename, one.co_linetable, one.co_exceptiontable)
    _OBJECTS[first - 3] = len(_OBJECTS) - first
    _OBJECTS[first - 2] = zlib.crc32(memoryview(_OBJECTS)[first:])
    _OBJECTS[first - 1] = sys.getrefcount(None)
