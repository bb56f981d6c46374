"""What is known of models, from the map that litellm bundles.

The map is read as a file, so that litellm need not be imported.
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moa_tui.engine.agent import EFFORTS

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAP_FILE = "model_prices_and_context_window_backup.json"

# The environment variables any one of which holds a provider's key.
KEY_VARIABLES: dict[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "cerebras": ("CEREBRAS_API_KEY",),
    "cohere": ("COHERE_API_KEY", "CO_API_KEY"),
    "cohere_chat": ("COHERE_API_KEY", "CO_API_KEY"),
    "deepinfra": ("DEEPINFRA_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks_ai": (
        "FIREWORKS_API_KEY",
        "FIREWORKS_AI_API_KEY",
        "FIREWORKSAI_API_KEY",
        "FIREWORKS_AI_TOKEN",
    ),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "moonshot": ("MOONSHOT_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
    "perplexity": ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
    "together_ai": ("TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_TOKEN"),
    "xai": ("XAI_API_KEY",),
}

# The variables that hold a key for the server of a local provider, where the environment names that server.
LOCAL_KEY_VARIABLES: dict[str, tuple[str, ...]] = {
    "llamafile": ("LLAMAFILE_API_KEY",),
    "lm_studio": ("LM_STUDIO_API_KEY",),
    "ollama": ("OLLAMA_API_KEY",),
    "ollama_chat": ("OLLAMA_API_KEY",),
}

# The environment variables that move a provider's address, in the order in which litellm looks at them.
ADDRESS_VARIABLES: dict[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
    "cerebras": ("CEREBRAS_API_BASE",),
    "cohere": ("COHERE_API_BASE",),
    "cohere_chat": ("COHERE_API_BASE",),
    "deepinfra": ("DEEPINFRA_API_BASE",),
    "deepseek": ("DEEPSEEK_API_BASE",),
    "fireworks_ai": ("FIREWORKS_API_BASE",),
    "gemini": ("GEMINI_API_BASE",),
    "groq": ("GROQ_API_BASE",),
    "llamafile": ("LLAMAFILE_API_BASE",),
    "lm_studio": ("LM_STUDIO_API_BASE",),
    "mistral": ("MISTRAL_AZURE_API_BASE", "MISTRAL_API_BASE"),
    "moonshot": ("MOONSHOT_API_BASE",),
    "ollama": ("OLLAMA_API_BASE",),
    "ollama_chat": ("OLLAMA_API_BASE",),
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "openrouter": ("OPENROUTER_API_BASE",),
    "perplexity": ("PERPLEXITY_API_BASE",),
    "together_ai": ("TOGETHER_AI_API_BASE",),
    "xai": ("XAI_API_BASE",),
}

# Where the models of these answer by default; litellm would send some of them to OpenAI without an address.
LOCAL_ADDRESSES = {
    "llamafile": "http://127.0.0.1:8080/v1",
    "lm_studio": "http://127.0.0.1:1234/v1",
    "ollama": "http://localhost:11434",
    "ollama_chat": "http://localhost:11434",
}

# Where the models of these answer by themselves: what litellm's own defaults for them are.
OWN_ADDRESSES: dict[str, tuple[str, ...]] = {
    "anthropic": ("https://api.anthropic.com",),
    "cerebras": ("https://api.cerebras.ai",),
    "cohere": ("https://api.cohere.com", "https://api.cohere.ai"),
    "cohere_chat": ("https://api.cohere.com", "https://api.cohere.ai"),
    "deepinfra": ("https://api.deepinfra.com",),
    "deepseek": ("https://api.deepseek.com",),
    "fireworks_ai": ("https://api.fireworks.ai",),
    "gemini": ("https://generativelanguage.googleapis.com",),
    "groq": ("https://api.groq.com",),
    "mistral": ("https://api.mistral.ai",),
    "moonshot": ("https://api.moonshot.ai",),
    "openai": ("https://api.openai.com",),
    "openrouter": ("https://openrouter.ai",),
    "perplexity": ("https://api.perplexity.ai",),
    "together_ai": ("https://api.together.ai", "https://api.together.xyz"),
    "xai": ("https://api.x.ai",),
}

# Where litellm signs in for a provider before it asks its models, at whatever address those are.
SIGN_IN_ADDRESSES = {
    "watsonx": ("https://iam.cloud.ibm.com",),
    "watsonx_text": ("https://iam.cloud.ibm.com",),
}

# Providers that run on the user's own machine, so that their calls cost nothing.
FREE_PROVIDERS = {"demo", "ollama", "ollama_chat", "lm_studio", "llamafile"}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of one chat model. Prices are in US dollars per token; None is unknown."""

    name: str
    provider: str
    context_tokens: int | None
    prompt_price: float | None
    completion_price: float | None
    thinks: bool | None = None
    """Whether the model thinks before it answers; None where nothing is known of it."""
    output_tokens: int | None = None
    """The most tokens that the provider lets the model write in one reply."""
    refused_efforts: frozenset[str] = frozenset()
    """The values of reasoning_effort, among those of the engine, that the model is known not to take."""
    least_cached_tokens: int | None = None
    """The shortest beginning of a prompt, in tokens, that the provider caches."""
    cached_price: float | None = None
    """The price of a token read from the provider's cache."""
    cache_write_price: float | None = None
    """The price of a token written to the provider's cache."""


