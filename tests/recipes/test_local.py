"""The recipes `local` and `slim`, made from what servers say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.errors import NoLocalModelError
from moa_tui.gateway import discovery
from moa_tui.gateway.discovery import LocalModel, LocalServer, find_servers
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes import local
from moa_tui.recipes.local import local_agent, local_recipe, slim_recipe
from tests.local_servers import ListingServer, llama_cpp_replies, ollama_entry, vllm_replies

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent

GIGABYTE = 1_000_000_000


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 24 GB, and time for its servers to answer however busy it is."""
    monkeypatch.setattr(local, "machine_memory", lambda: 24 * GIGABYTE)
    monkeypatch.setattr(discovery, "PROBE_SECONDS", 10)


def ollama(*models: LocalModel, url: str = "http://127.0.0.1:11434", calls_at_once: int = 1) -> LocalServer:
    return LocalServer("ollama", url, "ollama", models, calls_at_once=calls_at_once)


def sized(name: str, billions: float, gigabytes: float, quantization: str = "Q4_K_M") -> LocalModel:
    return LocalModel(name, billions, size_bytes=int(gigabytes * GIGABYTE), quantization=quantization)


def names(agents: tuple[Agent, ...]) -> list[str]:
    return [agent.name for agent in agents]


# What is chosen


def test_slim_asks_the_four_largest_that_fit_one_at_a_time_in_three_layers() -> None:
    models = [
        sized("gemma3:4b", 4.3, 3.3),
        sized("llama3.3:70b", 70.6, 43),
        sized("qwen3:14b", 14.8, 9.3),
        sized("mistral-small:24b", 23.6, 14.3),
        sized("phi4-mini:3.8b", 3.8, 2.5),
        sized("llama3.1:8b", 8.0, 4.9),
    ]
    recipe = slim_recipe([ollama(*models)])
    first, second, last = recipe.lineup
    assert names(first) == ["mistral-small:24b", "qwen3:14b", "llama3.1:8b", "gemma3:4b"]
    assert names(second) == names(first)
    assert names(last) == ["mistral-small:24b"]
    assert recipe.limits.one_model_at_a_time
    assert recipe.limits.concurrency == 1
    assert recipe.calls == 9


@pytest.mark.parametrize(
    ("variants", "chosen"),
    [
        ([("llama3.1:8b-instruct-fp16", 8, 16, "F16"), ("llama3.1:8b", 8, 4.9, "Q4_K_M")], "llama3.1:8b"),
        ([("m:7b", 7, 4, "Q4_0"), ("m:7b-q8_0", 7, 7.5, "Q8_0")], "m:7b-q8_0"),
        ([("m:7b-q4_0", 7, 4, "Q4_0"), ("m:7b-bf16", 7, 30, "BF16")], "m:7b-q4_0"),
        ([("m:32b-q8_0", 32, 34, "Q8_0"), ("m:32b", 32, 19, "Q4_K_M")], "m:32b"),
    ],
)
def test_of_the_quantisations_of_a_model_one_is_taken(
    variants: list[tuple[str, float, float, str]], chosen: str
) -> None:
    server = ollama(sized("other:3b", 3, 2), *(sized(*variant) for variant in variants))
    for make in (local_recipe, slim_recipe):
        recipe = make([server])
        assert sorted(names(recipe.lineup[0])) == sorted(["other:3b", chosen])
        assert names(recipe.lineup[-1]) == [chosen]


@pytest.mark.parametrize(
    "variants",
    [
        ("qwen3-8b@q4_k_m", "qwen3-8b@q8_0"),
        ("unsloth/Qwen3-8B-GGUF:Q4_K_M", "unsloth/Qwen3-8B-GGUF:Q8_0"),
        ("Qwen3-8B-Q4_K_M", "Qwen3-8B-Q8_0"),
        ("/models/Qwen3-8B.Q4_K_M.gguf", "/models/Qwen3-8B.Q8_0.gguf"),
    ],
)
def test_quantisations_are_told_by_the_name_where_that_says_them(variants: tuple[str, str]) -> None:
    entries = [{"id": name, "object": "model"} for name in (*variants, "gemma-3-4b-it")]
    with ListingServer("llama.cpp", "openai", {"/v1/models": {"data": entries}}) as server:
        recipe = slim_recipe(find_servers([server.candidate]))
    assert len(recipe.lineup[0]) == 2


