"""A backend of fake models without a store, and prompts in a line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.evaluation.folder import RunFolder
from moa_tui.evaluation.manifest import InputFacts, Manifest
from moa_tui.evaluation.values import BulkPrompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from moa_tui.chat.backend import Backend
    from moa_tui.engine.recipe import Recipe


def prompts(number: int) -> list[BulkPrompt]:
    return [BulkPrompt(str(place), (f"question {place}",)) for place in range(1, number + 1)]


def manifest(*recipes: Recipe, sha256: str = "0" * 64) -> Manifest:
    facts = InputFacts("in.jsonl", "jsonl", sha256, 3)
    return Manifest(("moa-tui", "batch"), 1.0, {"moa-tui": "0"}, facts, {each.name: each for each in recipes})


@pytest.fixture
def backend(backend: Backend) -> Backend:
    return replace(backend, store=None)


@pytest.fixture
def input_file(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text('{"prompt": "why?"}\n')
    return path


@pytest.fixture
def open_folder(tmp_path: Path, input_file: Path) -> Iterator[Callable[..., RunFolder]]:
    """Begins the run folder of the test, or goes on with it; the one opened before is closed."""
    opened: list[RunFolder] = []

    def begin(*recipes: Recipe) -> RunFolder:
        while opened:
            opened.pop().close()
        opened.append(RunFolder.begin(tmp_path / "run", manifest(*recipes), input_file))
        return opened[0]

    yield begin
    while opened:
        opened.pop().close()