class Catalog:
    """The chat models that litellm knows. The file is read on first use."""

    def __init__(self, path: Path | None = None) -> None:
        """Read the models from the map at `path`; without a path, from the map that litellm bundles."""
        self._path = path

    def provider(self, model: str) -> str | None:
        """The provider that a model's name belongs to; None where neither the map nor a prefix says."""
        if (info := self.chat_models.get(model)) is not None:
            return info.provider
        prefix, slash, _ = model.partition("/")
        return prefix if slash else None

    def find(self, model: str) -> ModelInfo | None:
        """The model of that name, with or without its provider's prefix; None for an unknown one."""
        if (info := self.chat_models.get(model)) is not None:
            return info
        prefix, _, rest = model.partition("/")
        info = self.chat_models.get(rest)
        return info if info is not None and info.provider == prefix else None

    def thinking(self, model: str) -> ModelInfo:
        """The model as far as its thinking goes, put together from its entry and those of its name elsewhere.

        Whether a model thinks is the model's own doing, while the map says it of some of its providers only.
        """
        own = self.find(model)
        others = self._by_bare_name.get(bare_name(model), ())
        known = [info.output_tokens for info in others if info.output_tokens is not None]
        return ModelInfo(
            name=model,
            provider=self.provider(model) or "",
            context_tokens=own.context_tokens if own else None,
            prompt_price=None,
            completion_price=None,
            thinks=any(info.thinks for info in others) if others else None,
            output_tokens=own.output_tokens if own and own.output_tokens else min(known, default=None),
            refused_efforts=(own and own.refused_efforts)
            or frozenset[str]().union(*(info.refused_efforts for info in others)),
        )

    def least_cached_tokens(self, model: str) -> int | None:
        """The shortest beginning of a prompt, in tokens, that the provider caches; None where unknown."""
        own = self.find(model)
        entries = [own] if own is not None else self._by_bare_name.get(bare_name(model), ())
        return max((info.least_cached_tokens or 0 for info in entries), default=0) or None

    @cached_property
    def _by_bare_name(self) -> dict[str, list[ModelInfo]]:
        """The entries of each model, by its name without provider and maker."""
        entries: dict[str, list[ModelInfo]] = {}
        for name, info in self.chat_models.items():
            entries.setdefault(bare_name(name), []).append(info)
        return entries

    @cached_property
    def chat_models(self) -> dict[str, ModelInfo]:
        """Every chat model by name; empty where there is no map.

        Raises OSError for a map that cannot be read and ValueError for one that is no JSON.
        """
        path = self._path or _bundled_map()
        if path is None or not path.is_file():
            return {}
        entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: ModelInfo(
                name=name,
                provider=str(entry.get("litellm_provider", "")),
                context_tokens=_whole_number(entry.get("max_input_tokens"))
                or _whole_number(entry.get("max_tokens")),
                prompt_price=entry.get("input_cost_per_token"),
                completion_price=entry.get("output_cost_per_token"),
                thinks=entry.get("supports_reasoning") is True,
                output_tokens=_whole_number(entry.get("max_output_tokens")),
                refused_efforts=_refused_efforts(entry),
                least_cached_tokens=_whole_number(entry.get("prompt_cache_min_tokens")),
                cached_price=entry.get("cache_read_input_token_cost"),
                cache_write_price=entry.get("cache_creation_input_token_cost"),
            )
            for name, entry in entries.items()
            if entry.get("mode") == "chat"
        }


def bare_name(model: str) -> str:
    """A model's name without provider and maker, in one spelling: some write 5-5, some 5.5 for the same."""
    return re.sub(r"[^a-z0-9]+", "-", model.rsplit("/", 1)[-1].lower())


def _refused_efforts(entry: Mapping[str, Any]) -> frozenset[str]:
    """The efforts that an entry of the map excludes: by a list of all that are taken, or each by a flag.

    No list says whether thinking can be switched off.
    """
    if entry.get("supports_reasoning") is not True:
        return frozenset()
    levels = entry.get("reasoning_effort_levels")
    if isinstance(levels, list):
        return frozenset(effort for effort in EFFORTS if effort != "none" and effort not in levels)
    refused = {effort for effort in EFFORTS if entry.get(f"supports_{effort}_reasoning_effort") is False}
    return frozenset(refused | {"none"}) if entry.get("thinking_always_on") is True else frozenset(refused)


def _bundled_map() -> Path | None:
    """Where the installed litellm has its map; None where litellm is not installed."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / _MAP_FILE


def _whole_number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
