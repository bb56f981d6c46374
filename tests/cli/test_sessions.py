"""Kept conversations from the shell: what `ask` keeps, and what `sessions` does with it."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from moa_tui.settings import paths
from moa_tui.store import Store
from tests.cli.shell import CANARY, Shell, call, kept
from tests.conversations import a_conversation, conversation_of, with_branches

if TYPE_CHECKING:
    from pathlib import Path


def names() -> list[str]:
    return [summary["name"] for summary in json.loads(call("sessions", "list", "--json").stdout)]


# What ask keeps


@pytest.mark.program
def test_ask_keeps_what_it_is_asked_with_every_answer_and_no_key(shell: Shell) -> None:
    done = shell("ask", "-q", "-r", shell.recipe(["ok@key=a", "leak"], ["ok@key=b"]), "What is a moa?")
    assert done.returncode == 0, done.stderr
    with Store(paths.database_file()) as store:
        (one,) = store.summaries()
        turn = store.load(one.id).active
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.answer.strip() == done.stdout.strip()
    assert len(turn.outcome.replies) == 3
    folder = paths.data_dir()
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"What is a moa?" in everything
    assert CANARY.encode() not in everything


@pytest.mark.program
def test_ask_goes_on_with_the_last_conversation_or_a_named_one(shell: Shell) -> None:
    recipe = shell.recipe(["ok"])
    assert shell("ask", "-q", "-r", recipe, "--system", "Be brief.", "first question").returncode == 0
    assert shell("ask", "-q", "-r", recipe, "something else").returncode == 0
    done = shell("ask", "-q", "-r", recipe, "-s", "first", "second question")
    assert done.returncode == 0, done.stderr
    sent = [message["content"] for message in shell.server.requests[-1].body["messages"]]
    assert sent[0] == "Be brief."
    assert sent[1] == "first question"
    assert sent[-1] == "second question"
    assert shell("ask", "-q", "-r", recipe, "-c", "--no-save", "not kept").returncode == 0
    assert len(shell.server.requests[-1].body["messages"]) == 6
    done = shell("ask", "-q", "-r", recipe, "-c", "third question")
    assert done.returncode == 0, done.stderr
    sent = [message["content"] for message in shell.server.requests[-1].body["messages"]]
    assert [text for text in sent if "question" in text] == [
        "first question",
        "second question",
        "third question",
    ]
    assert sorted(names()) == ["first question", "something else"]


@pytest.mark.program
def test_what_is_not_to_be_saved_is_not(shell: Shell) -> None:
    assert shell("ask", "-q", "--no-save", "-r", shell.recipe(["ok"]), "hi").returncode == 0
    assert not paths.database_file().exists()
    assert shell("ask", "--dry-run", "-r", shell.recipe(["ok"]), "hi").returncode == 0
    assert not paths.database_file().exists()


@pytest.mark.program
def test_a_database_that_cannot_be_opened_costs_no_answer(shell: Shell) -> None:
    paths.data_dir().parent.mkdir(parents=True, exist_ok=True)
    paths.data_dir().write_text("a file where the folder should be")
    done = shell("ask", "-r", shell.recipe(["ok"]), "hi")
    assert done.returncode == 0
    assert done.stdout.strip()
    assert "this will not be kept" in done.stderr
    assert shell("ask", "-c", "-r", shell.recipe(["ok"]), "hi").returncode == 1


@pytest.mark.program
def test_ask_says_what_it_cannot_go_on_with(shell: Shell) -> None:
    recipe = shell.recipe(["ok"])
    done = shell("ask", "-c", "-r", recipe, "hi")
    assert (done.returncode, "no conversation yet" in done.stderr) == (2, True)
    done = shell("ask", "-s", "nothing", "-r", recipe, "hi")
    assert (done.returncode, 'no conversation "nothing"' in done.stderr) == (2, True)
    done = shell("ask", "-c", "-s", "x", "-r", recipe, "hi")
    assert (done.returncode, "one of them" in done.stderr) == (2, True)
    assert not shell.server.requests


@pytest.mark.program
@pytest.mark.skipif(sys.platform == "win32", reason="the other one is held by this process")
def test_ask_does_not_go_on_with_what_is_open_elsewhere(shell: Shell) -> None:
    one = a_conversation(1, title="Birds")
    kept(one)
    with Store(paths.database_file()) as store:
        assert store.hold(one.id)
        done = shell("ask", "-s", "Birds", "-r", shell.recipe(["ok"]), "hi")
    assert done.returncode == 2
    assert "open in another moa-tui" in done.stderr


@pytest.mark.program
def test_a_conversation_of_a_recipe_that_is_gone_goes_on_and_so_does_an_imported_one(
    shell: Shell, tmp_path: Path
) -> None:
    recipe = shell.recipe(["ok@key=mine"])
    assert shell("ask", "-q", "-r", recipe, "first question").returncode == 0
    (shell.folder / "test.toml").unlink()
    assert shell("ask", "-q", "-c", "second question").returncode == 0
    assert shell.server.requests[-1].body["model"] == "ok@key=mine"
    file = tmp_path / "theirs.json"
    file.write_text('[{"role": "user", "content": "imported hello"}, {"role": "assistant", "content": "hi"}]')
    assert "1 conversation, 1 turn taken" in call("sessions", "import", str(file)).stdout
    done = shell("ask", "-q", "-s", "imported hello", "-r", shell.recipe(["ok"]), "go on")
    assert done.returncode == 0, done.stderr
    assert shell.server.requests[-1].body["messages"][0]["content"] == "imported hello"


def test_a_title_from_elsewhere_steers_no_terminal_even_in_an_error(tmp_path: Path) -> None:
    title = "evil \x1b]52;c;aGk=\x07 \u202e"
    kept(a_conversation(1, title=title), a_conversation(1, title=title))
    for arguments in (["sessions", "show", "evil"], ["ask", "-s", "evil", "hi"]):
        done = call(*arguments)
        assert done.exit_code == 2
        assert "could mean 2" in done.output
        assert not {"\x1b", "\x07", "\u202e"} & set(done.output)


def test_a_time_of_any_year_can_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept(a_conversation(0, title="no turns"), conversation_of(("far", "x"), created=1e18))
    assert call("sessions").exit_code == 0


# What sessions does


def test_the_list_has_the_last_used_first_and_nothing_that_steers_a_terminal() -> None:
    kept(
        conversation_of(("older \x1b[31m\u202e", "x"), created=1.0),
        conversation_of(("newer", "x"), created=2.0),
    )
    done = call("sessions")
    assert done.exit_code == 0
    assert not {"\x1b", "\u202e"} & set(done.stdout)
    assert names()[0] in ("newer", "older \x1b[31m\u202e")
    assert len(call("sessions", "list", "-n", "1").stdout.splitlines()) == 1


def test_an_empty_list_says_so() -> None:
    done = call("sessions")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no conversations" in done.stderr


def test_search_finds_what_an_agent_wrote_and_shows_it_in_context() -> None:
    kept(a_conversation(2, title="Birds"))
    done = call("sessions", "search", "question", "2")
    assert done.exit_code == 0
    assert "Birds" in done.stdout
    assert "The answer to question 2." in done.stdout
    (first, *_) = json.loads(call("sessions", "search", "--json", "answer question 1").stdout)
    assert first["summary"]["name"] == "Birds"
    assert call("sessions", "search", "kakapo").exit_code == 1


def test_a_conversation_is_shown_by_title_by_id_and_by_the_beginning_of_an_id() -> None:
    one = a_conversation(1, title="Birds")
    kept(one)
    shown = [call("sessions", "show", name).stdout for name in ("Birds", one.id, one.id[:6], "bird")]
    assert len(set(shown)) == 1
    assert "The answer to question 1." in shown[0]
    assert json.loads(call("sessions", "show", "Birds", "--json").stdout)["id"] == one.id
    assert call("sessions", "show", "Fish").exit_code == 2


def test_a_name_of_several_lists_them() -> None:
    kept(a_conversation(1, title="Birds one"), a_conversation(1, title="Birds two"))
    done = call("sessions", "show", "birds")
    assert done.exit_code == 2
    assert "Birds one" in done.output
    assert "Birds two" in done.output


def test_what_is_exported_can_be_imported_elsewhere_without_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = with_branches()
    kept(one)
    done = call("sessions", "export", "Branches", "-f", "json", "-o", str(tmp_path / "one.json"))
    assert done.stdout.strip() == str(tmp_path / "one.json")
    again = call("sessions", "export", "Branches", "-f", "json", "-o", str(tmp_path / "one.json"))
    assert (again.exit_code, "is there already" in again.output) == (2, True)
    taken = call("sessions", "import", str(tmp_path / "one.json"))
    assert "is there already" in taken.output
    assert "0 conversations, 0 turns taken" in taken.output
    call("sessions", "delete", "Branches")
    taken = call("sessions", "import", str(tmp_path / "one.json"))
    assert f"sessions restore {one.id}" in taken.output
    call("sessions", "restore", "Branches")
    monkeypatch.setenv("MOA_TUI_DATA_DIR", str(tmp_path / "elsewhere"))
    assert call("sessions", "import", str(tmp_path / "one.json")).exit_code == 0
    call("sessions", "export", one.id, "-f", "json", "-o", str(tmp_path / "two.json"))
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_a_file_that_cannot_be_imported_keeps_no_other_out(tmp_path: Path) -> None:
    good, poor, bad = (tmp_path / name for name in ("good.json", "poor.jsonl", "bad.json"))
    good.write_text(json.dumps([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]))
    poor.write_text('{"messages": [{"role": "user", "content": "R"}]}\n{"messages": [\n')
    bad.write_text("no JSON")
    done = call("sessions", "import", str(bad), str(good), str(tmp_path / "none"), str(poor))
    assert done.exit_code == 2
    assert f"{good}: 1 conversation, 1 turn taken" in done.stdout
    assert f"{poor}: 1 conversation, 1 turn taken" in done.stdout
    assert f"{poor}: left out: line 2, column 1: it cannot be read" in done.stdout
    assert f"{bad}: line 1, column 1: Expecting value; what can be read: moa-tui's JSON" in done.stderr
    assert f"{tmp_path / 'none'}: it cannot be read: No such file or directory" in done.stderr


def test_several_go_to_one_file_where_the_format_has_room_and_to_a_folder_where_not(tmp_path: Path) -> None:
    kept(a_conversation(1, title="Birds"), a_conversation(1, title="Fish"))
    done = call("sessions", "export", "Birds", "Fish", "-f", "jsonl", "-o", str(tmp_path / "both.jsonl"))
    assert done.exit_code == 0
    assert len((tmp_path / "both.jsonl").read_text().splitlines()) == 2
    assert call("sessions", "export", "Birds", "Fish", "-o", str(tmp_path / "x.md")).exit_code == 2
    done = call("sessions", "export", "Birds", "Fish", "-o", str(tmp_path))
    assert len(done.stdout.splitlines()) == 2


def test_what_is_deleted_can_be_brought_back_unless_it_was_for_good() -> None:
    one = a_conversation(1, title="Birds")
    kept(one)
    assert call("sessions", "delete", "Birds").exit_code == 0
    assert names() == []
    assert "Birds" in call("sessions", "list", "--deleted").stdout
    assert call("sessions", "show", "Birds").exit_code == 2
    assert call("sessions", "restore", "Birds").exit_code == 0
    assert names() == ["Birds"]
    call("sessions", "delete", "Birds")
    assert call("sessions", "delete", "--now", "Birds").exit_code == 0
    assert call("sessions", "restore", "Birds").exit_code == 2
    assert b"The answer to question 1." not in paths.database_file().read_bytes()


def test_path_says_where_it_all_is() -> None:
    assert call("sessions", "path").stdout.strip() == str(paths.database_file())


# Doctor


@pytest.mark.usefixtures("no_servers")
def test_doctor_checks_the_database_and_says_how_to_repair_it() -> None:
    assert "none yet" in call("doctor").output
    kept(a_conversation(2))
    assert "1 conversations, 2 turns" in call("doctor").output
    paths.database_file().write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)
    done = call("doctor")
    assert done.exit_code == 1
    assert "sessions rescue FOLDER" in done.output
    done = call("sessions")
    assert done.exit_code == 1
    assert "moa-tui doctor" in done.output


def test_what_can_be_read_of_a_damaged_database_is_rescued_and_imported_into_a_new_one(
    tmp_path: Path,
) -> None:
    kept(*(a_conversation(30, title=f"Number {number}", id=f"{number:012}") for number in range(8)))
    whole = {f"{n:012}": call("sessions", "show", f"Number {n}", "--json").stdout for n in range(8)}
    file = paths.database_file()
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'parts'"
        (root,) = connection.execute(query).fetchone()
    data = bytearray(file.read_bytes())
    # The first page that the table of texts points to, and so a part of the texts. A page of an inner node
    # begins with a byte of 5, and has its first cell's place at byte 12 and in each cell the page first.
    node = data[(root - 1) * 4096 : root * 4096]
    assert node[0] == 5
    cell = int.from_bytes(node[12:14], "big")
    page = int.from_bytes(node[cell : cell + 4], "big")
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    file.write_bytes(data)
    assert "sessions rescue" in call("doctor").output
    done = call("sessions", "rescue", str(tmp_path / "saved"))
    assert "8 saved, 0 lost" in done.stderr
    with_gaps = {id_ for id_ in whole if f"of conversation {id_} " in done.stderr}
    assert 1 <= len(with_gaps) <= 3
    saved = sorted((tmp_path / "saved").iterdir())
    for name in ("", "-wal", "-shm"):
        file.with_name(file.name + name).unlink(missing_ok=True)
    assert call("sessions", "import", *map(str, saved)).exit_code == 0
    assert len(names()) == 8
    assert call("doctor").exit_code in (0, 1)
    for id_ in whole.keys() - with_gaps:
        assert call("sessions", "show", id_, "--json").stdout == whole[id_]


def test_of_what_is_no_database_at_all_nothing_is_rescued(tmp_path: Path) -> None:
    kept(a_conversation(1))
    paths.database_file().write_bytes(b"garbage" * 1000)
    done = call("sessions", "rescue", str(tmp_path / "saved"))
    assert done.exit_code == 1
    assert "nothing can be read of it" in done.output


def test_search_finds_tags_and_no_conversation_hides_the_others() -> None:
    kept(
        conversation_of(("about moas", "x"), title="old", tags=("holidays",)),
        conversation_of(*[(f"moas {number}", "moas") for number in range(30)], title="new"),
    )
    assert "#holidays" in call("sessions", "search", "holiday").stdout
    hits = json.loads(call("sessions", "search", "--json", "-n", "50", "moas").stdout)
    found = [hit["summary"]["name"] for hit in hits]
    assert set(found) == {"old", "new"}
    assert found.count("new") <= 5
