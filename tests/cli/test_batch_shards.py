"""Shares of a batch, and `batch merge`, from the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import call

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell


@pytest.fixture
def questions(tmp_path: Path) -> str:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"prompt": "question {place}"}}\n' for place in range(3)))
    return str(path)


@pytest.mark.program
def test_an_array_of_jobs_is_as_one_batch(shell: Shell, questions: str, tmp_path: Path) -> None:
    recipe = shell.recipe(["echo"])
    folders = [str(tmp_path / f"run-{number}") for number in (1, 2)]
    for number, folder in enumerate(folders, 1):
        done = shell("batch", questions, "-r", recipe, "-o", folder, "--shard", f"{number}/2")
        assert done.returncode == 0 and f"{3 - number} prompt" in done.stderr
    whole, output = tmp_path / "whole", tmp_path / "out"
    assert shell("batch", questions, "-r", recipe, "-o", str(whole)).returncode == 0
    done = shell("batch", "merge", *folders, "-o", str(output))
    assert done.returncode == 0 and "test: 3 prompts answered, 3 calls" in done.stderr
    name = "outputs/test.jsonl"
    assert (output / name).read_bytes() == (whole / name).read_bytes()
    done = shell("batch", "merge", folders[1], "-o", str(tmp_path / "some"), "--partial")
    assert done.returncode == 1 and "missing: 1 shard: 1/2" in done.stderr
    # The command that answers goes on with what was merged.
    done = shell("batch", questions, "-r", recipe, "-o", str(tmp_path / "some"))
    assert done.returncode == 0 and "1 were there before" in done.stderr
    assert (tmp_path / "some" / name).read_bytes() == (whole / name).read_bytes()
    done = shell("batch", questions, "-r", recipe, "-o", folders[0], "--shard", "2/2")
    assert done.returncode == 2 and 'shard: "1/2" in the folder, "2/2" now' in done.stderr


def test_batch_is_a_command_and_has_one_below_it(tmp_path: Path) -> None:
    said = call("batch", "--help").output
    assert "batch [OPTIONS] INPUT\n" in said and "\n  merge " in said and "COMMAND" not in said
    assert "batch merge [OPTIONS] FOLDERS..." in call("batch", "merge", "--help").output
    assert call("batch").exit_code == 2 and call("batch").output == said
    # An input that is called like the command.
    done = call("batch", f"{tmp_path}/merge", "-r", "demo", "-o", "run")
    assert done.exit_code == 2 and "merge: it cannot be read" in done.output


@pytest.mark.parametrize("shard", ["0/3", "4/3", "three", "1"])
def test_what_is_no_shard_is_wrong_usage(questions: str, shard: str, tmp_path: Path) -> None:
    done = call("batch", questions, "-r", "demo", "-o", str(tmp_path / "run"), "--shard", shard)
    assert done.exit_code == 2 and "shard" in done.output and not (tmp_path / "run").exists()


def test_folders_that_are_no_shards_are_wrong_usage(tmp_path: Path) -> None:
    done = call("batch", "merge", str(tmp_path), "-o", str(tmp_path / "out"))
    assert done.exit_code == 2 and "is no run folder" in done.output
