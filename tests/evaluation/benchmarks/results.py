"""Results of recipes on prompts, made up."""

from __future__ import annotations

from moa_tui.engine.values import Failure, Usage
from moa_tui.evaluation.values import BulkPrompt, PromptResult, RunResult

ENDED = 1_760_000_000.25


def answered(prompt: BulkPrompt, *answers: str) -> PromptResult:
    """A prompt with these answers, one for each turn; without any, they are made of its id."""
    texts = answers or tuple(f"Answer {turn} to {prompt.id}." for turn, _ in enumerate(prompt.turns, 1))
    return PromptResult(
        prompt,
        tuple(
            RunResult("done", text, None, Usage(), 0.01, 2.0, 7, ENDED + turn)
            for turn, text in enumerate(texts)
        ),
    )


def failed(prompt: BulkPrompt, words: str = "the server is gone") -> PromptResult:
    """A prompt whose first turn failed for good."""
    failure = Failure("server", words)
    return PromptResult(prompt, (RunResult("failed", "", failure, Usage(), 0.0, 1.0, 1, ENDED),))
