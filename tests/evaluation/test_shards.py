"""Shares of an input, and the folders of all shares put together."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.values import CallId, Failure, Reply, Usage
from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.benchmarks import open_input
from moa_tui.evaluation.folder import RunFolder, read_manifest
from moa_tui.evaluation.manifest import InputFacts, Manifest
from moa_tui.evaluation.outputs import write_all
from moa_tui.evaluation.shards import Shard, merge, shard_from
from moa_tui.evaluation.values import RunKey, RunResult
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from moa_tui.engine.recipe import Recipe

MOA = recipe(["a", "b"], ["judge"])
ALONE = recipe(["a"]).model_copy(update={"name": "alone"})


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(f'{{"prompt": "question {place}"}}\n' for place in range(7)))
    return path


@pytest.fixture
def answer(tmp_path: Path, questions: Path) -> Callable[..., Path]:
    """Answers a share of the questions into a folder, as a batch would, but for what it is to leave out."""

    def answered(
        shard: str | None,
        *,
        recipes: tuple[Recipe, ...] = (MOA,),
        limit: int | None = None,
        source: Path = questions,
        name: str = "",
        without: Collection[str] = (),
        failed: Collection[str] = (),
    ) -> Path:
        prompts = open_input(source, limit=limit)
        facts = InputFacts(source.name, prompts.format, prompts.sha256, prompts.count)
        given = {each.name: each for each in recipes}
        manifest = Manifest(("moa-tui",), time.time(), {}, facts, given, shard, limit)
        path = tmp_path / (name or f"run-{(shard or 'whole').replace('/', '-')}")
        if shard is not None:
            number, total = map(int, shard.split("/"))
            prompts = prompts.share(number, total)
        with RunFolder.begin(path, manifest, source) as folder:
            for prompt in prompts:
                for each in given:
                    key, text = RunKey(each, prompt.id), f"{each} on {prompt.turns[0]}"
                    reply = Reply("a", "lab/a", "done", text=text, usage=Usage(3, 4, estimated=False))
                    folder.keep_call(key, CallId(1, 1), reply, float(prompt.id))
                    if prompt.id in without:
                        continue
                    error = Failure("server", "it broke") if prompt.id in failed else None
                    status, words = ("failed", "") if error else ("done", text)
                    result = RunResult(status, words, error, Usage(1, 2), 0.5, 1.0, 1, float(prompt.id))  # type: ignore[arg-type]
                    folder.keep_result(key, result)
            write_all(folder, prompts)
        return path

    return answered


def merged(*folders: Path, output: Path, partial: bool = False) -> tuple[str, ...]:
    """Merge the folders, write the outputs, and return what is missing."""
    done = merge(folders, output, ("moa-tui", "batch", "merge"), partial=partial)
    with done.folder:
        write_all(done.folder, done.prompts)
    return done.missing


def contents(folder: Path) -> dict[str, bytes]:
    files = [*(folder / "outputs").iterdir(), folder / "summary.json"]
    return {file.name: file.read_bytes() for file in files}


def test_a_shard_has_every_nth_prompt(questions: Path) -> None:
    prompts = open_input(questions)
    shares = [prompts.share(number, 3) for number in (1, 2, 3)]
    assert [[prompt.id for prompt in share] for share in shares] == [["1", "4", "7"], ["2", "5"], ["3", "6"]]
    assert [share.count for share in shares] == [3, 2, 2]
    assert (prompts.count, len(list(prompts))) == (7, 7)
    assert list(prompts.share(8, 9)) == [] and prompts.share(8, 9).count == 0


def test_a_limit_is_of_all_shards_together(questions: Path) -> None:
    prompts = open_input(questions, limit=4)
    assert [prompt.id for number in (1, 2) for prompt in prompts.share(number, 2)] == ["1", "3", "2", "4"]


def test_rows_that_are_left_out_have_no_place(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "a"}\n{"prompt": ""}\n{"prompt": "b"}\n{"prompt": "c"}\n')
    prompts = open_input(source, skip_bad=True)
    assert [prompt.turns[0] for prompt in prompts.share(2, 2)] == ["b"]


@pytest.mark.parametrize("text", ["2/8", " 2/8 "])
def test_a_shard_is_named_by_its_number_and_how_many_there_are(text: str) -> None:
    assert shard_from(text) == Shard(2, 8) and str(shard_from(text)) == "2/8"


@pytest.mark.parametrize("text", ["", "2", "2/", "/8", "-1/8", "2/8/9", "two/8", "٢/٨", "1e3/8", "9" * 400])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no shard: give its number and how many there are"):
        shard_from(text)


@pytest.mark.parametrize("text", ["0/8", "9/8", "1/0"])
def test_a_shard_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"there is no shard {text[0]} of {text[2]}"):
        shard_from(text)


def test_merged_shards_are_as_one_batch(answer: Callable[..., Path], tmp_path: Path) -> None:
    both = (MOA, ALONE)
    shards = [answer(f"{number}/3", recipes=both, failed=["5"]) for number in (2, 3, 1)]
    assert merged(*shards, output=tmp_path / "out") == ()
    whole = answer(None, recipes=both, failed=["5"])
    assert contents(tmp_path / "out") == contents(whole)
    manifest = read_manifest(tmp_path / "out")
    assert manifest.shard is None and manifest.input.prompts == 7
    with RunFolder.read(tmp_path / "out") as folder, RunFolder.read(whole) as expected:
        for place in range(1, 8):
            key = RunKey("alone", str(place))
            assert folder.calls(key) == expected.calls(key) and folder.result(key) == expected.result(key)
    for name in ("calls.jsonl", "results.jsonl"):
        lines = [(folder / name).read_text().splitlines() for folder in (tmp_path / "out", whole)]
        assert sorted(lines[0]) == sorted(lines[1])


def test_a_batch_goes_on_with_a_merged_folder(
    answer: Callable[..., Path], tmp_path: Path, questions: Path
) -> None:
    merged(answer("1/1"), output=tmp_path / "out")
    with RunFolder.begin(tmp_path / "out", read_manifest(answer(None)), questions) as folder:
        assert folder.result(RunKey("test", "7")) is not None


def test_missing_shards_and_prompts_are_named(answer: Callable[..., Path], tmp_path: Path) -> None:
    shards = [answer("1/4", without=["5"]), answer("3/4")]
    with pytest.raises(UsageError) as raised:
        merged(*shards, output=tmp_path / "out")
    assert str(raised.value) == (
        "not all is there:\n  2 shards: 2/4, 4/4\n  1 prompt of shard 1/4: 5\n"
        "Answer the rest first, or merge what there is with --partial."
    )
    assert not (tmp_path / "out").exists()


def test_what_is_missing_may_be_merged_later(answer: Callable[..., Path], tmp_path: Path) -> None:
    output = tmp_path / "out"
    first = answer("1/2", without=["3"])
    assert merged(first, output=output, partial=True) == ("1 shard: 2/2", "1 prompt of shard 1/2: 3")
    outputs = [json.loads(line) for line in (output / "outputs" / "test.jsonl").read_text().splitlines()]
    assert [row["prompt"] for row in outputs] == [f"question {place}" for place in (0, 4, 6)]
    shutil.rmtree(first)
    assert merged(answer("1/2"), answer("2/2"), output=output) == ()
    assert contents(output) == contents(answer(None))
    assert len((output / "calls.jsonl").read_text().splitlines()) == 7


def test_a_copy_of_a_shard_counts_once_and_other_answers_are_refused(
    answer: Callable[..., Path], tmp_path: Path
) -> None:
    first, second = answer("1/2"), answer("2/2")
    shutil.copytree(first, tmp_path / "copy")
    assert merged(first, tmp_path / "copy", first, second, output=tmp_path / "out") == ()
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 7
    other = answer("1/2", name="other", failed=["1"])
    with pytest.raises(UsageError, match="are both shard 1/2, with different answers: give one"):
        merged(first, other, second, output=tmp_path / "out2")


def test_folders_of_different_runs_are_refused(answer: Callable[..., Path], tmp_path: Path) -> None:
    changed = recipe(["a", "c"], ["judge"])
    other = tmp_path / "other.jsonl"
    other.write_text('{"prompt": "q"}\n' * 3)
    first = answer("1/2")
    for name, options, words in [
        ("a", {"recipes": (changed,)}, "the recipe test"),
        ("b", {"recipes": (MOA, ALONE)}, "the recipe alone"),
        ("c", {"limit": 6}, "--limit"),
        ("d", {"source": other}, "the input"),
    ]:
        with pytest.raises(UsageError, match=f"are not of one run; they differ in: {words}"):
            merged(first, answer("2/2", name=name, **options), output=tmp_path / "out")
    with pytest.raises(UsageError, match="differ in: the number of shards"):
        merged(first, answer("2/3"), output=tmp_path / "out")
    with pytest.raises(UsageError, match="is no shard: it was begun without --shard"):
        merged(answer(None), first, output=tmp_path / "out")
    with pytest.raises(FileError, match=r"no run folder: it has no manifest\.json"):
        merged(first, tmp_path / "nothing", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_changed_copy_of_the_input_is_refused(answer: Callable[..., Path], tmp_path: Path) -> None:
    shard = answer("1/1")
    with (shard / "input.jsonl").open("a") as file:
        file.write('{"prompt": "one more"}\n')
    with pytest.raises(FileError, match="is not the input that the folder was begun with"):
        merged(shard, output=tmp_path / "out")


def test_a_shard_cannot_be_merged_into_itself(answer: Callable[..., Path]) -> None:
    shard = answer("1/1")
    with pytest.raises(UsageError, match="was begun with something else"):
        merged(shard, output=shard)


def test_shards_that_went_on_with_a_higher_limit_are_merged_whole(
    answer: Callable[..., Path], tmp_path: Path
) -> None:
    for limit in (2, 5):
        folders = [answer(shard, limit=limit) for shard in ("1/2", "2/2")]
    with merge(folders, tmp_path / "all", ("moa-tui",), partial=False).folder as merged:
        assert merged.manifest.limit == 5 and len(merged.keys) == 5
