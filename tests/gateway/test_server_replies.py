"""What is known of the models of local servers that answer as Ollama, llama.cpp, vLLM and LM Studio do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.gateway import discovery
from moa_tui.gateway.discovery import LocalModel, LocalServer, find_servers
from moa_tui.gateway.server_replies import (
    listed_models,
    llama_cpp_context,
    llama_cpp_slots,
    lm_studio_facts,
    ollama_models,
    with_shown,
)
from tests.local_servers import (
    LM_STUDIO_LIST,
    LM_STUDIO_V0,
    LM_STUDIO_V1,
    ListingServer,
    llama_cpp_replies,
    ollama_entry,
    vllm_replies,
)

if TYPE_CHECKING:
    from moa_tui.gateway.discovery import Protocol


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for the servers to answer, however busy the machine is."""
    monkeypatch.setattr(discovery, "PROBE_SECONDS", 10)


def found(server: ListingServer) -> LocalServer:
    (answer,) = find_servers([server.candidate])
    return answer


def test_llama_cpp_states_its_slots_and_the_context_of_each() -> None:
    replies = llama_cpp_replies("/models/SmolLM2-135M-Instruct.Q4_1.gguf", slots=4, slot_tokens=4096)
    with ListingServer("llama.cpp", "openai", replies) as server:
        answer = found(server)
    (model,) = answer.models
    assert (answer.calls_at_once, model.context_tokens, model.is_loaded) == (4, 4096, True)
    assert model.billions == pytest.approx(0.134515)
    assert (model.size_bytes, model.quantization, model.is_quantized) == (96_576_768, "Q4_1", True)


def test_llama_cpp_that_loads_its_model_is_there_without_one() -> None:
    loading = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    with ListingServer("llama.cpp", "openai", {"/v1/models": (503, loading)}) as server:
        answer = found(server)
    assert (answer.state, answer.models) == ("loading", ())
    with ListingServer("llama.cpp", "openai", {"/v1/models": (503, {"error": "overloaded"})}) as server:
        assert find_servers([server.candidate]) == ()


def test_llama_cpps_router_says_which_models_are_loaded() -> None:
    entries: list[dict[str, Any]] = [
        {"id": "Qwen3-8B-Q4_K_M", "owned_by": "llamacpp", "status": {"value": "unloaded"}},
        {"id": "gemma-3-4b-it-Q8_0", "owned_by": "llamacpp", "status": {"value": "loaded", "args": []}},
        {"id": "mmproj-F16", "owned_by": "llamacpp", "status": {"value": "unloaded"}},
    ]
    with ListingServer("llama.cpp", "openai", {"/v1/models": {"data": entries}}) as server:
        answer = found(server)
    assert [(model.name, model.is_loaded) for model in answer.models] == [
        ("Qwen3-8B-Q4_K_M", False),
        ("gemma-3-4b-it-Q8_0", True),
    ]
    assert answer.calls_at_once == 1


def test_vllm_batches_calls_and_states_its_context() -> None:
    with ListingServer("vllm", "openai", vllm_replies("Qwen/Qwen3-0.6B", "sql-lora")) as server:
        answer = found(server)
        assert server.asked == ["/v1/models"]
    assert answer.calls_at_once > 4
    assert [(model.name, model.context_tokens) for model in answer.models] == [
        ("Qwen/Qwen3-0.6B", 40_960),
        ("sql-lora", 40_960),
    ]


@pytest.mark.parametrize(
    ("path", "reply", "context", "at_once", "size"),
    [
        ("/api/v1/models", LM_STUDIO_V1, 4096, 4, 17_990_911_801),
        ("/api/v0/models", LM_STUDIO_V0, 8192, 1, None),
    ],
)
def test_lm_studio_says_what_is_loaded_and_what_makes_vectors(
    path: str, reply: object, context: int, at_once: int, size: int | None
) -> None:
    with ListingServer("lm-studio", "openai", {"/v1/models": LM_STUDIO_LIST, path: reply}) as server:
        answer = found(server)
    gemma, qwen = answer.models
    assert answer.calls_at_once == at_once
    assert (gemma.name, gemma.billions, gemma.is_loaded) == ("google/gemma-4-26b-a4b", 26.0, True)
    assert (gemma.context_tokens, gemma.size_bytes, gemma.quantization) == (context, size, "Q4_K_M")
    assert (qwen.name, qwen.context_tokens, qwen.is_loaded, qwen.is_quantized) == (
        "qwen2-vl-7b-instruct",
        32_768,
        False,
        True,
    )


def test_an_lm_studio_without_the_newer_list_answers_200_with_an_error() -> None:
    refusal = {"error": "Unexpected endpoint or method. (GET /api/v1/models)"}
    replies = {"/v1/models": LM_STUDIO_LIST, "/api/v1/models": refusal, "/api/v0/models": LM_STUDIO_V0}
    with ListingServer("lm-studio", "openai", replies) as server:
        answer = found(server)
    assert [model.context_tokens for model in answer.models] == [8192, 32_768]