def test_what_fits_nowhere_is_still_better_than_nothing() -> None:
    recipe = slim_recipe([ollama(sized("huge:400b", 400, 240), sized("large:70b", 70, 43))])
    assert names(recipe.lineup[-1]) == ["large:70b"]


def test_a_model_that_is_loaded_fits_and_so_may_any_on_another_machine() -> None:
    loaded = LocalModel("large:70b", 70, size_bytes=43 * GIGABYTE, quantization="Q4_K_M", is_loaded=True)
    here = slim_recipe([ollama(loaded, sized("small:3b", 3, 2))])
    there = slim_recipe([ollama(sized("large:70b", 70, 43), url="http://192.168.1.5:11434")])
    assert names(here.lineup[-1]) == names(there.lineup[-1]) == ["large:70b"]


def test_local_takes_the_six_largest_of_all_servers() -> None:
    servers = [
        ollama(*(LocalModel(f"o{billions}", billions) for billions in (1, 2, 30, 40))),
        LocalServer(
            "lm-studio",
            "http://127.0.0.1:1234/v1",
            "openai",
            tuple(LocalModel(f"l{billions}", billions) for billions in (3, 4, 5, 6)),
        ),
    ]
    recipe = local_recipe(servers)
    assert names(recipe.lineup[0]) == ["o30", "l3", "l4", "l5", "l6", "o40"]
    assert names(recipe.lineup[1]) == ["o40"]


def test_what_is_loaded_is_asked_first() -> None:
    models = (LocalModel("small", 3), LocalModel("middle", 8, is_loaded=True), LocalModel("big", 14))
    assert names(local_recipe([ollama(*models)]).lineup[0]) == ["middle", "small", "big"]


def test_one_model_is_sampled_by_slim_too() -> None:
    recipe = slim_recipe([ollama(LocalModel("m", 7))])
    assert [len(layer) for layer in recipe.lineup] == [3, 3, 1]


# What servers say of themselves


def test_a_server_gets_as_many_calls_at_once_as_it_works_on() -> None:
    with ListingServer("llama.cpp", "openai", llama_cpp_replies("/m/a.gguf", 4, 4096)) as server:
        llama = find_servers([server.candidate])
    with ListingServer("vllm", "openai", vllm_replies("base", "lora")) as server:
        vllm = find_servers([server.candidate])
    assert local_recipe(llama).limits.concurrency == 4
    assert (local_recipe(vllm).limits.concurrency or 0) > 4
    one, two = LocalModel("one", 1), LocalModel("two", 2)
    assert local_recipe([ollama(one, two)]).limits.concurrency == 1
    assert local_recipe([ollama(one, two, calls_at_once=2)]).limits.concurrency == 2
    assert local_recipe([ollama(one, two), *vllm]).limits.concurrency == 1, "the slowest decides"
    assert (local_recipe([ollama(one), *vllm]).limits.concurrency or 0) > 4, "one call is one at a time"


def test_the_context_that_a_server_states_is_a_fact_of_its_models() -> None:
    with ListingServer("llama.cpp", "openai", llama_cpp_replies("/m/a.gguf", 4, 4096)) as server:
        servers = find_servers([server.candidate])
    gateway = Gateway({}, {})
    agent = local_agent(servers[0], servers[0].models[0])
    assert (agent.name, agent.model) == ("a", "openai//m/a.gguf")
    assert gateway.facts(agent).context_tokens is None
    assert gateway.facts(agent).prompt_price == 0.0, "it is on this machine"
    gateway.learn(servers)
    assert gateway.facts(agent).context_tokens == 4096
    assert gateway.facts(agent).prompt_price == 0.0, "it runs its models itself"
    gateway.learn(())
    assert gateway.facts(agent).context_tokens is None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("/models/SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct"),
        ("C:\\models\\Qwen3-8B-Q4_K_M.gguf", "Qwen3-8B"),
        ("Qwen/Qwen3-0.6B", "Qwen3-0.6B"),
        ("unsloth/Qwen3-8B-GGUF:Q8_0", "Qwen3-8B-GGUF:Q8_0"),
        ("Q4_K_M.gguf", "Q4_K_M.gguf"),
    ],
)
def test_an_agent_is_called_as_its_model_without_path_and_ending(model: str, name: str) -> None:
    entries = [{"id": model, "owned_by": "llamacpp"}]
    with ListingServer("llama.cpp", "openai", {"/v1/models": {"data": entries}}) as server:
        (answer,) = find_servers([server.candidate])
    agent = local_agent(answer, answer.models[0])
    assert (agent.name, agent.model) == (name, f"openai/{model}")


