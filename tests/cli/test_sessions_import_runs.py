"""Run folders that are brought among the kept conversations from the shell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moa_tui.cli import wiring
from moa_tui.engine.values import CallId
from moa_tui.evaluation.folder import RunFolder
from moa_tui.evaluation.manifest import InputFacts, Manifest
from moa_tui.evaluation.values import RunKey
from moa_tui.settings import paths
from moa_tui.store import Store
from moa_tui.store.recording import local_day
from tests.cli.shell import call
from tests.conversations import HOSTILE_TEXTS, NOON
from tests.evaluation.test_import_runs import MOA, keep_moa, reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFolder]:
    """A run folder of two prompts, the second of which is not finished."""
    file = tmp_path / "in.jsonl"
    file.write_text('{"prompt": "Question one?"}\n{"prompt": "Question two?"}\n')
    facts = InputFacts("in.jsonl", "jsonl", "0" * 64, 2)
    with RunFolder.begin(
        tmp_path / "bench", Manifest(("moa-tui",), NOON, {}, facts, {"test": MOA}), file
    ) as folder:
        keep_moa(folder, "1")
        keep_moa(folder, "2", is_whole=False)
        yield folder


def test_a_run_folder_comes_under_its_tag_paid_but_not_today(run: RunFolder) -> None:
    done = call("sessions", "import", str(run.path))
    assert done.exit_code == 0, done.output
    assert "2 conversations, 2 turns taken" in done.stdout and "tagged bench" in done.stdout
    listed = json.loads(call("sessions", "list", "--tag", "bench", "--json").stdout)
    # In the order of the input.
    assert [(each["name"], each["cost"]) for each in listed] == [
        ("Question one?", 0.75),
        ("Question two?", 0.25),
    ]
    assert call("sessions", "list", "--tag", "other").stdout == ""
    assert "Question one?" in call("sessions", "search", "wings").stdout
    with Store(paths.database_file()) as store:
        assert store.paid_on(local_day()) == 0.0
        assert wiring.library_of(store).last().imported


def test_the_same_folder_brings_nothing_twice_and_later_what_it_had_not(run: RunFolder) -> None:
    call("sessions", "import", str(run.path), "--tag", "first")
    again = call("sessions", "import", str(run.path)).stdout
    assert "0 conversations, 0 turns taken" in again and "is there already; it was left as it is" in again
    keep_moa(run, "2")
    done = call("sessions", "import", str(run.path)).stdout
    assert "1 turn added to 1 conversation that had come before" in done
    listed = json.loads(call("sessions", "list", "--tag", "first", "--json").stdout)
    assert sorted((each["name"], each["turns"]) for each in listed) == [
        ("Question one?", 1),
        ("Question two?", 2),
    ]


def test_what_is_in_the_bin_stays_there(run: RunFolder) -> None:
    call("sessions", "import", str(run.path))
    assert call("sessions", "delete", "Question two?").exit_code == 0
    keep_moa(run, "2")
    done = call("sessions", "import", str(run.path)).stdout
    assert "turn added" not in done and "it was deleted" in done


def test_other_folders_are_refused_and_files_are_read_as_ever(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    done = call("sessions", "import", str(tmp_path / "photos"), str(run.path))
    assert done.exit_code == 2 and "is no run folder: it has no manifest.json" in done.output
    assert "2 conversations, 2 turns taken" in done.output
    file = tmp_path / "chat.json"
    file.write_text('[{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]')
    assert call("sessions", "import", str(file), "--tag", "#old").exit_code == 0
    assert "hello" in call("sessions", "list", "--tag", "old").stdout


def test_hostile_answers_do_not_steer_the_terminal(run: RunFolder) -> None:
    key = RunKey("test", "2")
    run.keep_call(key, CallId(1, 2), reply("b", text="\n".join(HOSTILE_TEXTS)), NOON)
    run.keep_call(key, CallId(2, 1), reply("judge", text="wings\x1b]52;c;aGFja2Vk\x07\x1b[2J"), NOON)
    done = call("sessions", "import", str(run.path))
    assert done.exit_code == 0, done.output
    found = call("sessions", "search", "wings").stdout
    assert "wings" in found and "\x1b]52" not in found
