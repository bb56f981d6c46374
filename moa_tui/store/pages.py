"""The rows on the pages of a database, read one page at a time, whatever has become of the pages around it.

SQLite finds a row by way of the pages above it, so of a file that is cut off or damaged it cannot reach pages
that are whole. Format: sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = int | float | str | bytes | None

_FILE_HEADER = 100
_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF = 0x02, 0x0A, 0x0D
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class PageRow(NamedTuple):
    """A row as it stands on a page: `rowid` is None in an index, of which a table without rowids is one."""

    rowid: int | None
    values: tuple[Value, ...]


def rows_of(image: bytes | bytearray, page_size: int) -> Iterator[PageRow]:
    """Yield every row that stands whole on whole pages; a long one continues on pages of its own."""
    for start in range(0, len(image) - page_size + 1, page_size):
        yield from _rows_of_page(image, start, page_size)


def _rows_of_page(image: bytes | bytearray, start: int, page_size: int) -> Iterator[PageRow]:
    header = start + (0 if start else _FILE_HEADER)
    kind = image[header]
    if kind not in (_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF):
        return
    count = int.from_bytes(image[header + 3 : header + 5], "big")
    first = header + (12 if kind == _INDEX_INTERIOR else 8)
    if first + 2 * count > start + page_size:
        return
    for pointer in range(first, first + 2 * count, 2):
        at = start + int.from_bytes(image[pointer : pointer + 2], "big")
        if not first + 2 * count <= at < start + page_size:
            continue
        try:
            yield _row(image, at, kind, page_size)
        except (IndexError, ValueError, UnicodeDecodeError, struct.error):
            continue  # This row is damaged; others on the page may not be.


def _row(image: bytes | bytearray, at: int, kind: int, page_size: int) -> PageRow:
    """Return the row of the cell at `at`. Raises IndexError, ValueError or struct.error where it is none."""
    page_end = (at // page_size + 1) * page_size
    if kind == _INDEX_INTERIOR:
        at += 4
    size, at = _varint(image, at)
    rowid = None
    if kind == _TABLE_LEAF:
        rowid, at = _varint(image, at)
        rowid -= (rowid >> 63) << 64
    local = _local_bytes(size, kind, page_size)
    if at + local > page_end:
        raise ValueError("the row runs over the end of its page")
    payload = bytes(image[at : at + local])
    if local < size:
        payload += _continued(
            image, int.from_bytes(image[at + local : at + local + 4], "big"), size - local, page_size
        )
    return PageRow(rowid, _values(payload))


def _local_bytes(size: int, kind: int, page_size: int) -> int:
    """Return how many bytes of a row of `size` bytes stand on its own page."""
    most = page_size - 35 if kind == _TABLE_LEAF else (page_size - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (page_size - 12) * 32 // 255 - 23
    local = least + (size - least) % (page_size - 4)
    return local if local <= most else least


def _continued(image: bytes | bytearray, number: int, size: int, page_size: int) -> bytes:
    """Return `size` bytes of the pages that a row continues on. Raises ValueError where one is not whole."""
    if size > len(image):
        raise ValueError("the row is larger than the file")
    pieces = []
    while size > 0:
        start = (number - 1) * page_size
        if start < 0 or start + page_size > len(image):
            raise ValueError("the row continues behind the end of the file")
        pieces.append(bytes(image[start + 4 : start + min(page_size, size + 4)]))
        size -= len(pieces[-1])
        number = int.from_bytes(image[start : start + 4], "big")
    return b"".join(pieces)


def _values(payload: bytes) -> tuple[Value, ...]:
    header_size, at = _varint(payload, 0)
    types = []
    while at < header_size:
        kind, at = _varint(payload, at)
        types.append(kind)
    if at != header_size:
        raise ValueError("the row has no such header")
    values = []
    for kind in types:
        value, at = _value(payload, at, kind)
        values.append(value)
    if at != len(payload):
        raise ValueError("the row has another length than its header says")
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    """Return the value of that serial type at `at`, and where the next one begins."""
    if kind == 0:
        return None, at
    if kind in _INTEGER_BYTES:
        end = at + _INTEGER_BYTES[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind == 7:
        return struct.unpack(">d", payload[at : at + 8])[0], at + 8
    if kind in (8, 9):
        return kind - 8, at
    if kind < 12:
        raise ValueError("there is no such type")
    end = at + (kind - 12) // 2
    data = payload[at:end]
    return (data.decode() if kind % 2 else data), end


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the number at `at` and where the next one begins. Raises IndexError at the end of the data."""
    value = 0
    for place in range(8):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value << 8 | data[at + 8], at + 9
