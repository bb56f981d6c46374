"""The run folder: what it keeps, whom it refuses, and that only one program is at work in it."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.values import CallId, Failure, Reply, Step, Usage
from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.folder import RunFolder, read_manifest
from moa_tui.evaluation.values import RunKey, RunResult
from tests.evaluation.conftest import manifest
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = RunKey("test", "7")
REPLY = Reply(
    "a",
    "lab/a",
    "done",
    ({"role": "user", "content": "why?"},),
    "because\x1b[31m \ud83d",
    "hm",
    usage=Usage(3, 4, estimated=False),
    cost=0.25,
    started=0.5,
    first_token=0.75,
    ended=1.5,
    attempts=2,
    notes=("odd",),
    steps=(Step((), {}, frozenset(), 3),),
)


def result(status: str = "done", kind: str | None = None) -> RunResult:
    error = None if kind is None else Failure(kind, "it broke", 500)  # type: ignore[arg-type]
    return RunResult(status, "yes", error, Usage(1, 2), None, 3.5, 7, 1_700_000_000.0)  # type: ignore[arg-type]


def test_calls_and_results_come_back_as_they_were(
    open_folder: Callable[..., RunFolder], tmp_path: Path
) -> None:
    folder = open_folder(recipe(["a"]))
    folder.keep_call(KEY, CallId(1, 1), REPLY, 5.0)
    folder.keep_result(KEY, result("failed", "server"))
    folder.keep_result(KEY, result())
    for again in (folder, open_folder(recipe(["a"])), RunFolder.read(tmp_path / "run")):
        assert again.calls(KEY) == {CallId(1, 1): REPLY}
        assert again.result(KEY) == result()
        assert again.calls(RunKey("test", "8")) == {} and again.result(RunKey("test", "7", 2)) is None
    for file in (tmp_path / "run").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


@pytest.mark.parametrize("kind", ["stopped", "interrupted", "rested", "budget", "max_cost"])
def test_a_call_that_nobody_asked_is_not_kept(open_folder: Callable[..., RunFolder], kind: str) -> None:
    folder = open_folder(recipe(["a"]))
    error = Failure(kind, "not asked")  # type: ignore[arg-type]
    folder.keep_call(KEY, CallId(1, 1), Reply("a", "lab/a", "stopped", error=error), 5.0)
    assert folder.calls(KEY) == {}


def test_another_input_or_recipe_is_refused_with_the_difference(tmp_path: Path, input_file: Path) -> None:
    before = recipe(["a", "b"], ["judge"])
    path = tmp_path / "run"
    RunFolder.begin(path, manifest(before), input_file).close()
    for other, words in [
        (manifest(before, sha256="1" * 64), "input sha256"),
        (
            manifest(before.model_copy(update={"name": "other"})),
            r"recipe test: is in the folder, and was not given now\n  recipe other: is not in the folder",
        ),
        (
            manifest(recipe(["a", "c"], ["judge"])),
            r'recipe test: layers\[1\].agents\[2\]: "b" in the folder, "c" now',
        ),
    ]:
        with pytest.raises(UsageError, match=words):
            RunFolder.begin(path, other, input_file)
    # The lock of a refused one is given back.
    RunFolder.begin(path, manifest(before), input_file).close()


def test_one_program_at_a_time(
    open_folder: Callable[..., RunFolder], tmp_path: Path, input_file: Path
) -> None:
    open_folder(recipe(["a"]))
    with pytest.raises(UsageError, match="another moa-tui is at work in"):
        RunFolder.begin(tmp_path / "run", manifest(recipe(["a"])), input_file)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, input_file: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    with pytest.raises(UsageError, match="is not empty, and no run folder"):
        RunFolder.begin(tmp_path / "photos", manifest(recipe(["a"])), input_file)
    assert [file.name for file in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
    with pytest.raises(FileError, match=r"no run folder: it has no manifest\.json"):
        read_manifest(tmp_path / "photos")


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, input_file: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"cannot be written.*name another with -o"):
        RunFolder.begin(tmp_path / "file" / "run", manifest(recipe(["a"])), input_file)


@pytest.mark.parametrize("text", ["", "[]", '{"format": "moa-tui batch", "schema": 1}', "{nonsense"])
def test_a_manifest_that_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(FileError, match=str(tmp_path)):
        read_manifest(tmp_path)


@pytest.mark.parametrize("left", [(), ("input.jsonl",), ("input.csv", ".moa-tui-draft")])
def test_a_folder_whose_beginning_was_killed_is_begun_again(
    tmp_path: Path, input_file: Path, left: tuple[str, ...]
) -> None:
    path = tmp_path / "run"
    path.mkdir()
    for name in (".lock", *left):
        (path / name).write_text("half of")
    with RunFolder.begin(path, manifest(recipe(["a"])), input_file) as folder:
        assert folder.input_file.read_bytes() == input_file.read_bytes()


def test_a_folder_that_could_not_be_begun_can_be_begun_later(
    tmp_path: Path, input_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("moa_tui.evaluation.folder.write_private", full)
        with pytest.raises(FileError, match="cannot be written"):
            RunFolder.begin(tmp_path / "run", manifest(recipe(["a"])), input_file)
    RunFolder.begin(tmp_path / "run", manifest(recipe(["a"])), input_file).close()


def test_the_input_of_a_folder_is_never_deleted_for_its_name(tmp_path: Path) -> None:
    own = tmp_path / "run" / "input.jsonl"
    own.parent.mkdir()
    own.write_text('{"prompt": "why?"}\n')
    (tmp_path / "run" / ".lock").write_text("")
    RunFolder.begin(tmp_path / "run", manifest(recipe(["a"])), own).close()
    assert own.read_text() == '{"prompt": "why?"}\n'


def test_the_manifest_has_the_limit_of_the_last_start(tmp_path: Path, input_file: Path) -> None:
    begun = manifest(recipe(["a"]))
    for limit in (2, 3, None, 1):
        facts = replace(begun.input, prompts=limit or 3)
        now = replace(begun, limit=limit, input=facts, created=float(limit or 0))
        RunFolder.begin(tmp_path / "run", now, input_file).close()
        written = read_manifest(tmp_path / "run")
        assert (written.limit, written.input.prompts, written.created) == (limit, limit or 3, 2.0)


def test_what_was_paid_counts_a_call_as_often_as_it_was_asked(open_folder: Callable[..., RunFolder]) -> None:
    folder = open_folder(recipe(["a"]))
    for at in (1.0, 2.0):
        folder.keep_call(KEY, CallId(1, 1), REPLY, at)
    folder.keep_call(RunKey("test", "beyond the limit"), CallId(1, 1), REPLY, 3.0)
    assert folder.paid() == open_folder(recipe(["a"])).paid() == 0.75
