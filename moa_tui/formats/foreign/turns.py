"""Makes turns of messages: what was asked and what was answered, one after the other.

An answer there was written by one model, so each turn gets a recipe of one call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from moa_tui.conversation import Conversation, Turn, name_from
from moa_tui.engine.agent import KEPT
from moa_tui.engine.metrics import measure
from moa_tui.engine.recipe import IMPORTED, Recipe
from moa_tui.engine.values import CallId, Metrics, Outcome, Reply
from moa_tui.errors import FileError
from moa_tui.formats.foreign.values import label, string

if TYPE_CHECKING:
    from moa_tui.formats.foreign.values import Tally

_LONGEST_TITLE, _LONGEST_MODEL = 200, 100
# Turns of a conversation. Each of them is listed, and counted, again and again while it is open.
MOST_TURNS = 50_000
NO_QUESTION = "[no question]"
"""The prompt of an answer for which the file has none: it was lost, or the model was the first to speak."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said. `role` is user, assistant, system or tool; any other is left out and counted.

    A message that is MISSING, or of a role that is unknown, separates the answers before and after it.
    `created` is in Unix seconds. `reasoning` is what a model thought before its answer.
    """

    role: str
    text: str = ""
    model: str = ""
    created: float | None = None
    reasoning: str = ""


MISSING = Message("missing")
"""What stands in the place of a message that is not in the file, or that cannot be read."""


class _Texts:
    """Texts in a row, each with those `before` it: adding one costs the same however many there are."""

    def __init__(self, last: str, before: _Texts | None) -> None:
        self.last = last
        self.before = before
        self.length: int = len(last) + (before.length + 2 if before is not None else 0)

    @cached_property
    def joined(self) -> str:
        """The texts as one, with a blank line between them."""
        if self.before is None:
            return self.last
        texts: list[str] = []
        row: _Texts | None = self
        while row is not None:
            texts.append(row.last)
            row = row.before
        return "\n\n".join(text for text in reversed(texts) if text)


@dataclass(frozen=True, slots=True, eq=False)
class OpenTurn:
    """A turn that is not complete yet: what was asked and answered so far after `parent`.

    `system_is_new` is true where `system` came after the last prompt, so that it is for the turn to come.
    `has_gap` is true where a message is missing after the last answer, which may have been a question.
    """

    parent: Turn | None = None
    system: _Texts | None = None
    system_is_new: bool = False
    prompts: _Texts | None = None
    answers: _Texts | None = None
    reasonings: _Texts | None = None
    model: str = ""
    created: float | None = None
    has_gap: bool = False


class TurnReader:
    """Makes turns of messages. Each message goes on from an open turn, in a tree several from the same one.

    `turns` has the turns that are complete, each after its parent. `created` is the time of the conversation
    and `default_model` its model, for turns that have none of their own.
    """

    def __init__(self, created: float, tally: Tally, default_model: str = "") -> None:
        self.created = created
        self.tally = tally
        self.default_model = default_model
        self.turns: list[Turn] = []
        self._completed: dict[OpenTurn, Turn] = {}
        self._counted_system: _Texts | None = None

    def first_turn(self, system: str = "") -> OpenTurn:
        """The open turn before the first message, with the conversation's system prompt if it has one."""
        return OpenTurn(system=_Texts(system, None), system_is_new=True) if system.strip() else OpenTurn()

    def with_message(self, before: OpenTurn, message: Message) -> OpenTurn:
        """The open turn that a message makes of the one before it; `before` itself where it is left out."""
        text = message.text
        if message.role == "assistant":
            return self._with_answer(before, message)
        if message.role not in ("user", "system"):
            if message is not MISSING:
                self.tally.left_out["tool message" if message.role == "tool" else "unknown message"] += 1
            # A tool speaks within an answer.
            return before if message.role == "tool" else replace(before, has_gap=True)
        if message.role != "user" and not text.strip():
            return before
        if before.answers or before.reasonings:
            before = OpenTurn(self.complete(before), before.system)
        if message.role == "user":
            return replace(
                before,
                prompts=_Texts(text, before.prompts),
                system_is_new=False,
                created=before.created if before.created is not None else message.created,
                has_gap=False,
            )
        system = _Texts(text, before.system if before.system_is_new else None)
        return replace(before, system=system, system_is_new=True)

    def _with_answer(self, before: OpenTurn, message: Message) -> OpenTurn:
        """The open turn with an answer, or with a piece of one."""
        if not message.text.strip() and not message.reasoning.strip():
            return before
        if before.has_gap and (before.answers or before.reasonings):
            before = OpenTurn(self.complete(before), before.system)
        if before.prompts is None:
            created = before.created if before.created is not None else message.created
            before = replace(before, prompts=_Texts(NO_QUESTION, None), system_is_new=False, created=created)
        before = replace(before, has_gap=False)
        if message.reasoning.strip():
            before = replace(before, reasonings=_Texts(message.reasoning, before.reasonings))
        if not message.text.strip():
            return before
        answers = _Texts(message.text, before.answers)
        return replace(before, answers=answers, model=message.model or before.model)

    def complete(self, opened: OpenTurn) -> Turn | None:
        """The turn that an open one becomes, the same at every call; its parent where nothing was asked.

        Raises FileError where the conversation has too many turns, or the file too many characters.
        """
        if opened.prompts is None:
            return opened.parent
        if opened not in self._completed:
            if len(self.turns) >= MOST_TURNS:
                raise FileError(f"it has more than {MOST_TURNS:,} turns, which is the most of a conversation")
            self._count_characters(opened)
            recipe = _recipe(opened.model or self.default_model)
            answer = opened.answers.joined if opened.answers is not None else ""
            reasoning = opened.reasonings.joined if opened.reasonings is not None else ""
            self.tally.left_out["reasoning without an answer"] += bool(reasoning and not answer)
            self._completed[opened] = turn = Turn(
                opened.prompts.joined,
                recipe,
                _outcome(recipe, answer, reasoning),
                opened.parent,
                opened.system.joined if opened.system is not None else None,
                created=self.created if opened.created is None else opened.created,
            )
            self.turns.append(turn)
        return self._completed[opened]

    def completed(self, opened: OpenTurn) -> Turn | None:
        """The turn that an open one has become; None where it has not become one."""
        return self._completed.get(opened)

    def _count_characters(self, opened: OpenTurn) -> None:
        """Count what a turn holds before it is put together. Raises FileError where it is too much."""
        for texts in (opened.prompts, opened.answers, opened.reasonings):
            self.tally.take(texts.length if texts is not None else 0)
        # One system prompt is shared by the turns that follow each other.
        if opened.system is not None and opened.system is not self._counted_system:
            self.tally.take(opened.system.length)
            self._counted_system = opened.system


