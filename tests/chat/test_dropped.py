"""Pastes that are paths of files, as terminals paste what is dropped on them."""

from __future__ import annotations

import mimetypes
import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.chat.attachments import MAX_FILE_BYTES, mentioned
from moa_tui.chat.dropped import dropped

NAMES = ["plain.txt", "two words.txt", "it's (1) $x.txt", "naïve 日本.md", 'a#b?c%20d&"e.txt']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dir").mkdir()
    for name in NAMES:
        (tmp_path / "dir" / name).write_text("text\n")
    return tmp_path


def backslashed(path: str) -> str:
    return "".join(f"\\{c}" if c in " '\"()$&;#?*[]`\\!" else c for c in path)


def percent(path: str) -> str:
    return "file://" + "".join(c if c.isalnum() or c in "/._-" else _escaped(c) for c in path)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


# Each as the terminal's sources or manual have it.
FORMS = {
    # vte's terminals and Konsole (g_shell_quote, KShell::quoteArg); Windows Terminal for WSL.
    "single quotes": lambda path: "'" + path.replace("'", "'\\''") + "' ",
    # Terminal.app, iTerm2, Ghostty.
    "backslashes": lambda path: backslashed(path) + " ",
    # WezTerm's quote_dropped_files = "SpacesOnly", but for quotes, which it leaves.
    "spaces only": lambda path: path.replace(" ", "\\ "),
    # WezTerm's "Posix".
    "double quotes": lambda path: '"' + "".join(f"\\{c}" if c in '"\\$`' else c for c in path) + '"',
    # Alacritty, and WezTerm's "None".
    "as it is": lambda path: path + " ",
    # kitty quotes as Python's shlex does.
    "shlex": shlex.quote,
    # PCManFM, Double Commander; line ends of a text/uri-list.
    "address": lambda path: percent(path) + "\r\n",
    "address with host": lambda path: percent(path).replace("file://", "file://localhost"),
}


# WezTerm leaves quotes as they are, so that they cannot be told from those around a text.
CASES = [
    (form, name) for form in FORMS for name in NAMES if form != "spaces only" or not {"'", '"'} & {*name}
]


@pytest.mark.parametrize(("form", "name"), CASES)
def test_a_dropped_file_is_known_however_the_terminal_quotes_it(folder: Path, form: str, name: str) -> None:
    result = dropped(FORMS[form](str(folder / "dir" / name)), folder)
    assert result is not None
    assert (result.names, result.problems) == ((name,), ())
    assert mentioned(result.mentions) == [f"dir/{name}"]


def test_a_name_that_no_mention_can_spell_is_told(folder: Path) -> None:
    (folder / 'a "b" c').write_text("x")
    result = dropped(shlex.quote(f'{folder}/a "b" c'), folder)
    assert result is not None
    assert "has a name that cannot be written behind an @" in result.problems[0]


@pytest.mark.parametrize("form", ["single quotes", "backslashes", "double quotes", "shlex", "address"])
def test_several_files_are_mentioned_in_their_order(folder: Path, form: str) -> None:
    paths = [str(folder / "dir" / name) for name in NAMES[:4]]
    result = dropped(" ".join(FORMS[form](path) for path in paths), folder)
    assert result is not None
    assert result.names == tuple(NAMES[:4])
    assert mentioned(result.mentions) == [f"dir/{name}" for name in NAMES[:4]]


def test_files_copied_in_a_file_manager_are_a_line_each(folder: Path) -> None:
    result = dropped("\n".join(str(folder / "dir" / name) for name in NAMES[:2]) + "\n", folder)
    assert result is not None
    assert result.names == tuple(NAMES[:2])


def test_a_file_elsewhere_is_mentioned_by_its_whole_path(folder: Path, tmp_path: Path) -> None:
    path = folder / "dir" / "plain.txt"
    result = dropped(str(path), folder / "elsewhere")
    assert result is not None
    assert result.mentions == f"@{path}"


def test_a_backslash_of_windows_is_no_quote(folder: Path) -> None:
    (folder / r"C:\my notes.txt").write_text("text\n")
    result = dropped(r'"C:\my notes.txt"', folder, is_windows=True)
    assert result is not None
    assert result.names == (r"C:\my notes.txt",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "/",
        "hello",
        "plain.txt",  # A word, even in the folder where there is such a file.
        "/no/such/file",
        "and/or",
        "look at dir/plain.txt",
        "dir/plain.txt is wrong",
        "dir/plain.txt and dir/gone.txt",
        "'dir/plain.txt and more",
        "https://example.org/dir/plain.txt",
        "\0/dir",
        "dir/" + "x" * 5_000,
        "dir/plain.txt " * 1_000,
    ],
    ids=lambda text: text[:20],
)
def test_other_texts_are_no_files(folder: Path, text: str) -> None:
    assert dropped(text, folder) is None


