#!/usr/bin/env python3
"""Makes the objects of a component's image immortal: `python3 immortal.py COMPONENT`.

CPython counts who holds an object, in the object, and a page that is written to is one that each run copies. What is in the image is never freed, so
nobody need count: CPython leaves the count of an immortal object alone. Which objects there are, `_memory.settle` has noted in the image itself.
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path

if __package__:
    from ._memory import MARK
else:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from codenode._memory import MARK

#: More than anything is held by. What has no object in it any more holds 0 or an address.
MOST_HELD = 1 << 20

_COMPONENT = b"\0asm\x0d\0\x01\0"
_CORE_MODULE, _DATA = 1, 11
_I32_CONST, _END = 0x41, 0x0B
_HEADER = struct.Struct("<III")


class NoImage(Exception):
    """The file is no component with an image of CPython that `_memory.settle` has seen."""


def immortalise(component: bytearray) -> int:
    """Changes the component's image in place; how many objects are immortal now."""
    for segments in _memories(component):
        image = _image(component, segments)
        immortal, noted = _noted(image)
        if not noted:
            continue
        words, changed = memoryview(image).cast("I"), 0
        types = {address - 1 for address in noted if address % 2}
        for address in noted:
            count, kind = address // 4, address // 4 + 1
            # An object that has gone since it was noted is held by nobody, or its place is a link of a list of free ones.
            if 0 < words[count] < MOST_HELD and words[kind] in types:
                words[count] = immortal
                changed += 1
        for start, place, size in segments:
            component[place : place + size] = image[start : start + size]
        if _image(component, segments) != image:
            raise NoImage("a segment of its memory ends within an object's count")
        return changed
    raise NoImage("it has no image of CPython with codenode's SDK in it")


#: Of a data segment: where it begins in memory, where in the file, and its size.
_Segment = tuple[int, int, int]


def _image(component: bytearray, segments: list[_Segment]) -> bytearray:
    """The memory that the segments make. What none of them covers is zero."""
    end = max((start + size for start, _, size in segments), default=0)
    # Whole words, and room for a header behind a marker that has none.
    image = bytearray(-(-end // 8) * 8 + 16)
    for start, place, size in segments:
        image[start : start + size] = component[place : place + size]
    return image


def _noted(image: bytearray) -> tuple[int, list[int]]:
    """What `_memory.settle` has noted, if it has: how many hold an object that is immortal, and the addresses of all."""
    at = image.find(MARK)
    while at >= 0:
        count, digest, immortal = _HEADER.unpack_from(image, at + len(MARK))
        first = at + len(MARK) + _HEADER.size
        addresses = image[first : first + 4 * count]
        if count and len(addresses) == 4 * count and zlib.crc32(addresses) == digest:
            return immortal, array("I", addresses).tolist()
        at = image.find(MARK, at + 1)
    return 0, []


def _memories(component: bytearray) -> Iterator[list[_Segment]]:
    """The data segments of each core module."""
    if component[:8] != _COMPONENT:
        raise NoImage("it is no component")
    for kind, start, end in _sections(component, 8, len(component)):
        if kind == _CORE_MODULE:
            for kind, at, _ in _sections(component, start + 8, end):
                if kind == _DATA:
                    yield list(_segments(component, at))


def _segments(component: bytearray, at: int) -> Iterator[_Segment]:
    count, at = _number(component, at)
    for _ in range(count):
        form, at = _number(component, at)
        if form != 0 or component[at] != _I32_CONST:
            raise NoImage("a segment of its memory has no place of its own")
        start, at = _number(component, at + 1)
        if component[at] != _END:
            raise NoImage("the place of a segment of its memory is computed")
        size, at = _number(component, at + 1)
        yield start, at, size
        at += size


def _sections(binary: bytearray, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The kind of each section, and where its content begins and ends."""
    while at < end:
        kind = binary[at]
        size, at = _number(binary, at + 1)
        yield kind, at, at + size
        at += size


def _number(binary: bytearray, at: int) -> tuple[int, int]:
    """An LEB128 without a sign, and where it ends."""
    number, shift = 0, 0
    while True:
        number |= (binary[at] & 0x7F) << shift
        shift += 7
        at += 1
        if binary[at - 1] < 0x80:
            return number, at


def main() -> None:
    file = Path(sys.argv[1])
    component = bytearray(file.read_bytes())
    try:
        immortalise(component)
    except NoImage as error:
        sys.exit(f"{file}: {error}")
    file.write_bytes(component)


if __name__ == "__main__":
    main()