def test_what_a_server_hands_on_to_others_may_cost_money() -> None:
    entries = [{"id": "gpt-6-luna", "object": "model", "owned_by": "openai"}]
    with ListingServer("vllm", "openai", {"/v1/models": {"data": entries}}) as server:
        servers = find_servers([server.candidate])
    gateway = Gateway({}, {})
    gateway.learn(servers)
    assert gateway.facts(local_agent(servers[0], servers[0].models[0])).prompt_price is None


@pytest.mark.parametrize(
    ("context", "loaded", "asked_for"),
    [
        (None, None, 16_384),
        (8192, None, 8192),
        (131_072, None, 16_384),
        (131_072, 4096, 16_384),
        (131_072, 65_536, 65_536),
    ],
)
def test_ollama_is_asked_for_no_more_context_than_a_model_has(
    context: int | None, loaded: int | None, asked_for: int
) -> None:
    model = LocalModel("m", 7, context_tokens=context, loaded_tokens=loaded)
    agent = local_agent(ollama(model), model)
    assert agent.extra == {"num_ctx": asked_for}
    assert Gateway({}, {}).facts(agent).context_tokens == asked_for


def test_answers_are_as_long_as_the_aggregator_can_read_them_all() -> None:
    with ListingServer("llama.cpp", "openai", llama_cpp_replies("/m/a.gguf", 4, 4096)) as server:
        small = local_recipe(find_servers([server.candidate]))
    longest = small.defaults.max_tokens or 0
    assert 500 < longest < 1024
    assert 3 * longest + 350 + longest <= 4096
    roomy = local_recipe([ollama(*(LocalModel(name, 7) for name in "abcdef"))])
    assert roomy.defaults.max_tokens == 2048


def test_answers_that_are_cut_at_a_short_limit_are_read_all_the_same() -> None:
    server = ollama(LocalModel("a", 7), LocalModel("b", 8))
    for recipe in (local_recipe([server]), slim_recipe([server])):
        assert all(layer.use_partial for layer in recipe.layers)


def test_a_server_that_loads_its_model_is_named() -> None:
    loading = LocalServer("llama.cpp", "http://127.0.0.1:8080/v1", "openai", state="loading")
    with pytest.raises(NoLocalModelError, match=r"llama\.cpp at http\S+ is still loading its model"):
        slim_recipe([loading])
    assert local_recipe([loading, ollama(LocalModel("m", 7))]).lineup[1][0].name == "m"


def test_a_server_that_has_no_model_or_wants_a_key_is_named_with_what_to_do() -> None:
    locked = LocalServer("vllm", "http://127.0.0.1:8000/v1", "openai", state="locked")
    with pytest.raises(NoLocalModelError, match=r"^vllm at http\S+ answers, but wants a key.*key_env"):
        local_recipe([locked])
    empty = LocalServer("ollama", "http://127.0.0.1:11434", "ollama", state="empty")
    with pytest.raises(NoLocalModelError, match=r"^ollama at http\S+ answers, but has no model.*Pull"):
        slim_recipe([locked, empty])


def test_a_real_list_of_ollamas_makes_both_recipes() -> None:
    tags = [
        ollama_entry("qwen3:14b", "14.8B", 9.3),
        ollama_entry("llama3.1:8b-instruct-fp16", "8.0B", 16.1, "F16"),
        ollama_entry("llama3.1:latest", "8.0B", 4.9),
        ollama_entry("nomic-embed-text:latest", "137M", 0.3, "F16"),
        ollama_entry("gpt-oss:120b-cloud", "116.8B", 0.0, remote_host="https://ollama.com:443"),
    ]
    with ListingServer(
        "ollama", "ollama", {"/api/tags": {"models": tags}, "/api/ps": {"models": []}}
    ) as server:
        servers = find_servers([server.candidate])
    assert names(local_recipe(servers).lineup[0]) == ["llama3.1:latest", "qwen3:14b"]
    assert names(slim_recipe(servers).lineup[0]) == ["qwen3:14b", "llama3.1:latest"]