def test_what_cannot_be_attached_is_told_in_a_sentence(folder: Path) -> None:
    (folder / "photo.png").write_bytes(b"\x89PNG")
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to(folder / "gone")
    sentences = {
        "dir": "is a directory; name the files in it",
        "photo.png": "is a picture; models are sent text alone",
        "huge.txt": "is larger than 5 MB",
        "pipe": "is no ordinary file",
        "dangling": "no such file",
    }
    for name, sentence in sentences.items():
        result = dropped(f"'{folder / name}'", folder)
        assert result is not None, name
        assert result.names == ()
        assert sentence in result.problems[0]


def test_no_file_is_opened_before_somebody_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(Path, "open", lambda path, *_: opened.append(path))
    result = dropped(f"{folder}/dir/plain.txt", folder)
    assert result is not None
    assert (result.names, opened) == (("plain.txt",), [])


@pytest.mark.parametrize("name", ["app.ts", "App.MTS", "logo.svg", "icon.xpm", "film.ass"])
def test_a_text_whose_name_is_like_that_of_a_film_is_attached(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Apache's list, which macOS has and Python reads.
    monkeypatch.setitem(mimetypes.types_map, ".ts", "video/mp2t")
    (folder / name).write_text("text")
    result = dropped(str(folder / name), folder)
    assert result is not None
    assert result.names == (name,)


def test_an_address_of_a_missing_file_is_no_text_of_anybodys(folder: Path) -> None:
    result = dropped("file:///no/such%20file.txt", folder)
    assert result is not None
    assert result.problems == ("/no/such file.txt: no such file",)


def test_addresses_may_stand_on_one_line(folder: Path) -> None:
    result = dropped(" ".join(percent(str(folder / "dir" / name)) for name in NAMES), folder)
    assert result is not None
    assert (result.names, result.problems) == (tuple(NAMES), ())


def test_an_address_may_have_the_spaces_of_its_file(folder: Path) -> None:
    result = dropped(f"file://{folder}/dir/two words.txt", folder)
    assert result is not None
    assert result.names == ("two words.txt",)


@pytest.mark.parametrize(
    "text", ["file:///no/such is wrong here", "file:// and more", "file://elsewhere.example/etc/passwd"]
)
def test_a_text_about_an_address_is_no_file_of_this_machine(folder: Path, text: str) -> None:
    assert dropped(text, folder) is None


@pytest.mark.parametrize("character", ["\x1b", "\n", "\x00", "\u202e"])
def test_an_address_brings_no_control_character_into_the_prompt(folder: Path, character: str) -> None:
    name = f"red{character}[31m.txt"
    if character != "\x00":
        (folder / "dir" / name).write_text("text")
    text = f"{percent(f'{folder}/dir/{name}')}\n{percent(f'{folder}/dir/plain.txt')}"
    result = dropped(text, folder)
    assert result is not None
    assert result.names == ("plain.txt",)
    assert character not in result.mentions + result.problems[0]
    assert f"<U+{ord(character):04X}>" in result.problems[0]


def test_what_can_be_attached_is_while_the_rest_stays_as_its_path(folder: Path) -> None:
    (folder / "photo.png").write_bytes(b"\x89PNG")
    result = dropped(f"'{folder}/photo.png' '{folder}/dir/plain.txt' ", folder)
    assert result is not None
    assert (result.names, len(result.problems)) == (("plain.txt",), 1)
    assert result.mentions == f"{folder}/photo.png @dir/plain.txt"


def test_too_many_files_are_told(folder: Path) -> None:
    result = dropped("dir/plain.txt " * 21, folder)
    assert result is not None
    assert result.names == ()
    assert "21 files at once are too many" in result.problems[0]


@pytest.mark.hypothesis
@given(st.text(alphabet=st.sampled_from("/ab '\"\\ \n\t%2file:~\0é日"), max_size=60))
def test_no_text_is_a_fault(text: str) -> None:
    dropped(text, Path("/nowhere"))
