"""Grey pictures as PNG data addresses, for a page that needs nothing else."""

import base64
import struct
import zlib


def png(pixels: bytes) -> str:
    """A grey picture of 28 x 28 as a data address, dark ink on white."""
    rows = b"".join(
        b"\0" + bytes(255 - x for x in pixels[start : start + 28]) for start in range(0, 784, 28)
    )

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()
