"""Files that a prompt mentions, and long pastes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from moa_tui.chat.attachments import (
    MAX_FILE_BYTES,
    Pastes,
    attach,
    attachment,
    is_binary,
    is_long,
    mentioned,
    paste_label,
    paths_for,
)
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.errors import UsageError


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("see @notes.md", ["notes.md"]),
        ("@a.py and\n@b/c.py", ["a.py", "b/c.py"]),
        ('@"with space.txt" too', ["with space.txt"]),
        ("(@a.py), [@b.py]", ["a.py", "b.py"]),
        ("look at @notes.md, then at @~/x.txt.", ["notes.md", "~/x.txt"]),
        ("@a @a @b", ["a", "b"]),
        ("write to me@example.org", []),
        ("a lone @ here, or @@twice, or @.", []),
        ('an open @"quote', []),
        ("`run @inline now` and @real", ["real"]),
        ("```\n@property\n```\n@real", ["real"]),
        ("@naïve/日本.txt", ["naïve/日本.txt"]),
        ("", []),
    ],
)
def test_mentions_are_found_where_a_word_begins(prompt: str, names: list[str]) -> None:
    assert mentioned(prompt) == names


def test_a_mentioned_file_comes_as_a_fenced_block_with_its_size_in_tokens(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("some ```fence``` inside\n")
    found = attachment("notes.md", tmp_path)
    assert found.path == tmp_path / "notes.md"
    assert found.text == "File `notes.md`:\n\n````\nsome ```fence``` inside\n````"
    assert found.tokens == estimate_tokens(found.text)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "at home.txt").write_text("x")
    assert attachment("~/at home.txt", Path("/nowhere")).path == tmp_path / "at home.txt"
    assert paths_for("~/at", Path("/nowhere")) == ['"~/at home.txt"']
    assert paths_for("~", Path("/nowhere")) == ["~/"]


def test_what_cannot_go_along_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "binary").write_bytes(b"a\0b")
    (tmp_path / "big").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    os.mkfifo(tmp_path / "pipe")
    for mention, reason in [
        ("gone.txt", "gone.txt: no such file"),
        ("folder", "folder is a directory"),
        ("latin.txt", "no UTF-8 text"),
        ("binary", "is a binary file"),
        ("big", "larger than 5 MB"),
        ("pipe", "no ordinary file"),
        ("x" * 5000, "cannot be read"),
        ("~nobody-of-that-name/x", "cannot be read"),
    ]:
        with pytest.raises(UsageError, match=reason):
            attachment(mention, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("beta.py", "Alpha.py", ".hidden", "two words.txt", "odd.", "bell\a.txt", 'a "b" c'):
        (tmp_path / name).write_text("")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("")
    (tmp_path / "my files").mkdir()
    (tmp_path / "my files" / "x.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("", ["Alpha.py", "beta.py", '"my files/', '"odd."', "src/", '"two words.txt"']),
        ("al", ["Alpha.py"]),
        (".", [".hidden"]),
        ("src/", ["src/main.py"]),
        ("src/x", []),
        ('"my files/', ['"my files/x.txt"']),
        ("two", ['"two words.txt"']),
    ],
)
def test_paths_are_completed_as_a_mention_can_spell_them(folder: Path, prefix: str, words: list[str]) -> None:
    assert paths_for(prefix, folder) == words


def test_every_completed_file_is_found_again_when_it_is_mentioned(folder: Path) -> None:
    for word in paths_for("", folder):
        if not word.endswith("/"):
            assert attachment(mentioned(f"see @{word}")[0], folder).path.is_file()


def test_no_more_paths_are_given_than_asked_for(folder: Path) -> None:
    assert paths_for("", folder, limit=2) == ["Alpha.py", "beta.py"]


@pytest.mark.parametrize("prefix", ["nowhere/x", "beta.py/x", "~nobody-of-that-name/x"])
def test_a_folder_that_cannot_be_listed_is_an_error(folder: Path, prefix: str) -> None:
    with pytest.raises(UsageError, match="cannot be listed"):
        paths_for(prefix, folder)


def test_what_is_mostly_no_text_is_binary() -> None:
    assert is_binary("\x89PNG\ufffd\ufffd\x01\x02abc")
    assert not is_binary("\x1b[31mlog line\x1b[0m\n" * 50)
    assert not is_binary("")


@pytest.mark.parametrize(
    ("text", "long"),
    [("x\n" * 20, False), ("x\n" * 20 + "x", True), ("x" * 10_000, False), ("x" * 10_001, True), ("", False)],
)
def test_a_paste_of_many_lines_or_characters_is_long(text: str, long: bool) -> None:
    assert is_long(text) is long


def test_a_token_stands_for_its_paste_and_only_as_it_was_given() -> None:
    pastes = Pastes()
    many = pastes.add("line\n" * 214)
    wide = pastes.add("x" * 12_345 + many)
    assert paste_label(many) == "paste 1 · 214 lines"
    assert paste_label(wide) == "paste 2 · 12,365 characters"
    assert pastes.expand(f"a {many} b {wide}") == "a " + "line\n" * 214 + " b " + "x" * 12_345 + many
    by_hand = "[paste 1: 214 lines]"
    assert pastes.expand(by_hand) == by_hand
    assert pastes.tokens(f"{by_hand} {wide} {many}") == [wide, many]
    pastes.clear()
    assert pastes.expand(many) == many


def test_a_file_of_nothing_but_backticks_is_fenced_by_tildes(tmp_path: Path) -> None:
    path = tmp_path / "ticks.md"
    path.write_text("`" * 4_000_000 + "~~~")
    begin = time.thread_time()
    text = attach(path)
    assert time.thread_time() - begin < 1
    assert text.startswith("File `ticks.md`:\n\n~~~~\n`")
    assert text.endswith("`~~~\n~~~~")


def test_a_file_that_nothing_can_fence_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "both.md"
    path.write_text("`" * 100_000 + "\n" + "~" * 100_000)
    with pytest.raises(UsageError, match=r"both\.md has more than 1,000 backticks and tildes in a row"):
        attach(path)
