"""The database as bytes in memory: what its file and its write-ahead log hold together, without SQLite.

SQLite cannot read a file with a write-ahead log where it may not write beside it, and reads nothing at all of
a file that is cut off. Formats: sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import sqlite3
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PAGE_SIZE = 4096
"""The bytes of a page in every file that moa-tui makes, where the file itself cannot say."""
_WAL_HEADER, _FRAME_HEADER = 32, 24
_PAGE_SIZES = {1 << power for power in range(9, 17)}


def database_image(path: Path) -> tuple[bytearray, int]:
    """Return the pages of a database, with all that is committed in its log, and the bytes of a page.

    The last page may be cut off where the file is. Raises OSError.
    """
    image = bytearray(path.read_bytes())
    log = b""
    with suppress(FileNotFoundError):
        log = path.with_name(f"{path.name}-wal").read_bytes()
    return image, _apply_log(image, log) or _page_size(image)


def connect_to_image(image: bytearray) -> sqlite3.Connection:
    """Return a connection to a database in memory that holds the pages. Raises sqlite3.Error."""
    # The file's format versions: 1 is without a log, which a database in memory cannot have.
    image[18:20] = b"\x01\x01"
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        connection.deserialize(bytes(image))
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _page_size(image: bytearray) -> int:
    size = int.from_bytes(image[16:18], "big")
    size = 65536 if size == 1 else size
    return size if size in _PAGE_SIZES else PAGE_SIZE


def _apply_log(image: bytearray, log: bytes) -> int:
    """Put the pages of each whole transaction of the log in their places; return the bytes of a page.

    Return 0 where there is no log. What stands behind the first frame that is not whole is of no account.
    """
    if len(log) < _WAL_HEADER or log[:3] != b"\x37\x7f\x06":
        return 0
    order = ">" if log[3] & 1 else "<"
    page_size = int.from_bytes(log[8:12], "big")
    sums = _checksum(order, log[:24], (0, 0))
    if page_size not in _PAGE_SIZES or sums != struct.unpack(">II", log[24:32]):
        return 0
    pages: dict[int, bytes] = {}
    for start in range(_WAL_HEADER, len(log) - _FRAME_HEADER - page_size + 1, _FRAME_HEADER + page_size):
        number, pages_after_commit = struct.unpack(">II", log[start : start + 8])
        page = log[start + _FRAME_HEADER : start + _FRAME_HEADER + page_size]
        sums = _checksum(order, page, _checksum(order, log[start : start + 8], sums))
        is_of_this_log = log[start + 8 : start + 16] == log[16:24]
        if not is_of_this_log or sums != struct.unpack(">II", log[start + 16 : start + 24]):
            break
        pages[number] = page
        if pages_after_commit:
            size = pages_after_commit * page_size
            image.extend(bytes(max(0, size - len(image))))
            del image[size:]
            for page_number, content in pages.items():
                if page_number <= pages_after_commit:
                    image[(page_number - 1) * page_size : page_number * page_size] = content
            pages.clear()
    return page_size


def _checksum(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    """Return the two running sums of a log over `data`, of which the length is a multiple of 8."""
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for word in words:
        first = (first + word + second) & 0xFFFFFFFF
        second = (second + next(words) + first) & 0xFFFFFFFF
    return first, second
