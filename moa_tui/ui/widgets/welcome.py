"""What an empty conversation shows: what the program does, what this machine offers, and how to begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.recipe import Recipe
    from moa_tui.recipes.models import Situation


# Keys that write nothing, so that none is taken from somebody who types.
_QUESTION_KEYS = ("F5", "F6", "F7")


class Welcome(Static):
    """Says whether the models are simulated, which keys and servers were found, and what to ask and press."""

    DEFAULT_CSS = """
    Welcome { height: 1fr; max-width: 100; padding: 1 2; color: $text; overflow-y: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)

    def show_start(
        self,
        recipe: Recipe,
        recipe_reason: str | None,
        situation: Situation | None,
        questions: Sequence[str],
    ) -> None:
        """Show the recipe in force and why it was chosen, this machine's keys and servers, and `questions`.

        `situation` is None until keys and servers have been searched for.
        """
        lines: list[Content | str | tuple[str, str]] = [
            ("Several models answer. They read each other. One writes your answer.\n\n", "bold")
        ]
        lines.append(f"Recipe {one_line(recipe.name)}: {len(recipe.layers)} layers, {recipe.calls} calls")
        lines.append(f"\n{recipe_reason[0].upper()}{recipe_reason[1:]}.\n\n" if recipe_reason else "\n\n")
        if recipe.label == "demo":
            lines += [
                ("These models are simulated.", "bold $text-warning"),
                " They know this program's manual and nothing else: no key, no network, no price. For answers"
                " about the world set a provider's key and start again, or start a model server on this"
                " machine.\n\n",
            ]
        lines.append("Questions to try, each by one key:")
        for key, question in zip(_QUESTION_KEYS, questions, strict=True):
            lines += ["\n  ", (key, "bold"), f"  {question}"]
        lines += [
            "\n\n",
            _situation_words(situation),
            "\n\nOr type a question and press ",
            ("Enter", "bold"),
            ". Each agent writes in its own pane; ",
            ("ctrl+o", "bold"),
            " looks at one closely, ",
            ("F2", "bold"),
            " chooses another recipe, ",
            ("F1", "bold"),
            " lists all keys.",
        ]
        self.update(Content.assemble(*lines))


def _situation_words(situation: Situation | None) -> str:
    if situation is None:
        return "Looking for keys and local servers …"
    keys = ", ".join(situation.keys.values()) or "none"
    servers = ", ".join(one_line(f"{server.name} at {server.url}") for server in situation.servers) or "none"
    return f"Keys found: {keys}\nLocal servers found: {servers}"
