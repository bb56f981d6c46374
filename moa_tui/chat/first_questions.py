"""Questions for somebody who does not know yet what to ask: three, which the recipe in force can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moa_tui.chat.chat import Chat

# The simulated models know the manual alone.
_ABOUT_MOA_TUI = (
    "What is a Mixture of Agents?",
    "How do I use my own Ollama?",
    "Which recipe should I use?",
)
# Models have different views of these, so that there is something to compare.
_GENERAL = (
    "Is a four-day week a good idea?",
    "How does a bicycle stay upright?",
    "Which database fits a small web site?",
)


def first_questions(chat: Chat) -> tuple[str, ...]:
    """Three questions about moa-tui where simulated models will answer, else three about the world."""
    is_simulated = all(agent.model.startswith("demo/") for agent in chat.recipe.every_agent())
    return _ABOUT_MOA_TUI if is_simulated or lacks_keys(chat) else _GENERAL


def lacks_keys(chat: Chat) -> bool:
    """True where the recipe in force cannot run, since a key is not set."""
    return bool(chat.backend.gateway.missing_keys(chat.recipe.every_agent()))
