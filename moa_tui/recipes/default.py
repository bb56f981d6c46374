"""The choice of the recipe that runs where none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.recipes.files import LOCAL
from moa_tui.recipes.local import why_without_models, without_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moa_tui.gateway.discovery import LocalServer
    from moa_tui.settings.config import Settings

# The built-in recipes that need one provider's key alone, best known first; then those that need more.
ONE_KEY_RECIPES = ("openrouter", "together_ai", "openai", "anthropic", "gemini", "groq")
PREFERRED_RECIPES = (*ONE_KEY_RECIPES, "duo", "moa-lite", "self-moa", "moa", "moa-frontier")


def choose_recipe(
    settings: Settings, can_run: Callable[[str], bool], servers: Callable[[], Iterable[LocalServer]]
) -> tuple[str, str]:
    """The name of the recipe to run where none is named, and the reason in words.

    `can_run` returns True where all keys that a recipe needs are set. `servers` returns the local servers
    that answer; it is called only where no key decides.
    """
    if settings.default_recipe:
        return settings.default_recipe, "default_recipe in the config names it"
    for name in PREFERRED_RECIPES:
        if can_run(name):
            return name, "the first built-in recipe whose keys are all set"
    answering = tuple(servers())
    if names := [server.name for server in answering if server.models]:
        return (
            LOCAL,
            f"no built-in recipe's keys are set, and {' and '.join(names)} answered on this machine",
        )
    variable = KEY_VARIABLES[ONE_KEY_RECIPES[0]][0]
    server = without_models(answering)
    local = "no local server answered" if server is None else f"{server.name} {why_without_models(server)}"
    return "demo", (
        f"no built-in recipe's keys are set and {local}, so these answers are simulated. "
        f"For real ones set {variable} or another provider's key (`moa-tui doctor` names them)"
    )
