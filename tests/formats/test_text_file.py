"""Archives as they were downloaded, and texts in any encoding."""

from __future__ import annotations

import json
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.errors import FileError
from moa_tui.formats import text_file
from moa_tui.formats.importer import read
from tests.formats.helpers import chatgpt, node, pairs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.formats.conftest import Importing


def asked(text: str) -> dict[str, Any]:
    return chatgpt(node("u", None, "user", text), current="u")


def archive(path: Path, files: dict[str, object], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as opened:
        for name, content in files.items():
            opened.writestr(name, content if isinstance(content, str | bytes) else json.dumps(content))
    return path


def prompts(path: Path) -> list[str]:
    return [prompt for each in read(path).conversations for prompt, _ in pairs(each)]


CLAUDE = [{"uuid": "c", "name": "C", "chat_messages": [{"uuid": "m", "sender": "human", "text": "Q"}]}]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # OpenAI's archive: mohamed-chs/convoviz, docs/dev/chatgpt-spec.md.
        (
            {
                **{"conversations.json": [asked("Q")], "user.json": {"id": "user-1"}, "chat.html": "<html>"},
                **{
                    "message_feedback.json": [{"id": "x"}],
                    "shared_conversations.json": [{"id": "x", "title": "S"}],
                },
            },
            ["Q"],
        ),
        ({"a folder/of/it/conversations.json": [asked("Q")], "a folder/chat.html": ""}, ["Q"]),
        # A newer archive, with several files: mohamed-chs/convoviz, io/loaders.py.
        (
            {f"conversations-{number}.json": [asked(str(number))] for number in (10, 2, 0)}
            | {"user.json": {}},
            ["0", "2", "10"],
        ),
        # Claude's archive: conversations.json, users.json, projects.json.
        ({"conversations.json": CLAUDE, "users.json": [{"uuid": "u"}], "projects.json": []}, ["Q"]),
        ({"export/first.json": [asked("Q")], "export/second.jsonl": json.dumps(asked("R"))}, ["Q", "R"]),
        ({"__MACOSX/conversations.json": b"\0\x05", "conversations.json": [asked("Q")]}, ["Q"]),
    ],
    ids=["chatgpt", "folder", "parts", "claude", "any", "mac"],
)
def test_an_archive_is_read_as_it_was_downloaded(
    tmp_path: Path, files: dict[str, object], expected: list[str]
) -> None:
    path = archive(tmp_path / "any name", files)
    assert prompts(path) == expected
    assert read(path).notes == ()


def test_a_damaged_file_in_an_archive_costs_itself_alone(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.zip",
        {"conversations-0.json": [asked("Q" * 9_000)], "conversations-1.json": [asked("R")]},
        zipfile.ZIP_STORED,
    )
    path.write_bytes(path.read_bytes().replace(b"Q" * 100, b"X" * 100, 1))
    result = read(path)
    assert pairs(result.conversations[-1]) == [("R", "")]
    assert result.notes == (
        "left out: conversations-0.json: it cannot be unpacked: Bad CRC-32 for file 'conversations-0.json'",
    )


def test_an_archive_that_is_cut_off_or_locked_says_so(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"conversations.json": [asked("Q")]})
    data = path.read_bytes()
    path.write_bytes(data[:-30])
    with pytest.raises(FileError, match="it is a ZIP archive that cannot be opened: File is not a zip file"):
        read(path)
    # The bit that says that a file is encrypted, in its own head and in the table.
    locked = bytearray(data)
    locked[6] |= 1
    locked[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(locked)
    with pytest.raises(FileError, match=r"conversations\.json: it cannot be unpacked: .*encrypted"):
        read(path)
    archive(path, {"picture.png": b"\x89PNG"})
    with pytest.raises(FileError, match="there is no conversation in it; what can be read: "):
        read(path)


def test_what_an_archive_unpacks_to_is_counted_whatever_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_file, "LARGEST", 2**20)
    bomb = archive(tmp_path / "a.zip", {"conversations.json": b"[" + b" " * 2**25 + b"]"})
    assert bomb.stat().st_size < 2**16
    # The sizes that stand in the archive are lies.
    data = bomb.read_bytes().replace(struct.pack("<L", 2**25 + 2), struct.pack("<L", 10))
    bomb.write_bytes(data)
    with pytest.raises(FileError, match=r"conversations.json|more than 1 MB"):
        read(bomb)
    many = archive(tmp_path / "b.zip", {f"conversations-{number}.json": b" " * 2**18 for number in range(5)})
    with pytest.raises(FileError, match="it unpacks to more than 1 MB, which is the most that is read"):
        read(many)


def test_an_archive_of_very_many_files_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "_LARGEST_TABLE", 10_000)
    path = archive(tmp_path / "a.zip", {f"{number}.json": "" for number in range(400)})
    with pytest.raises(FileError, match="it is an archive of too many files"):
        read(path)
    with path.open("ab") as file:
        file.write(b"")
    data = path.read_bytes()
    path.write_bytes(data[:-2] + struct.pack("<H", 3) + b"PK\5")
    with pytest.raises(FileError, match="it is an archive of too many files"):
        read(path)


def test_a_large_archive_with_a_small_text_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "LARGEST", 2**16)
    path = archive(
        tmp_path / "a.zip",
        {"image.png": b"x" * 2**20, "conversations.json": [asked("Q")]},
        zipfile.ZIP_STORED,
    )
    assert prompts(path) == ["Q"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)
@pytest.mark.parametrize("form", ["list", "object", "lines"])
def test_any_encoding_is_told_by_the_beginning(imported: Importing, encoding: str, form: str) -> None:
    records = [{"messages": [{"role": "user", "content": text}]} for text in ("漢字 é 😀", "b")]
    text = json.dumps(records, ensure_ascii=False)
    if form != "list":
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
        text = "\r\n".join(lines) if form == "lines" else lines[0]
    result = imported(text.encode(encoding))
    assert pairs(result.conversations[0]) == [("漢字 é 😀", "")]
    assert result.notes == ()


def test_a_character_that_is_cut_in_two_by_the_reading_is_whole(
    imported: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_file, "_PIECE", 5)
    text = json.dumps({"messages": [{"role": "user", "content": "漢字😀" * 20}]}, ensure_ascii=False)
    for encoding in ("utf-8", "utf-16", "utf-32"):
        assert pairs(imported(text.encode(encoding)).conversations[0]) == [("漢字😀" * 20, "")]


def test_bytes_that_are_no_text_cost_themselves_alone(imported: Importing) -> None:
    result = imported(b'[{"messages": [{"role": "user", "content": "caf\xe9 \xe9"}]}]')
    assert pairs(result.conversations[0]) == [("caf\ufffd \ufffd", "")]
    assert result.notes == ("left out: some of it is not a text in utf-8: byte 47",)
    cut = json.dumps([asked("Q")]).encode("utf-16")
    assert pairs(imported(cut[:-1]).conversations[0]) == [("Q", "")]
