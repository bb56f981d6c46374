"""What model servers say of their models, read from their JSON. Pure; a reply may hold anything.

The forms are those of Ollama's /api/tags, /api/ps and /api/show, of the list /v1/models as llama.cpp, vLLM,
SGLang and others extend it, of llama.cpp's /props, and of LM Studio's /api/v1/models and /api/v0/models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moa_tui.gateway.sanitize import sanitize
from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

_LONGEST_NAME = 500  # characters
_MOST_TOKENS = 1 << 30
_MOST_BYTES = 1 << 50
_MOST_SLOTS = 1024

# Models that make vectors, ranks, verdicts, sound, pictures or transcripts, by the words in their names.
# These expressions are compiled when the first reply is read, since the program starts without them.
_NOT_CHAT = (
    r"embed|rerank|whisper|minilm|colbert|mmproj|moondream|docling|stable-?diffusion|parakeet|kokoro"
    r"|(?<![a-z])(?:tts|clip|siglip|bge|gte|e5|ocr|asr|vad|guard|guardian|shieldgemma|reward|sdxl|flux)(?![a-z])"
    r"|paraphrase-multilingual"
)
_BATCHING = frozenset(("vllm", "sglang", "lmdeploy"))
"""What `owned_by` says at servers that answer many requests together in the time of one."""
_ENGINES = _BATCHING | {"llamacpp", "organization_owner", "organization-owner"}
"""What `owned_by` says at servers that run their models themselves; the last two are LM Studio's."""
_BILLIONS = r"(?<![\d.])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)\s{0,3}([bm])(?![a-z0-9])"
_QUANTIZATION = (
    r"(?<![a-z0-9])(?:i?q\d(?:_[a-z0-9]{1,4}){0,3}|mxfp4|nvfp4|(?:bf|fp?)16|fp?32|fp8|int[48]|[2-8]-?bit|awq|gptq)"
    r"(?![a-z0-9])"
)
_FULL_PRECISION = frozenset(("f16", "fp16", "bf16", "f32", "fp32"))
# What text-generation-webui and KoboldCpp list where no model is loaded.
_NO_MODEL = frozenset(("None", "koboldcpp/inactive"))


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that a local server lists. What the server does not say is 0, None, "" or False.

    `billions` is the number of its parameters, `context_tokens` the longest context that the server grants,
    and `loaded_tokens` the context that a loaded model of Ollama's has now. `size_bytes` is its size on the
    disk or in the memory. One that `thinks` does so unless it is told not to.
    """

    name: str
    billions: float = 0.0
    context_tokens: int | None = None
    size_bytes: int | None = None
    quantization: str = ""
    is_loaded: bool = False
    loaded_tokens: int | None = None
    thinks: bool = False

    @property
    def is_quantized(self) -> bool:
        """True where its weights are known to be stored in fewer bits than they were trained in."""
        return bool(self.quantization) and self.quantization.lower() not in _FULL_PRECISION


def ollama_models(tags: object, running: object) -> tuple[LocalModel, ...]:
    """The chat models of Ollama's /api/tags, and of /api/ps what is loaded.

    Models in Ollama's cloud are left out: they are not on this machine, and a prompt to one leaves it.
    """
    loaded = {
        _name(entry): _count(entry.get("context_length"), _MOST_TOKENS)
        for entry in _entries(running, "models")
    }
    models = []
    for entry in _entries(tags, "models"):
        if entry.get("remote_host") or entry.get("remote_model") or not _can_chat(entry):
            continue
        details = _table(entry, "details")
        name = _name(entry)
        models.append(
            LocalModel(
                name,
                _billions(details.get("parameter_size")) or _billions(name),
                _count(details.get("context_length"), _MOST_TOKENS),
                _count(entry.get("size"), _MOST_BYTES),
                _quantization(details.get("quantization_level")) or _quantization(name),
                name in loaded,
                loaded.get(name),
                _is_thinking(entry),
            )
        )
    return tuple(models)


def with_shown(model: LocalModel, shown: object) -> LocalModel | None:
    """The model with the context that Ollama's /api/show states; None where it says that it cannot chat."""
    if not isinstance(shown, dict):
        return model
    if not _can_chat({**shown, "name": model.name}):
        return None
    facts = _table(shown, "model_info")
    key = f"{facts.get('general.architecture')}.context_length"
    context_tokens = _count(facts.get(key), _MOST_TOKENS) or model.context_tokens
    return replace(model, context_tokens=context_tokens, thinks=model.thinks or _is_thinking(shown))


