"""What the tests of the store share: text that looks like language, and conversations made of it."""

from __future__ import annotations

import random
from itertools import accumulate
from typing import TYPE_CHECKING

from moa_tui.conversation import Conversation, Turn, history
from moa_tui.engine.events import CallEnded, CallStarted, RunEnded
from moa_tui.engine.tasks import Reference, prepare
from moa_tui.engine.values import CallId
from tests.conversations import NOON, a_reply, an_outcome

if TYPE_CHECKING:
    from moa_tui.conversation import Summary
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Reply
    from moa_tui.store.recording import Recording

_SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo zy star bran clif dron".split()  # noqa: SIM905


class Prose:
    """Texts that look like language: 8,000 words, the short ones frequent; the same every time."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        words: set[str] = set()
        while len(words) < 8000:
            words.add("".join(self._random.choices(_SYLLABLES, k=self._random.choice((1, 2, 2, 3, 3)))))
        self._words = sorted(sorted(words), key=lambda word: len(word) + self._random.uniform(0, 9))
        self._weights = list(accumulate(1 / rank for rank in range(1, len(self._words) + 1)))

    def text(self, size: int) -> str:
        """About `size` characters."""
        words = self._random.choices(self._words, cum_weights=self._weights, k=size // 5)
        for at in range(0, len(words), 12):
            words[at] = words[at].capitalize()
            words[at - 1] += "."
        return " ".join(words)[:size]

    def turn(
        self, recipe: Recipe, parent: Turn | None = None, *, prompt: int = 300, size: int = 1500
    ) -> Turn:
        """A turn whose agents were sent what the engine sends, and answered about `size` characters each."""
        turn = Turn(self.text(prompt), recipe, parent=parent, created=NOON)
        sent = history(turn)
        replies: dict[CallId, Reply] = {}
        for number, agents in enumerate(recipe.lineup, 1):
            before = [
                Reference(reply.agent, reply.text)
                for call, reply in replies.items()
                if call.layer == number - 1
            ]
            for index, agent in enumerate(agents, 1):
                call = CallId(number, index)
                replies[call] = a_reply(
                    self.text(round(size * self._random.uniform(2 / 3, 4 / 3))),
                    agent=agent.name,
                    model=agent.model,
                    messages=prepare(call, agent, recipe.layers[number - 1], sent, before).messages,
                )
        return Turn(turn.prompt, recipe, an_outcome(replies), parent, None, turn.id, NOON)

    def conversation(self, recipe: Recipe, turns: int) -> Conversation:
        """One branch of so many turns."""
        made: list[Turn] = []
        for _ in range(turns):
            made.append(self.turn(recipe, made[-1] if made else None))
        return Conversation(tuple(made), made[-1], created=NOON)


def size_of(turn: Turn) -> int:
    """The bytes of a turn's own texts: its prompt, and what its agents wrote."""
    assert turn.outcome is not None
    written = [text for reply in turn.outcome.replies.values() for text in (reply.text, reply.reasoning)]
    return sum(len(text.encode()) for text in (turn.prompt, *written))


def started(turn: Turn, call: CallId) -> CallStarted:
    """What the engine says as a call of a turn goes out."""
    agent = turn.recipe.lineup[call.layer - 1][call.index - 1]
    return CallStarted(call, agent, tuple(history(turn)), 0.5)


def replay(recording: Recording, turn: Turn) -> None:
    """Say what the engine says of a run that came to the turn's outcome."""
    assert turn.outcome is not None
    for call, reply in turn.outcome.replies.items():
        agent = turn.recipe.lineup[call.layer - 1][call.index - 1]
        recording.take(CallStarted(call, agent, tuple(reply.messages), reply.started or 0.0))
        recording.take(CallEnded(call, reply))
    recording.take(RunEnded(turn.outcome))


def ids(summaries: list[Summary]) -> list[str]:
    """The ids of the conversations, in the order of the list."""
    return [summary.id for summary in summaries]
