"""What becomes of a component's image when its objects are made immortal."""

import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

from codenode import immortal
from codenode._memory import MARK

IMMORTAL = 5 << 28
KIND, HELD, GONE, FREE, NO_OBJECT = 0x100, 0x108, 0x110, 0x118, 0x120
NOTED = 0x200


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def number(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + number(value >> 7) if value > 0x7F else bytes([value])


def section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + number(len(content)) + content


def component(segments: dict[int, bytes]) -> bytearray:
    """A component with one core module, whose memory is this."""
    placed = [b"\0\x41" + number(at) + b"\x0b" + number(len(content)) + content for at, content in segments.items()]
    module = b"\0asm\x01\0\0\0" + section(11, number(len(placed)) + b"".join(placed))
    return bytearray(b"\0asm\x0d\0\x01\0" + section(0, b"\x04name") + section(1, module))


def noted(*addresses: int) -> bytes:
    packed = words(*addresses)
    return MARK + words(len(addresses), zlib.crc32(packed), IMMORTAL) + packed


def objects() -> bytes:
    return words(7, KIND) + words(3, KIND) + words(0, KIND) + words(0x2345678, KIND) + words(5, HELD)


class Immortal(unittest.TestCase):
    def test_objects_that_are_there_are_immortal(self) -> None:
        # The marker stands in the code that writes it, too.
        content = {KIND: objects(), 0x180: MARK, NOTED: noted(KIND + 1, HELD, GONE, FREE, NO_OBJECT)}
        made = component(content)
        self.assertEqual(immortal.immortalise(made), 2)
        expected = {**content, KIND: words(IMMORTAL, KIND) + words(IMMORTAL, KIND) + objects()[16:]}
        self.assertEqual(made, component(expected))

    def test_what_is_no_image_is_refused_and_left_alone(self) -> None:
        changed = bytearray(noted(KIND))
        changed[-1] ^= 1
        for made, why in [
            (bytearray(b"\0asm\x01\0\0\0"), "it is no component"),
            (component({KIND: objects()}), "it has no image of CPython with codenode's SDK in it"),
            (component({KIND: objects(), NOTED: MARK}), "it has no image of CPython with codenode's SDK in it"),
            (component({KIND: objects(), NOTED: bytes(changed)}), "it has no image of CPython with codenode's SDK in it"),
            (component({KIND: objects()[:10], HELD + 4: words(KIND), NOTED: noted(KIND + 1, HELD)}), "a segment of its memory ends within an object's count"),
        ]:
            with self.subTest(why), tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "node.wasm")
                file.write_bytes(made)
                ran = subprocess.run([sys.executable, immortal.__file__, file], capture_output=True, text=True)
                self.assertEqual((ran.returncode, ran.stderr), (1, f"{file}: {why}\n"))
                self.assertEqual(file.read_bytes(), made)


if __name__ == "__main__":
    unittest.main()