@pytest.mark.parametrize(
    ("protocol", "replies", "state"),
    [
        ("ollama", {"/api/tags": {"models": []}}, "empty"),
        (
            "ollama",
            {"/api/tags": {"models": [ollama_entry("gpt-oss:120b-cloud", "117B", 0, remote_host="x")]}},
            "empty",
        ),
        ("openai", {"/v1/models": {"object": "list", "data": []}}, "empty"),
        ("openai", {"/v1/models": {"data": [{"id": "None", "owned_by": "user"}]}}, "empty"),
        ("openai", {"/v1/models": {"data": [{"id": "koboldcpp/inactive"}]}}, "empty"),
        ("openai", {"/v1/models": (401, {"error": "Unauthorized"})}, "locked"),
    ],
)
def test_a_server_without_models_says_why(protocol: Protocol, replies: dict[str, Any], state: str) -> None:
    with ListingServer("server", protocol, replies) as server:
        answer = found(server)
    assert (answer.models, answer.state) == ((), state)


def test_vllm_lists_a_model_once_for_each_of_its_names() -> None:
    def entry(name: str, root: str, parent: str | None = None) -> dict[str, Any]:
        return {"id": name, "object": "model", "owned_by": "vllm", "root": root, "parent": parent}

    base = "Qwen/Qwen3-8B"
    listing = {"data": [entry(base, base), entry("gpt-4", base), entry("sql", "/loras/sql", base)]}
    assert [model.name for model in listed_models(listing)] == [base, "sql"]


def test_a_model_that_llama_cpps_router_failed_to_load_is_not_taken() -> None:
    entries = [
        {"id": "a", "owned_by": "llamacpp", "status": {"value": "unloaded", "failed": True, "exit_code": 1}},
        {"id": "b", "owned_by": "llamacpp", "status": {"value": "unloaded"}},
    ]
    assert [model.name for model in listed_models({"data": entries})] == ["b"]


def test_tabby_states_its_context_among_its_parameters() -> None:
    entry = {"id": "m", "owned_by": "tabbyAPI", "parameters": {"max_seq_len": 16_384, "cache_size": 32_768}}
    assert [model.context_tokens for model in listed_models({"data": [entry]})] == [16_384]


def test_ollama_says_what_is_loaded_and_is_asked_for_contexts_it_did_not_list() -> None:
    small = ollama_entry("gemma3:4b", "4.3B", 3.3)
    large = ollama_entry("llama3.1:8b-instruct-fp16", "8.0B", 16, "F16")
    vectors = ollama_entry("paraphrase-multilingual:latest", "278M", 0.6, "F16")
    newer = ollama_entry("qwen3:14b", "14.8B", 9.3, capabilities=["completion", "tools"])
    newer["details"]["context_length"] = 40_960
    replies = {
        "/api/tags": {"models": [small, large, vectors, newer]},
        "/api/ps": {"models": [{**small, "size_vram": 4_000_000_000, "context_length": 32_768}]},
        "/api/show gemma3:4b": {
            "capabilities": ["completion", "vision"],
            "model_info": {"general.architecture": "gemma3", "gemma3.context_length": 131_072},
        },
        "/api/show llama3.1:8b-instruct-fp16": {"capabilities": ["completion"], "model_info": {}},
    }
    with ListingServer("ollama", "ollama", replies) as server:
        answer = found(server)
        assert server.asked[:2] == ["/api/tags", "/api/ps"]
        assert len(server.asked) == 4
    by_name = {model.name: model for model in answer.models}
    assert list(by_name) == ["gemma3:4b", "llama3.1:8b-instruct-fp16", "qwen3:14b"]
    gemma = by_name["gemma3:4b"]
    assert (gemma.is_loaded, gemma.loaded_tokens, gemma.context_tokens) == (True, 32_768, 131_072)
    assert not by_name["llama3.1:8b-instruct-fp16"].is_quantized
    assert by_name["qwen3:14b"].context_tokens == 40_960
    assert answer.calls_at_once == 1, "one is loaded of three"


def test_models_of_ollama_that_are_loaded_together_are_asked_together() -> None:
    models = {"models": [ollama_entry("a:1b", "1B", 1), ollama_entry("b:2b", "2B", 2)]}
    with ListingServer("ollama", "ollama", {"/api/tags": models, "/api/ps": models}) as server:
        assert found(server).calls_at_once == 2


