"""What a bulk run leaves behind its calls: the answers in the input's format, and the figures."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError
from moa_tui.evaluation.benchmarks import open_input, output_name, write_outputs
from moa_tui.evaluation.values import PromptResult, RunKey
from moa_tui.settings.paths import disk_words, make_private_dir

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moa_tui.evaluation.benchmarks import BulkInput
    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.values import BulkPrompt, RunResult

OUTPUTS = "outputs"
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class RecipeFigures:
    """The figures of one recipe over all of its prompts.

    `cost` is in US dollars, None where a price is unknown; `seconds` are those of each answered prompt.
    """

    recipe: str
    answered: int
    failures: Counter[str]
    missing: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    seconds: tuple[float, ...]

    def document(self) -> dict[str, Any]:
        """The figures as they are written."""
        ordered = sorted(self.seconds)
        return {
            "answered": self.answered,
            "failed": dict(sorted(self.failures.items())),
            "not_reached": self.missing,
            "calls": self.calls,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost,
            "median_seconds": statistics.median(ordered) if ordered else None,
            "p95_seconds": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] if ordered else None,
        }


def input_of(folder: RunFolder) -> BulkInput:
    """All prompts of the folder's own copy of its input, those of other shares too. Raises FileError."""
    facts = folder.manifest.input
    prompts = open_input(
        folder.input_file,
        facts.format,
        column=facts.column,
        skip_bad=facts.skip_bad,
        limit=folder.manifest.limit,
    )
    if prompts.sha256 != facts.sha256:
        raise FileError(
            f"{folder.input_file} is not the input that the folder was begun with: copy that there again"
        )
    return prompts


def results_of(folder: RunFolder, recipe: str, prompts: Iterable[BulkPrompt]) -> Iterator[PromptResult]:
    """How each prompt ended, in the input's order; those without any result are left out."""
    for prompt in prompts:
        turns: list[RunResult] = []
        for turn in range(1, len(prompt.turns) + 1):
            result = folder.result(RunKey(recipe, prompt.id, turn))
            if result is None:
                break
            turns.append(result)
            if not result.can_be_gone_on_from:
                break
        if len(turns) == len(prompt.turns) or (turns and not turns[-1].can_be_gone_on_from):
            yield PromptResult(prompt, tuple(turns))


def write_all(folder: RunFolder, prompts: BulkInput) -> list[RecipeFigures]:
    """Write the outputs of every recipe and the summary. Raises FileError where they cannot be written."""
    figures = []
    try:
        make_private_dir(folder.path / OUTPUTS)
        for recipe in folder.manifest.recipes:
            counting = _Counting(recipe)
            path = folder.path / OUTPUTS / output_name(prompts.format, recipe)
            results = counting.of(results_of(folder, recipe, prompts))
            write_outputs(prompts.format, path, recipe, results, like=prompts)
            figures.append(counting.figures(prompts.count))
    except OSError as error:
        raise FileError(
            f"the outputs in {folder.path} cannot be written: {disk_words(error)}. All calls are kept; make "
            "room and give the same command again, which only writes them"
        ) from error
    document = {"recipes": {each.recipe: each.document() for each in figures}}
    folder.write(SUMMARY, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    return figures


class _Counting:
    """Counts results as they go by."""

    def __init__(self, recipe: str) -> None:
        self._recipe = recipe
        self._answered = self._seen = self._calls = self._prompt = self._completion = 0
        self._failures: Counter[str] = Counter()
        self._cost: float | None = 0.0
        self._seconds: list[float] = []

    def of(self, results: Iterable[PromptResult]) -> Iterator[PromptResult]:
        """The same results, counted."""
        for result in results:
            self._count(result)
            yield result

    def _count(self, result: PromptResult) -> None:
        self._seen += 1
        for turn in result.turns:
            self._calls += turn.calls
            self._prompt += turn.usage.prompt_tokens
            self._completion += turn.usage.completion_tokens
            self._cost = None if self._cost is None or turn.cost is None else self._cost + turn.cost
        bad = next((turn for turn in result.turns if turn.status != "done"), None)
        if bad is None:
            self._answered += 1
            self._seconds.append(sum(turn.seconds for turn in result.turns))
        else:
            self._failures[bad.error.kind if bad.error is not None else bad.status] += 1

    def figures(self, prompts: int) -> RecipeFigures:
        """What was counted, of so many prompts."""
        return RecipeFigures(
            self._recipe,
            self._answered,
            self._failures,
            prompts - self._seen,
            self._calls,
            self._prompt,
            self._completion,
            self._cost,
            tuple(self._seconds),
        )
