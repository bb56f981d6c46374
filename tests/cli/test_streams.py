"""What the shell gives a command to read and to write on, whole, closed, full or broken."""

from __future__ import annotations

import codecs
import io
import json
import os
import shlex
import subprocess
from html import unescape
from typing import TYPE_CHECKING

import pytest

from moa_tui.cli.streams import make_tolerant, read_piped
from moa_tui.errors import UsageError
from tests.cli.shell import call, kept
from tests.conversations import a_conversation

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell

COMMANDS = ["--help", "--version", "ask --help", "recipes list", "recipes show moa", "stats"]


def sh(line: str, shell: Shell, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell; `$0` in it is the command. Output is buffered as it is by default."""
    variables = {name: value for name, value in shell.environ.items() if name != "PYTHONUNBUFFERED"}
    command = " ".join(map(shlex.quote, shell.command()))
    return subprocess.run(
        ["sh", "-c", line.replace("$0", command)],
        env=variables | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        encoding="latin-1" if environ else "utf-8",
    )


@pytest.mark.program
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_cannot_be_written_ends_a_command_with_one_line(command: str, shell: Shell) -> None:
    for where, reason in ((">&-", "standard output is closed"), (">/dev/full", "No space left on device")):
        done = sh(f"$0 {command} {where}", shell)
        assert done.returncode == 2
        assert done.stderr == f"moa-tui: the output cannot be written: {reason}\n"


@pytest.mark.program
def test_a_reader_that_has_left_ends_a_command_without_a_word(shell: Shell) -> None:
    for command in COMMANDS:
        done = sh(f"{{ sleep 0.2; $0 {command}; echo $? >&2; }} | true", shell)
        assert done.stderr == "1\n"


@pytest.mark.program
def test_a_terminal_without_unicode_gets_readable_text(shell: Shell) -> None:
    for encoding in ("latin-1", "ascii"):
        done = sh("$0 recipes list; $0 recipes show moa", shell, PYTHONIOENCODING=encoding)
        assert done.returncode == 0
        assert "proposers and one aggregator" in done.stdout
        assert not done.stderr


@pytest.mark.program
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-16"])
def test_what_is_for_programs_is_the_same_in_every_encoding(shell: Shell, encoding: str) -> None:
    kept(a_conversation(1, title='„Wie“ 北京 😀 "x" \N{LINE SEPARATOR}'))
    (there,) = json.loads(call("sessions", "list", "--json").stdout)
    document = call("sessions", "show", there["id"], "--json").stdout
    done = sh(f"$0 sessions show {there['id']} --json", shell, PYTHONIOENCODING=encoding)
    assert not done.stderr
    assert json.loads(done.stdout.encode("latin-1").decode(encoding)) == json.loads(document)
    page = call("sessions", "show", there["id"], "-f", "html").stdout
    done = sh(f"$0 sessions show {there['id']} -f html", shell, PYTHONIOENCODING=encoding)
    assert unescape(done.stdout.encode("latin-1").decode(encoding)) == unescape(page)


@pytest.mark.program
def test_a_recipe_is_printed_as_the_utf8_that_toml_is(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    text = 'name = "own"\ndescription = "„北京“"\n[[layers]]\nagents = [{ model = "demo/terse" }]\n'
    path.write_text(text, encoding="utf-8")
    done = sh(f"$0 recipes show {path}", shell, PYTHONIOENCODING="latin-1")
    assert done.stdout.encode("latin-1").decode() == text


def test_characters_that_an_encoding_lacks_are_shown_by_similar_ones() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    make_tolerant(stream)
    stream.write("“Zoë’s” café — 3 ≤ 5… ½ → ﬁn • 北京 e\u0301 Ω\n")
    stream.flush()
    assert raw.getvalue() == b'"Zoe\'s" cafe -- 3 <= 5... 1/2 -> fin * ?? e ?\n'


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("naïve 北京\r\n".encode(), "naïve 北京\r\n"),
        (codecs.BOM_UTF8 + b"text", "text"),
        ("text 北京".encode("utf-16"), "text 北京"),
        (codecs.BOM_UTF16_BE + "text".encode("utf-16-be"), "text"),
        (b"", ""),
    ],
)
def test_text_that_is_piped_in_is_read_whatever_its_mark(data: bytes, text: str) -> None:
    assert read_piped(io.TextIOWrapper(io.BytesIO(data))) == text


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\0\0", b"\xff\xd8\xff\xe0", b"caf\xe9", b"a\0b"])
def test_what_is_piped_in_and_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"standard input is (no UTF-8 text|a binary file)"):
        read_piped(io.TextIOWrapper(io.BytesIO(data)))
