"""What is said of a conversation and of what a command has done, the same on every way to chat.

A function that does something says so in its name and returns the sentence for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from moa_tui.chat.agent_costs import agent_cost_lines, replies_asked
from moa_tui.chat.conversations import Resumed
from moa_tui.chat.ledger import cap_words
from moa_tui.chat.session import Effect
from moa_tui.conversation import paid_for
from moa_tui.engine import recipe_edit
from moa_tui.engine.agent import EFFORTS
from moa_tui.errors import DatabaseLostError, UsageError
from moa_tui.text.safe import one_line, safe_text
from moa_tui.text.wording import counted, price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.chat.chat import Chat
    from moa_tui.chat.unsent import Restored
    from moa_tui.conversation import Turn
    from moa_tui.engine.plan import Cap, Plan
    from moa_tui.errors import StoreError

_LONGEST_SHOWN = 300  # characters
_MOST_SERVERS = 3

LEAVING_LOSES_CONVERSATION = (
    "this conversation is not on disk: /export saves it. The same once more leaves it"
)
KEPT_IN_MEMORY = "The chat goes on and is kept in memory meanwhile; /export saves it elsewhere."


# Commands that change by what the next prompt is answered


def set_system_prompt(chat: Chat, text: str) -> str:
    """Set the system prompt to `text`, drop it where that is `-`, or only say it where it is empty."""
    if text == "-":
        chat.system = None
        return "no system prompt from now on"
    if text:
        chat.system = text
        return "the system prompt goes before everything from now on; /system - takes it away"
    return f"system prompt: {chat.system}" if chat.system else "no system prompt; /system TEXT sets one"


def use_effort(chat: Chat, word: str) -> str:
    """Have all agents think so much from now on, or only say what is in force where `word` is empty.

    Raises UsageError for a word that names no effort.
    """
    if word:
        chat.use_effort(word)
        return f"reasoning effort from now on: {one_line(recipe_edit.effort_words(chat.recipe))}"
    return (
        f"reasoning effort: {one_line(recipe_edit.effort_words(chat.recipe))}. "
        f"/effort LEVEL sets it for all: {', '.join(EFFORTS)}, or - for the model's own"
    )


def toggle_guided(chat: Chat) -> str:
    """Have a checklist before the synthesis of what is asked next, or not. Raises UsageError."""
    if recipe_edit.has_checklist(chat.recipe):
        raise UsageError(f"recipe {chat.recipe.name} has a checklist of its own, and goes by that")
    if not chat.guided:
        chat.guided_recipe()
    chat.guided = not chat.guided
    if chat.guided:
        return "guided from now on: you tick what the answer keeps, for one call more; /guided ends it"
    return "no checklist from now on"


def why_unguided(chat: Chat) -> str:
    """Why there is no checklist although one is wanted; empty where there is one, or none is wanted."""
    if chat.guided:
        try:
            chat.guided_recipe()
        except UsageError as error:
            return f"not guided: {error}"
    return ""


def recipe_words(chat: Chat) -> str:
    """The recipe that was chosen."""
    return f"recipe {one_line(chat.recipe.name)} from now on"


# Runs and costs


def effect_words(effect: Effect) -> str:
    """What a change of a running turn has come to; empty where the run goes on, changed."""
    if effect is Effect.STOPPING:
        return "the run was too far on for that: it is stopped, and goes on as changed, beside it"
    if effect is Effect.STOPPING_ANSWER:
        return (
            "the answer was begun already: it is stopped, and written as changed, beside it, once the others "
            "are done"
        )
    return ""


def estimate_words(plan: Plan, caps: Sequence[Cap]) -> str:
    """What sending a prompt would take, such as `7 calls · at most $0.02`."""
    words = price(plan.cost, is_local=plan.is_local)
    size = f"{counted(len(plan.calls), 'call')} · {f'at most {words}' if plan.cost else words}"
    if plan.requests > len(plan.calls):
        size = f"at most {plan.requests} requests, {words}"
    passes = plan.known_cost > min((cap.left for cap in caps), default=math.inf)
    return f"{size}{' · over budget' if passes else ''}"


def server_lines(plan: Plan) -> list[str]:
    """The servers that are asked: a provider's own address needs no word, any other has a line of its own."""
    endpoints = [call.facts.endpoint for call in plan.calls]
    hosts = list(dict.fromkeys(urlsplit(address).netloc for address in endpoints if "://" in address))
    lines = [f"to {safe_text(one_line(host))}" for host in hosts[:_MOST_SERVERS]]
    return lines if len(hosts) <= _MOST_SERVERS else [*lines, f"and {len(hosts) - _MOST_SERVERS} more"]


def cost_lines(turns: Sequence[Turn], caps: Sequence[Cap]) -> list[str]:
    """What the turns of a conversation have taken, agent by agent, and what is spent of the budgets."""
    taken = paid_for(turns)
    cached = f" ({taken.usage.cached_tokens:,} of them from a cache)" if taken.usage.cached_tokens else ""
    asked = replies_asked(turns)
    is_local = bool(asked) and all(reply.local for reply in asked)
    cost = price(taken.known_cost, is_local=is_local)
    unknown = "; prices that are unknown are not in it" if taken.cost is None else ""
    words = f"{taken.tokens:,} tokens{cached}, {cost}{unknown}"
    return [words, *agent_cost_lines(turns), *(f"budget: {cap_words(cap)}" for cap in caps)]


def budget_warning(cap: Cap) -> str:
    """That a budget is nearly used up."""
    return f"Budget: {cap_words(cap)} is spent"


# Conversations


def privacy_words(chat: Chat) -> str:
    """Whether what is sent from now on is kept."""
    if chat.private:
        return "private: from now on nothing is written to disk, here and in conversations begun from here"
    return "this conversation is kept on disk from now on, all of it"


def resumed_words(resumed: Resumed, chat: Chat) -> str:
    """Which recipe answers in a conversation that was opened."""
    if resumed is Resumed.IMPORTED:
        return f"what answered there was imported; recipe {chat.recipe.name} answers from now on"
    return f"recipe {chat.recipe.name} from now on"


def unused_system_words(turn: Turn | None) -> str:
    """That the system prompt of an imported turn is not used; empty where there is none."""
    if turn is None or not turn.imported_system:
        return ""
    words = one_line(turn.imported_system)[:_LONGEST_SHOWN]
    return f"the system prompt that was imported is not used; /system TEXT gives one: {words}"


def restored_words(restored: Restored) -> str:
    """What is back of what dead windows have left."""
    count = len(restored.prompts)
    are = "message that was not sent is" if count == 1 else "messages that were not sent are"
    elsewhere = "; not all of it was written in this conversation" if restored.is_from_elsewhere else ""
    return f"{count} {are} back in the input{elsewhere}"


def written_again_words(chat: Chat, before: StoreError | None) -> str:
    """That conversations are written to disk again; `before` is why they were not."""
    words = "nothing was lost"
    if isinstance(before, DatabaseLostError):
        if not chat.private:
            words = "what is open here was written anew"
        elif chat.kept is not None:
            words = "what is open here was written anew, up to where it became private"
        else:
            words = "into a new file, which has nothing of this private conversation"
    return f"conversations are written to disk again; {words}"