def listed_models(listing: object) -> tuple[LocalModel, ...]:
    """The chat models of a list as /v1/models gives it, without those that llama.cpp's router cannot load."""
    models = []
    for entry in _without_aliases(_entries(listing, "data")):
        if not _can_chat(entry) or _table(entry, "status").get("failed") is True:
            continue
        name, meta, status = _name(entry), _table(entry, "meta"), entry.get("status")
        contexts = (meta.get("n_ctx"), *map(entry.get, ("max_model_len", "context_length", "context_window")))
        contexts += (_table(entry, "parameters").get("max_seq_len"),)  # TabbyAPI's
        state = status.get("value") if isinstance(status, dict) else status
        is_only_one = state is None and entry.get("owned_by") in (*_BATCHING, "llamacpp")
        models.append(
            LocalModel(
                name,
                (_count(meta.get("n_params"), _MOST_BYTES) or 0) / 1e9 or _billions(name),
                next((tokens for each in contexts if (tokens := _count(each, _MOST_TOKENS))), None),
                _count(meta.get("size"), _MOST_BYTES),
                _quantization(meta.get("ftype")) or _quantization(name),
                is_only_one or state == "loaded",
            )
        )
    return tuple(models)


def _without_aliases(entries: Sequence[Json]) -> list[Json]:
    """The entries with one for each model: vLLM lists a model once for every name that it serves it by."""
    firsts: list[Json] = []
    roots: set[str] = set()
    for entry in entries:
        # An adapter has a parent, and is a model of its own.
        is_base = entry.get("owned_by") in tuple(_BATCHING) and not entry.get("parent")
        root = entry.get("root") if is_base else None
        if not isinstance(root, str):
            firsts.append(entry)
        elif root not in roots:
            firsts.append(entry)
            roots.add(root)
    return firsts


def owner(listing: object) -> str:
    """What the first entry of /v1/models names as owner: llamacpp, vllm, organization_owner or another."""
    return next((str(entry.get("owned_by"))[:40] for entry in _entries(listing, "data")), "")


def runs_models(listing: object) -> bool:
    """True where the server that gives this list runs its models itself, so that they cost nothing.

    What else answers on this machine may hand requests on to a provider that charges for them.
    """
    return owner(listing) in _ENGINES


def batches(listing: object) -> bool:
    """True where the server that gives this list answers many requests together: one at a time wastes it."""
    return owner(listing) in _BATCHING


def llama_cpp_slots(props: object) -> int:
    """The number of requests that llama.cpp works on at once, as /props states it; 1 where it does not."""
    return (_count(props.get("total_slots"), _MOST_SLOTS) if isinstance(props, dict) else None) or 1


def llama_cpp_context(props: object) -> int | None:
    """The context of one slot of llama.cpp, as /props states it."""
    settings = _table(props, "default_generation_settings") if isinstance(props, dict) else {}
    return _count(settings.get("n_ctx"), _MOST_TOKENS)


def is_list(reply: object, key: str) -> bool:
    """True for the reply of a model server that lists its models under `key`, be there none."""
    return isinstance(reply, dict) and isinstance(reply.get(key), list)


def is_loading(reply: object) -> bool:
    """True for what llama.cpp answers, with status 503, while it loads its model."""
    message = _table(reply, "error").get("message") if isinstance(reply, dict) else None
    return isinstance(message, str) and "loading model" in message.lower()


