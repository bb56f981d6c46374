"""What an empty conversation shows: what this is, what the machine has, how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.recipes.models import Situation


class Welcome(Static):
    """Says whether answers will be real, which keys and servers were found, and three things to try."""

    DEFAULT_CSS = """
    Welcome { height: 1fr; max-width: 100; padding: 1 2; color: $text; overflow-y: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)

    def tell(self, recipe: Recipe, why: str | None, situation: Situation | None) -> None:
        """Say it; `situation` is None while the machine is still being looked at."""
        lines: list[Content | str | tuple[str, str]] = [
            ("Several models answer. They read each other. One writes your answer.\n\n", "bold")
        ]
        lines.append(f"Recipe {recipe.name}: {len(recipe.layers)} layers, {recipe.calls} calls")
        lines.append(f"\n{why[0].upper()}{why[1:]}.\n\n" if why else "\n\n")
        if recipe.name == "demo":
            lines += [
                ("These models are simulated.", "bold $text-warning"),
                " They show how a Mixture of Agents works and know nothing of the world: no key, no network,"
                " no price. For real answers set a provider's key and start again, or start a model server"
                " on this machine.\n\n",
            ]
        lines.append(_found(situation))
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


def _found(situation: Situation | None) -> str:
    if situation is None:
        return "Looking for keys and local servers …"
    keys = ", ".join(situation.keys.values()) or "none"
    servers = ", ".join(f"{server.name} at {server.url}" for server in situation.servers) or "none"
    return f"Keys found: {keys}\nLocal servers found: {servers}"
