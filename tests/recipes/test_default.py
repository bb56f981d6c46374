"""Which recipe runs where none is named, and the one made from the models of local servers."""

from __future__ import annotations

import pytest

from moa_tui.errors import NoLocalModelError
from moa_tui.gateway.discovery import LocalModel, LocalServer
from moa_tui.recipes.default import choose_recipe
from moa_tui.recipes.local import local_recipe
from moa_tui.settings.config import Settings


def test_the_local_recipe_loads_each_model_once_and_ends_on_the_one_that_is_loaded() -> None:
    servers = [
        LocalServer(
            "ollama", "http://127.0.0.1:11434", "ollama",
            (LocalModel("big", 70), LocalModel("small", 3), LocalModel("middle", 14)),
        )
    ]  # fmt: skip
    recipe = local_recipe(servers)
    proposers, (aggregator,) = recipe.lineup
    assert [agent.name for agent in proposers] == ["small", "middle", "big"]
    assert aggregator.model == proposers[-1].model == "ollama_chat/big"
    assert recipe.limits.concurrency == 1
    assert aggregator.api_base == "http://127.0.0.1:11434"


def test_one_local_model_is_sampled_three_times() -> None:
    recipe = local_recipe([LocalServer("vllm", "http://127.0.0.1:8000/v1", "openai", (LocalModel("m"),))])
    assert recipe.calls == 4
    assert {agent.model for agent in recipe.every_agent()} == {"openai/m"}


def test_without_a_local_model_it_is_said_what_to_start() -> None:
    with pytest.raises(NoLocalModelError, match="Start Ollama"):
        local_recipe([])


def test_the_recipe_follows_from_config_keys_and_servers_in_that_order() -> None:
    server = LocalServer("ollama", "x", "ollama", (LocalModel("m"),))
    runs = {"groq", "openai", "moa"}.__contains__
    assert choose_recipe(Settings(default_recipe="duo"), runs, lambda: [server])[0] == "duo"
    assert choose_recipe(Settings(), runs, lambda: [server])[0] == "openai"
    assert choose_recipe(Settings(), {"moa"}.__contains__, lambda: [server])[0] == "moa"
    assert choose_recipe(Settings(), set[str]().__contains__, lambda: [server])[0] == "local"
    name, why = choose_recipe(Settings(), set[str]().__contains__, list)
    assert name == "demo"
    assert "simulated" in why
    assert "OPENROUTER_API_KEY" in why


def test_a_server_that_still_loads_its_model_is_not_passed_over_in_silence() -> None:
    loading = LocalServer("llama.cpp", "x", "openai", state="loading")
    name, why = choose_recipe(Settings(), set[str]().__contains__, lambda: [loading])
    assert name == "demo"
    assert "llama.cpp is still loading its model, so these answers are simulated" in why
    ready = LocalServer("ollama", "x", "ollama", (LocalModel("m"),))
    assert choose_recipe(Settings(), set[str]().__contains__, lambda: [loading, ready])[0] == "local"
