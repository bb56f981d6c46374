"""What an empty conversation shows: what the program does, what this machine offers, and how to begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.recipes.models import Situation


class Welcome(Static):
    """Says whether the models are simulated, which keys and servers were found, and which keys to press."""

    DEFAULT_CSS = """
    Welcome { height: 1fr; max-width: 100; padding: 1 2; color: $text; overflow-y: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)

    def show_start(self, recipe: Recipe, recipe_reason: str | None, situation: Situation | None) -> None:
        """Show the recipe in force and why it was chosen, and the keys and servers of this machine.

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
                " They show how a Mixture of Agents works and know nothing of the world: no key, no network,"
                " no price. For real answers set a provider's key and start again, or start a model server"
                " on this machine.\n\n",
            ]
        lines.append(_situation_words(situation))
        lines += [
            "\n\nType a question and press ",
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