def lm_studio_facts(models: Sequence[LocalModel], reply: object) -> tuple[tuple[LocalModel, ...], int]:
    """The models of LM Studio's /v1/models with what its own list says of them, and its calls at once.

    The list is that of /api/v1/models, or of /api/v0/models, which older versions have. Calls at once are 1
    where no model is loaded, or the list does not say.
    """
    facts: dict[str, LocalModel | None] = {}
    calls_at_once = 0
    for entry in (*_entries(reply, "models"), *_entries(reply, "data")):
        instances = _entries(entry, "loaded_instances")
        configs = [_table(instance, "config") for instance in instances]
        is_loaded = bool(instances) or entry.get("state") == "loaded"
        for config in configs:
            parallel = _count(config.get("parallel"), _MOST_SLOTS) or 1
            calls_at_once = min(calls_at_once or parallel, parallel)
        loaded = (entry.get("loaded_context_length"), *(config.get("context_length") for config in configs))
        contexts = (*(loaded if is_loaded else ()), entry.get("max_context_length"))
        quantization = entry.get("quantization")
        names = [_name(entry), *(_name(instance) for instance in instances)]
        model = LocalModel(
            names[0],
            _billions(entry.get("params_string")) or _billions(names[0]),
            next((tokens for each in contexts if (tokens := _count(each, _MOST_TOKENS))), None),
            _count(entry.get("size_bytes"), _MOST_BYTES),
            _quantization(quantization.get("name") if isinstance(quantization, dict) else quantization),
            is_loaded,
        )
        facts |= dict.fromkeys(filter(None, names), model if _can_chat(entry) else None)
    known = [(model, facts.get(model.name, model)) for model in models]
    return tuple(
        replace(fact, name=model.name) for model, fact in known if fact is not None
    ), calls_at_once or 1


def _can_chat(entry: Json) -> bool:
    """False for an entry that has no name, or whose name or own words say that it answers no chat."""
    name = _name(entry)
    if not name or name in _NO_MODEL or re.search(_NOT_CHAT, name, re.IGNORECASE):
        return False
    capabilities = entry.get("capabilities")
    if isinstance(capabilities, list) and capabilities and not {"completion", "chat"} & _words(capabilities):
        return False
    if entry.get("type") in ("embedding", "embeddings", "rerank", "reranker"):
        return False
    architecture, details = _table(entry, "architecture"), _table(entry, "details")
    for key in ("input_modalities", "output_modalities"):
        modalities = architecture.get(key)
        if isinstance(modalities, list) and modalities and "text" not in _words(modalities):
            return False
    families = details.get("families")
    listed = _words(families) if isinstance(families, list) else set()
    family = details.get("family")
    return not any("bert" in each for each in (listed | {family} if isinstance(family, str) else listed))


def _is_thinking(entry: Json) -> bool:
    """True where Ollama says of a model that it thinks."""
    capabilities = entry.get("capabilities")
    return isinstance(capabilities, list) and "thinking" in _words(capabilities)


def _entries(reply: object, key: str) -> list[Json]:
    """The objects in the list that `reply` has under `key`."""
    values = reply.get(key) if isinstance(reply, dict) else None
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _table(entry: object, key: str) -> Json:
    """The object that `entry` has under `key`; an empty one where it has none."""
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, dict) else {}


def _words(values: Sequence[object]) -> set[str]:
    """The texts among `values`."""
    return {value for value in values if isinstance(value, str)}


def _name(entry: Json) -> str:
    """The name by which a model is asked for; "" where the entry has none that any model would have."""
    values = map(entry.get, ("id", "key", "name", "model"))
    name = next((value for value in values if isinstance(value, str | int) and value), "")
    text = one_line(sanitize(str(name)))
    return text if len(text) <= _LONGEST_NAME else ""


def _count(value: object, most: int) -> int | None:
    """A number of tokens, bytes or the like from 1 to `most`; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= most:
        return None
    return int(value)


def _billions(text: object) -> float:
    """The billions of parameters that a text such as "8.0B", "135M" or "8x7b-instruct" states; 0 for none."""
    sizes = [
        int(experts or 1) * float(number) * (1 if unit in "bB" else 0.001)
        for experts, number, unit in re.findall(
            _BILLIONS, text[:_LONGEST_NAME] if isinstance(text, str) else "", re.IGNORECASE
        )
    ]
    return max(sizes, default=0.0)


def _quantization(text: object) -> str:
    """The quantization that a text such as "Q4_K_M" or "llama3.1:8b-instruct-fp16" names; "" for none."""
    match = re.search(_QUANTIZATION, text[:_LONGEST_NAME], re.IGNORECASE) if isinstance(text, str) else None
    return match[0] if match else ""
