"""How the chat screen puts one prompt to several recipes, and goes on with the answer that was chosen."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.errors import MoaTuiError, UsageError
from moa_tui.fault_log import record_bug
from moa_tui.ui.compare_screen import CompareScreen
from moa_tui.ui.run_state import RunState
from moa_tui.ui.session import NOTHING, Draft
from moa_tui.ui.session_actions import SessionActions

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.comparison import Comparison
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe

_USAGE = "/compare [blind] A B [C] [PROMPT]"
_MOST_RECIPES = 3


class Wanted(NamedTuple):
    """What a comparison is to be of; an empty prompt is the last turn's."""

    blind: bool
    names: tuple[str, ...]
    prompt: str


class CompareActions(SessionActions):
    """The action that asks several recipes at once."""

    given: Draft = NOTHING
    """What was submitted last, as text and as it was written."""

    async def compare(self, words: str) -> None:
        """Ask as the words say, and show all answers. Raises MoaTuiError."""
        self._idle()
        chat, given = self.session.chat, self.given
        instead_of = self.session.instead_of
        wanted, recipes = await asyncio.to_thread(self._wanted, words)
        prompt, written = wanted.prompt, _written(wanted.prompt, given)
        if not prompt:
            turn = chat.turn
            if turn is None:
                raise UsageError(f"there is no prompt yet to compare by: {_USAGE}")
            prompt, written, instead_of = turn.prompt, self.session.written or turn.prompt, turn
        # Meanwhile something else may have begun.
        self._idle()
        comparison = chat.compare(prompt, recipes, blind=wanted.blind, instead_of=instead_of)
        self.session.instead_of = None
        self.switching = True
        self.app.push_screen(
            CompareScreen(comparison, written, copy=self.copy, ended=lambda: self.wish("ended")),
            partial(self._compared, comparison, instead_of, Draft(prompt, written), given),
        )

    def _wanted(self, words: str) -> tuple[Wanted, list[Recipe]]:
        """What the words want, and its recipes. Looks at files."""
        wanted = compare_words(words, self.choices.known)
        recipes = [self.choices.load(name) for name in wanted.names]
        # Two files may hold recipes of one name, by which choices are kept.
        _all_different([recipe.name for recipe in recipes])
        return wanted, recipes

    def _compared(
        self, comparison: Comparison, instead_of: Turn | None, draft: Draft, given: Draft, _: None
    ) -> None:
        """The comparison is over: go on with what came of it."""
        turns = comparison.settle()
        self.switching = False
        for fault in comparison.faults:
            ours = f"moa-tui has a fault, please report it: {type(fault).__name__}"
            if isinstance(fault, MoaTuiError):
                self.complain(fault)
            else:
                self.complain(MoaTuiError(f"{ours}; {record_bug(fault)}"))
        if not turns:
            self.box.prompt.put_back(given.shown)
            self.session.instead_of = instead_of
            return
        self.session.count(turns)
        self.session.draft, self.session.written = draft, draft.shown
        self.run_worker(self._quietly(self._go_on_with_active(instead_of, len(turns))), group="open")

    async def _go_on_with_active(self, instead_of: Turn | None, count: int) -> None:
        turn = self.session.chat.turn
        if turn is None:
            return
        run = self.session.run = RunState.of(turn)
        self.remove_class("-empty")
        await self.transcript.add(turn, run, instead_of=instead_of, place=self._place_of(turn))
        self.panel.look_at(run)
        self.renew_title()
        self.renew_numbers()
        self.renew_estimate()
        self.refresh_bindings()
        if count > 1:
            self.say("the other answers are beside this one: ← and → on the turn")


def compare_words(words: str, known: Callable[[str], bool]) -> Wanted:
    """`[blind] A B [C] [PROMPT]`: a third word is a recipe where it is `known` as one's name.

    `--` before the prompt says that its first word is none. Raises UsageError.
    """
    word, rest = _first(words)
    blind = word.lower() == "blind"
    if not blind:
        rest = words
    names: list[str] = []
    while len(names) < _MOST_RECIPES:
        word, after = _first(rest)
        if not word or word == "--" or (len(names) == 2 and not known(word)):
            break
        names.append(word)
        rest = after
    word, after = _first(rest)
    if word == "--":
        rest = after
    if len(names) < 2:
        raise UsageError(f"at least two recipes are needed: {_USAGE}")
    _all_different(names)
    return Wanted(blind, tuple(names), rest.strip())


def _first(text: str) -> tuple[str, str]:
    match = re.match(r"\s*(\S*)\s*(.*)\Z", text, re.DOTALL)
    return (match[1], match[2]) if match else ("", "")


def _all_different(names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f'"{twice}" is named twice: a recipe is compared with others')


def _written(prompt: str, given: Draft) -> str:
    """The prompt as it was written, without the files that were read in below it."""
    return prompt.removesuffix(given.text.removeprefix(given.shown).strip()).rstrip()
