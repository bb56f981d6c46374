"""One prompt to several recipes: their answers one after another, and which of them is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.chat import command_words
from moa_tui.chat.faults import fault_of
from moa_tui.chat.prompt_text import PromptText
from moa_tui.engine.events import RunEnded
from moa_tui.text.safe import one_line
from moa_tui.text.wording import summary

if TYPE_CHECKING:
    from moa_tui.chat.comparison import Comparison
    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.engine.values import Outcome
    from moa_tui.plain.chat import PlainChat

_LETTERS = "ABC"


def compare(chat: PlainChat, words: str) -> None:
    """Ask as the words of the command say, and read all answers; the names come last where it is blind."""
    chat.session.require_idle()
    asked = command_words.compare_words(words, chat.catalog.is_known)
    recipes = [chat.catalog.load(name) for name in asked.names]
    command_words.refuse_repeated([recipe.name for recipe in recipes])
    prompt = chat.with_files(PromptText(asked.prompt)) if asked.prompt else None
    command = f"/compare {words.removesuffix(asked.prompt)}"
    comparison = chat.session.compare(prompt, recipes, blind=asked.is_blind, command=command)
    with chat.signals.running(comparison.stop):
        outcomes = [_told(chat, comparison, number) for number in range(len(comparison.runs))]
    try:
        _choose(chat, comparison, outcomes)
    finally:
        _settle(chat, comparison)


def _name(comparison: Comparison, number: int) -> str:
    if comparison.is_blind and not comparison.is_decided:
        return f"answer {_LETTERS[number]}"
    return one_line(comparison.runs[number].turn.recipe.label)


def _told(chat: PlainChat, comparison: Comparison, number: int) -> Outcome | None:
    """Wait for one run to end, and read its answer."""
    run = comparison.runs[number]
    chat.voice.say(f"{number + 1} of {len(comparison.runs)}, {_name(comparison, number)}:")
    outcome = _outcome(chat, run)
    if outcome is None:
        fault = comparison.fault(run)
        chat.voice.say(str(fault_of(fault)) if fault is not None else "Stopped before it began.")
        return None
    chat.voice.write_text(outcome.answer if outcome.answer.strip() else "No answer.")
    if outcome.error is not None:
        chat.voice.say(f"{outcome.status}: {one_line(outcome.error.message)}")
    if not comparison.is_blind:
        chat.voice.say(f"End. {summary(run.turn.recipe, outcome)}")
    return outcome


def _outcome(chat: PlainChat, run: RunHandle) -> Outcome | None:
    outcome = None
    for event in chat.events_of(run):
        if isinstance(event, RunEnded):
            outcome = event.outcome
    return outcome


def _choose(chat: PlainChat, comparison: Comparison, outcomes: list[Outcome | None]) -> None:
    """Ask which is better, and say which recipe wrote which answer."""
    answered = [
        run
        for run, outcome in zip(comparison.runs, outcomes, strict=True)
        if outcome is not None and outcome.answer.strip()
    ]
    number = None
    if chat.reader.is_attended and answered:
        number = chat.questions.choose(len(comparison.runs))
    if number is not None:
        chosen = comparison.runs[number - 1] if number else None
        is_counted = comparison.choose(chosen, answered)
        words = f"Chosen: {_name(comparison, number - 1)}." if chosen is not None else "None is better."
        if not is_counted:
            reason = "fewer than two answers were there" if len(answered) < 2 else "nothing is kept of it"
            words += f" Not counted: {reason}."
        chat.voice.say(words)
    if comparison.is_blind:
        names = (one_line(run.turn.recipe.label) for run in comparison.runs)
        pairs = (f"{letter} is {name}" for letter, name in zip(_LETTERS, names, strict=False))
        chat.voice.say(f"{', '.join(pairs)}.")


def _settle(chat: PlainChat, comparison: Comparison) -> None:
    """Take the turns into the conversation, once all runs have ended."""
    new, turns = chat.session.settle_comparison(comparison)
    if new is not None and len(turns) > 1:
        chat.voice.say("The conversation goes on from the one chosen, else the first; the others stay.")