@pytest.mark.parametrize(
    "entry",
    [
        ollama_entry("nomic-embed-text:latest", "137M", 0.3),
        ollama_entry("granite-vectors:latest", "30M", 0.1, capabilities=["embedding"]),
        ollama_entry("looker:2b", "2B", 1, capabilities=["vision"]),
        ollama_entry("all-minilm:22m", "23M", 0.1),
        {**ollama_entry("own-name:latest", "109M", 0.2), "details": {"family": "nomic-bert"}},
        ollama_entry("dengcao/Qwen3-Reranker-8B:Q4_K_M", "8B", 5),
        ollama_entry("llama-guard3:8b", "8B", 5),
        ollama_entry("deepseek-ocr:3b", "3.3B", 6),
        ollama_entry("gpt-oss:120b-cloud", "120B", 0, remote_host="https://ollama.com:443"),
        {"size": 5},
        {"name": ""},
        {"name": "x" * 10_000},
    ],
    ids=lambda entry: str(entry.get("name"))[:30],
)
def test_what_cannot_chat_or_is_not_here_is_no_model(entry: dict[str, Any]) -> None:
    assert ollama_models({"models": [entry]}, None) == ()


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "BAAI/bge-m3"},
        {"id": "intfloat/e5-mistral-7b-instruct"},
        {"id": "jina-reranker-v2"},
        {"id": "pictures", "architecture": {"input_modalities": ["text"], "output_modalities": ["image"]}},
        {"id": "pages", "architecture": {"input_modalities": ["image"], "output_modalities": ["text"]}},
        {"id": "vectors", "type": "embeddings"},
        {"id": "whisper-large-v3"},
        {"id": {"a": 1}},
    ],
    ids=lambda entry: str(entry["id"]),
)
def test_what_cannot_chat_is_not_among_the_listed(entry: dict[str, Any]) -> None:
    assert listed_models({"data": [entry]}) == ()


@pytest.mark.parametrize(
    "name",
    ["eclipse-7b", "vanguard-8b", "gpt-oss-safeguard", "claude-cliplike", "qwen2.5-vl-7b", "influx-coder"],
)
def test_a_word_within_a_word_says_nothing(name: str) -> None:
    assert [model.name for model in listed_models({"data": [{"id": name}]})] == [name]


@pytest.mark.parametrize(
    ("name", "billions", "quantization"),
    [
        ("Mixtral-8x7B-Instruct-v0.1", 56, ""),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", 0.135, "Q4_1"),
        ("Qwen3-30B-A3B-Instruct-2507-IQ4_XS", 30, "IQ4_XS"),
        ("qwen2.5-7b-instruct-1m", 7, ""),
        ("Qwen2.5-7B-Instruct-AWQ", 7, "AWQ"),
        ("model-bf16", 0, "bf16"),
        ("llama3.1", 0, ""),
    ],
)
def test_size_and_quantisation_are_read_from_a_name(name: str, billions: float, quantization: str) -> None:
    (model,) = listed_models({"data": [{"id": name}]})
    assert (model.billions, model.quantization) == (pytest.approx(billions), quantization)


def test_the_id_is_what_is_asked_for_not_the_name_that_is_shown() -> None:
    (model,) = listed_models({"data": [{"id": "gemma3-vision", "name": "Gemma 3 Vision"}]})
    assert model.name == "gemma3-vision"


ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        10**400,
        float("nan"),
        float("inf"),
        "",
        "x" * 100_000,
        [],
        {},
        [[]],
        [{}],
        {"a": {}},
    ),
    *({"value": []}, ["completion", 7], {"name": []}, {"config": 5}, "\x1b[31m\u202e7b"),
]


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:12])
def test_a_reply_may_hold_anything(value: object) -> None:
    keys = (
        "name",
        "id",
        "size",
        "details",
        "meta",
        "capabilities",
        "type",
        "architecture",
        "status",
        "state",
    )
    keys += ("max_model_len", "quantization", "loaded_instances", "owned_by", "context_length", "families")
    for key in keys:
        entry = {"id": "fine", "name": "fine", key: value}
        nested = {**entry, "details": {key: value}, "meta": {key: value}, "architecture": {key: value}}
        for each in (entry, nested):
            listing = {"models": [each], "data": [each]}
            models = (*ollama_models(listing, listing), *listed_models(listing))
            models += lm_studio_facts(models, listing)[0]
            for model in models:
                check(model)
    shown = {"model_info": {"general.architecture": value, f"{value}.context_length": value}}
    for reply in (value, {"model_info": value, "capabilities": value}, shown):
        check(with_shown(LocalModel("fine"), reply) or LocalModel("fine"))
    for reply in (value, {"total_slots": value, "default_generation_settings": {"n_ctx": value}}):
        assert 1 <= llama_cpp_slots(reply) <= 1024
        assert llama_cpp_context(reply) is None


def check(model: LocalModel) -> None:
    """Nothing in a model is what no model has."""
    assert model.name.isprintable()
    assert "\u202e" not in model.name + model.quantization
    assert 0 <= model.billions < 1e7
    for number in (model.context_tokens, model.size_bytes, model.loaded_tokens):
        assert number is None or 1 <= number <= 1 << 50


def test_what_a_server_had_said_in_time_counts() -> None:
    replies = llama_cpp_replies("m", slots=4, slot_tokens=512)
    with ListingServer("llama.cpp", "openai", {**replies, "/props": b"{" * 100}) as server:
        answer = found(server)
    assert [model.name for model in answer.models] == ["m"]
    assert answer.calls_at_once == 1


def test_an_endpoint_of_the_config_is_asked_for_its_list_alone() -> None:
    replies = llama_cpp_replies("m", slots=4, slot_tokens=512)
    with ListingServer("lab", "openai", replies) as server:
        url = server.candidate.url
        (answer,) = find_servers([LocalServer("lab", url, "openai", is_endpoint=True)])
        assert server.asked == ["/v1/models"]
    assert answer == LocalServer("lab", url, "openai", answer.models)
