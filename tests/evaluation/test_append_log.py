"""The log of lines: whole or not at all, whatever ends the program or fills the disk."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from moa_tui.errors import FileError
from moa_tui.evaluation.append_log import AppendLog

if TYPE_CHECKING:
    from pathlib import Path


def lines(path: Path) -> list[dict[str, object]]:
    with AppendLog(path, writable=False) as log:
        return [entry for _, entry in log.entries()]


def opened(path: Path) -> AppendLog:
    log = AppendLog(path, writable=True)
    assert list(log.entries()) is not None
    return log


def test_a_line_is_read_back_from_where_it_begins(tmp_path: Path) -> None:
    with opened(tmp_path / "log") as log:
        places = [log.append({"number": number, "text": "é\u2028\n" * 50_000}) for number in range(3)]
        assert [log.entry(place)["number"] for place in places] == [0, 1, 2]
    assert [line["number"] for line in lines(tmp_path / "log")] == [0, 1, 2]
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 10, 17])
def test_a_line_that_was_cut_off_is_taken_away_before_the_next(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append({"number": 1})
        log.append({"number": 2, "text": "x"})
    path.write_bytes(path.read_bytes()[:-cut])
    with opened(path) as log:
        place = log.append({"number": 3})
        assert log.entry(place) == {"number": 3}
    assert [line["number"] for line in lines(path)] == [1, 3]


def test_a_full_disk_takes_no_line_in_part_and_keeps_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    write = os.pwrite

    def half(descriptor: int, data: bytes, place: int) -> int:
        if len(data) < 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) // 2], place)

    with opened(path) as log:
        log.append({"number": 1})
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", half)
            with pytest.raises(FileError, match=r"the disk is full.*finished calls before are kept"):
                log.append({"number": 2, "text": "a text that is cut"})
        assert path.read_bytes().endswith(b'{"number":1}\n')
        log.append({"number": 3})
    assert [line["number"] for line in lines(path)] == [1, 3]


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b'{"a":1}\n\x00\x00\n{"a":2}\n')
    with pytest.raises(FileError, match=r"log, line 2: not JSON"):
        lines(tmp_path / "log")


@pytest.mark.parametrize("fate", ["deleted", "moved", "replaced"])
def test_a_log_that_is_gone_is_said_at_the_next_line(tmp_path: Path, fate: str) -> None:
    path = tmp_path / "log"
    with opened(path) as log:
        log.append({"number": 1})
        if fate == "moved":
            path.rename(tmp_path / "other")
        else:
            path.unlink()
        if fate == "replaced":
            path.write_text("")
        with pytest.raises(FileError, match="is gone: the folder was deleted or moved"):
            log.append({"number": 2})
    if fate == "moved":
        assert [line["number"] for line in lines(tmp_path / "other")] == [1, 2]