def conversation_from(reader: TurnReader, active: Turn | None, title: object) -> Conversation:
    """The conversation of all turns that were read; without `active`, the last turn is the active one.

    Without a title it is called by its first question.
    """
    turns = tuple(reader.turns)
    name = label(string(title), _LONGEST_TITLE)
    if not name and turns and turns[0].prompt == NO_QUESTION:
        name = name_from(next((turn.prompt for turn in turns if turn.prompt != NO_QUESTION), ""))
    return Conversation(
        turns,
        active or (turns[-1] if turns else None),
        created=reader.created,
        title=name,
    )


@lru_cache(maxsize=100)
def _recipe(model: str) -> Recipe:
    """The recipe that asks one model, `imported/` and the name by which the file calls it."""
    name = label(model, _LONGEST_MODEL).strip("/ ") or "unknown"
    # A name that the file calls a model by is only shown, whatever it looks like.
    return Recipe.model_validate(
        {"name": IMPORTED, "imported": True, "layers": [{"agents": [{"model": f"imported/{name}"}]}]},
        context={"purpose": KEPT},
    )


def _outcome(recipe: Recipe, answer: str, reasoning: str) -> Outcome:
    """The outcome of a run whose one call wrote `answer`; it was stopped where there is no answer."""
    if not answer:
        return Outcome("stopped", "", {}, Metrics())
    call, agent = CallId(1, 1), recipe.lineup[0][0]
    replies = {call: Reply(agent.name, agent.model, "done", text=answer, reasoning=reasoning)}
    return Outcome("done", answer, replies, measure(replies, {1: [call]}, call))
