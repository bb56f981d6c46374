"""What a recipe may pass on, and what looks like a key. The attempts are in `tests/hostile`."""

from __future__ import annotations

import random
import string

import pytest

from moa_tui.engine.parameters import KNOWN_PARAMETERS, key_like, problem_of, texts_of
from moa_tui.gateway.catalog import Catalog

PREFIXES = ("hf", "fw", "sk", "pk", "rk", "csk", "gsk", "xai", "pplx")
ALNUM = string.ascii_letters + string.digits


@pytest.mark.parametrize("name", sorted(KNOWN_PARAMETERS))
def test_every_known_parameter_is_passed_on_at_any_depth(name: str) -> None:
    assert problem_of({name: {} if name == "extra_body" else 1}) is None
    assert problem_of({"extra_body": {name: 1}}) is None


def test_an_unknown_name_is_let_by_where_it_is_only_shown() -> None:
    assert problem_of({"quantum": 1}) is not None
    assert problem_of({"quantum": 1}, allow_unknown=True) is None
    assert problem_of({"quantum": {"api_base": 1}}, allow_unknown=True) is not None


def test_the_place_of_a_key_is_told_and_not_the_key() -> None:
    assert key_like({"agents": {"a": {"system": "sk-0123456789abcdefgh"}}}) == "agents.a.system"
    assert key_like([{"x": "sk-0123456789abcdefgh"}]) == "1.x"
    assert key_like({"sk-0123456789abcdefgh": {"x": 1}}) == "a name"
    assert key_like({"a": "ask-me-about-a-long-hyphenated-word-1"}) is None
    assert key_like({"a": "sk-learn-is-a-library-for-learning"}) is None


# What comes before a key, the letters of what follows, and how many there are.
_KEY_FORMATS = {
    "openai": ("sk-", ALNUM, 48), "openai project": ("sk-proj-", f"{ALNUM}-_", 156),
    "anthropic": ("sk-ant-api03-", f"{ALNUM}-_", 95), "openrouter": ("sk-or-v1-", string.hexdigits[:16], 64),
    "deepseek": ("sk-", string.hexdigits[:16], 32), "groq": ("gsk_", ALNUM, 52), "xai": ("xai-", ALNUM, 80),
    "huggingface": ("hf_", string.ascii_letters, 34), "perplexity": ("pplx-", ALNUM, 48),
    "fireworks": ("fw_", ALNUM, 24), "cerebras": ("csk-", string.ascii_lowercase + string.digits, 48),
    "nvidia": ("nvapi-", f"{ALNUM}-_", 64), "replicate": ("r8_", ALNUM, 37),
    "together": ("tgp_v1_", f"{ALNUM}-_", 43), "github": ("ghp_", ALNUM, 36), "gemini": ("AIza", ALNUM, 35),
    "stripe": ("sk_live_", ALNUM, 24), "aws": ("AKIA", string.ascii_uppercase + string.digits, 16),
}  # fmt: skip


@pytest.mark.parametrize("provider", _KEY_FORMATS)
def test_what_looks_like_a_providers_key_is_taken_for_one(provider: str) -> None:
    prefix, letters, length = _KEY_FORMATS[provider]
    draw = random.Random(provider)
    keys = [prefix + "".join(draw.choices(letters, k=length)) for _ in range(200)]
    seen = [key for key in keys if key_like([f"the key is {key}, keep it"]) is not None]
    # A few that are drawn have no digit, or hardly any change between small letters and capitals.
    assert len(seen) >= 196


def test_the_keys_of_langfuse_and_slack_are_taken_for_keys_too() -> None:
    assert key_like(["pk-lf-1f0c2a3b-90ab-4cde-8f01-23456789abcd"]) is not None
    assert key_like(["xoxb-123456789012-123456789012-aBcDeFgHiJkLmNoPqRsTuVwX"]) is not None


def _names_of_models() -> list[str]:
    names = list(Catalog().chat_models)
    return [*names, *{name.rsplit("/", 1)[-1] for name in names}]


@pytest.mark.parametrize("prefix", ["", *(f"{word}-" for word in PREFIXES), "hf_", "fw_"])
def test_no_name_of_a_model_is_taken_for_a_key(prefix: str) -> None:
    names = _names_of_models()
    assert len(names) > 500
    assert [name for name in names if key_like([f"{prefix}{name}"]) is not None] == []


@pytest.mark.parametrize(
    "name",
    [
        "hf-mistral-7b-instruct",
        "fw-llama-3-70b-instruct",
        "pk-llama-3-8b-finetuned",
        "xai-grok-1-base-model",
        "hf_mistral_7b_instruct_v0_3",
        "sk-proj-llama-3-8b-finetuned",
        "hf.co/bartowski/Qwen3-32B-GGUF:Q4_K_M",
        "sk-DeepSeek-R1-Distill-Qwen-32B-Q4_K_M-imatrix-2025-01-20",
        "pplx-70b-online-2024-02-01-preview",
        "rk-Meta-Llama-3-70B-Instruct-Turbo-128k-awq-int4",
        "fw-Nemotron-Lightning-3.5-30B-A3B",
    ],
)
def test_an_innocent_name_is_not_taken_for_a_key(name: str) -> None:
    assert key_like([name]) is None


def test_texts_at_any_depth_are_found() -> None:
    deep: object = "end"
    for _ in range(5_000):
        deep = [deep]
    assert list(texts_of({"a": ["b", {"c": 1}], "d": deep})) == ["a", "d", "end", "c", "b"]
