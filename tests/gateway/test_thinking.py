"""Room for thinking beside the answer, and reasoning efforts in words that each model takes.

What models take is from the providers' documentation as of 2026: Anthropic wants `budget_tokens` below
`max_tokens` and no temperature but 1, OpenAI's o-series and gpt-oss know no "none", Ollama's gpt-oss takes
low, medium and high, Groq's Qwen none and default, Gemini 2.5 Pro cannot be kept from thinking, and Groq's
free plan refuses a request whose whole limit is above 8,000 tokens a minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.agent import EFFORTS, Agent
from moa_tui.gateway.discovery import LocalServer
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.server_replies import ollama_models
from moa_tui.gateway.thinking import as_asked
from moa_tui.gateway.thread import load_litellm_stream
from moa_tui.recipes import files
from moa_tui.recipes.local import local_agent
from moa_tui.settings.config import Endpoint
from tests.helpers import recipe
from tests.wires import WIRES, WireServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway.conftest import Bench

KEY = "sk-canary-of-the-efforts-31bc"
BUILT_IN = [files.read(file.path) for file in files.available(Path("/nonexistent")).values()]
AGENTS = {agent.model: agent for each in BUILT_IN for agent in each.every_agent()}
HOSTED = [model for model in AGENTS if model.partition("/")[0] not in ("demo", "ollama")]


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    return Gateway({"lab": Endpoint(base_url="http://127.0.0.1:1/v1")}, {})


@pytest.fixture(scope="module")
def running_server() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


def agent(model: str, **settings: Any) -> Agent:
    return Agent.model_validate({"model": model, "max_tokens": 2048, **settings})


def sent(gateway: Gateway, asking: Agent) -> Agent:
    """The agent as its model is asked."""
    info = gateway.catalog.thinking(asking.model)
    return as_asked(asking, info, gateway.facts(asking).thinking_tokens)


# Room


@pytest.mark.parametrize("model", HOSTED)
def test_every_hosted_model_of_the_built_in_recipes_can_think_beside_its_answer(
    model: str, gateway: Gateway
) -> None:
    asked = AGENTS[model]
    room = gateway.facts(asked).thinking_tokens
    assert asked.max_tokens == 2048
    assert room >= (2_048 if model.startswith("groq/") else 12_000)
    assert sent(gateway, asked).max_tokens == 2048 + room


@pytest.mark.parametrize(
    ("model", "settings", "room"),
    [
        # A model that does not think has no room, whatever it is asked; nor has one that nobody knows.
        ("gpt-4o", {}, 0),
        ("gpt-4o", {"reasoning_effort": "high"}, 0),
        ("openai/nobody-knows-this", {}, 0),
        ("openai/nobody-knows-this", {"reasoning_effort": "none"}, 0),
        # Where a person says that it thinks, it does.
        ("openai/nobody-knows-this", {"reasoning_effort": "low"}, 4_096),
        ("openai/nobody-knows-this", {"extra": {"reasoning_effort": "xhigh"}}, 16_384),
        ("openai/nobody-knows-this", {"extra": {"thinking": {"budget_tokens": 9_000}}}, 16_384),
        # Less effort, less room; a budget has room in any case.
        ("gpt-6-luna", {}, 16_384),
        ("gpt-6-luna", {"reasoning_effort": "high"}, 16_384),
        ("gpt-6-luna", {"reasoning_effort": "medium"}, 8_192),
        ("gpt-6-luna", {"reasoning_effort": "low"}, 4_096),
        ("claude-sonnet-4-5", {"extra": {"thinking": {"budget_tokens": 30_000}}}, 30_000),
        # A flag of the same model elsewhere is a flag of the model; its smallest limit elsewhere holds.
        ("openrouter/qwen/qwen3.7-max", {}, 16_384),
        ("openrouter/anthropic/claude-haiku-5.5", {}, 16_000 - 2_048),
        # Never more than the provider lets it write, and never less than nothing.
        ("gemini/gemini-3.8-flash", {"max_tokens": 60_000}, 5_536),
        ("gemini/gemini-3.8-flash", {"max_tokens": 90_000}, 0),
        # Groq and Cerebras set the limit against what may be used in a minute.
        ("groq/openai/gpt-oss-120b", {}, 2_048),
        ("groq/openai/gpt-oss-120b", {"reasoning_effort": "low"}, 2_048),
        ("groq/openai/gpt-oss-120b", {"reasoning_effort": "high"}, 16_384),
        # An effort that does not reach the model, or as no more than a switch, leaves it all the room.
        # litellm knows none for Together's Qwen, and DeepSeek and GLM are told to think or not.
        ("together_ai/Qwen/Qwen3.7-Max", {"reasoning_effort": "low"}, 16_384),
        ("together_ai/deepseek-ai/DeepSeek-V4-Pro-0813", {"reasoning_effort": "low"}, 16_384),
        ("deepseek/deepseek-reasoner", {"reasoning_effort": "low"}, 16_384),
        ("zai/glm-4.6", {"reasoning_effort": "none"}, 16_384),
        ("ollama_chat/deepseek-r1", {"extra": {"num_ctx": 32_768}, "reasoning_effort": "low"}, 6_144),
        # Some think by their names, of which the map says nothing.
        ("fireworks_ai/accounts/fireworks/models/qwen3-30b-a3b-thinking-2507", {}, 16_384),
        ("cohere_chat/command-a-reasoning-08-2025", {}, 16_384),
        ("xai/grok-4", {"reasoning_effort": "low"}, 6_144),
        ("deepinfra/deepseek-ai/DeepSeek-R1-0528-Turbo", {}, 14_336),
        ("xai/grok-4-fast-non-reasoning", {}, 0),
        ("qwen/qwen3-4b-no-thinking", {}, 0),
        ("ollama_chat/qwen3:14b", {"extra": {"num_ctx": 16_384}}, 6_144),
        ("ollama_chat/hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M", {"extra": {"num_ctx": 16_384}}, 6_144),
        ("ollama_chat/qwen3:4b-instruct-2507", {"extra": {"num_ctx": 16_384}}, 0),
        # A server of one's own has a context of unknown size, unless it is stated.
        ("lab/qwen3-8b", {}, 0),
        ("lab/qwen3-8b", {"reasoning_effort": "high"}, 0),
        ("ollama_chat/deepseek-r1", {}, 0),
        ("ollama_chat/deepseek-r1", {"extra": {"num_ctx": 4_096}}, 0),
        ("ollama_chat/deepseek-r1", {"extra": {"num_ctx": 8_192}}, 2_048),
        ("ollama_chat/llama3.1", {"extra": {"num_ctx": 32_768}}, 0),
        ("openai/nobody-knows-this", {"api_base": "http://127.0.0.1:1/v1", "reasoning_effort": "high"}, 0),
        # A known model behind another address is the same model.
        ("gpt-6-luna", {"api_base": "https://proxy.example/v1"}, 16_384),
        ("demo/terse", {"reasoning_effort": "high"}, 0),
    ],
)
def test_room_for_thinking(model: str, settings: dict[str, Any], room: int, gateway: Gateway) -> None:
    assert gateway.facts(agent(model, **settings)).thinking_tokens == room


def test_a_model_of_which_its_server_says_that_it_thinks_has_room() -> None:
    gateway = Gateway({}, {})
    tags = {"models": [{"name": "new:12b", "capabilities": ["completion", "thinking"]}, {"name": "plain:8b"}]}
    server = LocalServer("ollama", "http://127.0.0.1:11434", "ollama", ollama_models(tags, None))
    gateway.learn([server])
    agents = [local_agent(server, model) for model in server.models]
    rooms = [gateway.facts(each.model_copy(update={"max_tokens": 2_048})).thinking_tokens for each in agents]
    assert rooms == [6_144, 0]


def test_an_address_of_the_environment_is_a_server_of_ones_own() -> None:
    moved = Gateway({}, {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1"})
    asked = agent("openai/nobody-knows-this", reasoning_effort="high")
    assert moved.facts(asked).thinking_tokens == 0


def test_without_a_limit_of_the_agents_own_none_is_sent(gateway: Gateway) -> None:
    asked = Agent(model="gpt-6-luna")
    assert gateway.facts(asked).thinking_tokens == 16_384, "counted in the plan"
    assert sent(gateway, asked).max_tokens is None


# Efforts


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        ("gpt-6-luna", ["none", "low", "low", "medium", "high"]),
        ("gpt-6.1-sol", ["low", "low", "low", "medium", "high"]),
        ("gpt-5-mini", ["minimal", "minimal", "low", "medium", "high"]),
        ("o3-mini", ["low", "low", "low", "medium", "high"]),
        ("openrouter/openai/o4-mini", ["low", "low", "low", "medium", "high"]),
        ("claude-haiku-5-5", ["none", "minimal", "low", "medium", "high"]),
        ("claude-opus-5-5", ["minimal", "minimal", "low", "medium", "high"]),
        ("gemini/gemini-2.5-pro", ["minimal", "minimal", "low", "medium", "high"]),
        ("gemini/gemini-2.5-flash", ["none", "minimal", "low", "medium", "high"]),
        ("together_ai/moonshotai/Kimi-K3", ["none", "low", "low", "high", "high"]),
        ("groq/openai/gpt-oss-120b", ["low", "low", "low", "medium", "high"]),
        ("ollama_chat/gpt-oss:20b", ["low", "low", "low", "medium", "high"]),
        ("lab/gpt-oss-20b", ["low", "low", "low", "medium", "high"]),
        ("openai/nobody-knows-this", list(EFFORTS)),
    ],
)
def test_an_effort_becomes_the_nearest_that_the_model_takes(
    model: str, taken: list[str], gateway: Gateway
) -> None:
    asked = [sent(gateway, agent(model, reasoning_effort=effort)) for effort in EFFORTS]
    assert [each.reasoning_effort for each in asked] == taken


def test_groqs_other_models_think_or_do_not(gateway: Gateway) -> None:
    off, low = (
        sent(gateway, agent("groq/qwen/qwen3.8-27b", reasoning_effort=effort)) for effort in ("none", "low")
    )
    assert (off.reasoning_effort, off.extra) == ("none", {})
    assert (low.reasoning_effort, low.extra) == (None, {"reasoning_effort": "default"})


# On the wire, through the real litellm

WIRE_CASES = [
    # Wire, model, settings, and what the request has of it.
    (
        "openai",
        "gpt-6-luna",
        {"reasoning_effort": "low"},
        {"reasoning_effort": "low", "max_completion_tokens": 6_144},
    ),
    (
        "openai",
        "gpt-6-luna",
        {"reasoning_effort": "minimal"},
        {"reasoning_effort": "low", "max_completion_tokens": 6_144},
    ),
    ("openai", "gpt-6-luna", {}, {"reasoning_effort": None, "max_completion_tokens": 18_432}),
    ("openai", "gpt-4o", {"reasoning_effort": "high"}, {"reasoning_effort": None, "max_tokens": 2_048}),
    (
        "anthropic",
        "claude-sonnet-4-5",
        {"reasoning_effort": "high", "temperature": 0.7, "max_tokens": 100},
        {"thinking.budget_tokens": 4_096, "max_tokens": 16_484, "temperature": None},
    ),
    (
        "anthropic",
        "claude-opus-5-5",
        {"reasoning_effort": "none"},
        {"thinking.type": "adaptive", "output_config.effort": "low", "max_tokens": 6_144},
    ),
    (
        "anthropic",
        "claude-sonnet-4-5",
        {"reasoning_effort": "none", "temperature": 0.7},
        {"thinking": None, "temperature": 0.7},
    ),
    (
        "gemini",
        "gemini-2.5-flash",
        {"reasoning_effort": "high"},
        {
            "generationConfig.thinkingConfig.thinkingBudget": 4_096,
            "generationConfig.max_output_tokens": 18_432,
        },
    ),
    (
        "gemini",
        "gemini-3.8-flash",
        {"reasoning_effort": "low"},
        {"generationConfig.thinkingConfig.thinkingLevel": "low", "generationConfig.max_output_tokens": 6_144},
    ),
    ("ollama", "qwen3", {"reasoning_effort": "none"}, {"think": False, "options.num_predict": 2_048}),
    ("ollama", "qwen3", {"reasoning_effort": "high"}, {"think": True, "options.num_predict": 2_048}),
    ("ollama", "gpt-oss:20b", {"reasoning_effort": "minimal"}, {"think": "low"}),
    ("ollama", "qwen3", {}, {"think": None}),
]


@pytest.mark.parametrize(
    ("wire", "model", "settings", "expected"), WIRE_CASES, ids=[f"{w}-{m}-{s}" for w, m, s, _ in WIRE_CASES]
)
def test_effort_and_room_reach_the_provider_in_its_own_words(
    wire: str, model: str, settings: dict[str, Any], expected: dict[str, Any], bench: Bench
) -> None:
    bench.environ["WIRE_KEY"] = KEY
    spoken = WIRES[wire]
    asking = {
        "model": spoken.model(model),
        "max_tokens": 2_048,
        "api_base": spoken.base_url(bench.server),
        "api_key_env": "WIRE_KEY",
        **settings,
    }
    asked = recipe([asking], retries=0)
    bench.gateway.allow_once(asked)
    bench.run(asked)
    body = bench.server.requests[0].body
    assert {path: found(body, path) for path in expected} == expected


@pytest.mark.parametrize(
    ("wire", "model", "effort", "is_told"),
    [
        ("openai", "gpt-4o", "low", True),
        ("openai", "gpt-4o", "none", False),
        ("openai", "gpt-6-luna", "low", False),
        ("mistral", "mistral-large-latest", "high", True),
        ("ollama", "qwen3", "low", False),
    ],
)
def test_an_effort_that_litellm_leaves_out_is_told_once(
    wire: str, model: str, effort: str, is_told: bool, bench: Bench
) -> None:
    bench.environ["WIRE_KEY"] = KEY
    spoken = WIRES[wire]
    base = spoken.base_url(bench.server)
    # The server is told by the name what to do; what litellm knows of the model is asked with its own.
    told = []
    adapter = load_litellm_stream()
    for _ in range(2):
        asking = agent(spoken.model("ok"), api_base=base, api_key_env="WIRE_KEY", reasoning_effort=effort)
        with pytest.MonkeyPatch.context() as patch:
            takes_effort = adapter.takes_effort(spoken.model(model), base)
            patch.setattr(adapter, "takes_effort", lambda *_, answer=takes_effort: answer)
            asked = recipe([asking.model_dump(exclude_unset=True)])
            bench.gateway.allow_once(asked)
            told.append([note for note in bench.run(asked).notes if "reasoning_effort" in note])
    assert [len(notes) for notes in told] == [int(is_told), 0]


def found(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body
