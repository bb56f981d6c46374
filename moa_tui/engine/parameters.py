"""What a recipe may pass on to a server in `extra`, and what looks like a key in any of its texts.

A recipe is a file that people share. So its parameters are those of an allow-list, all about how a model
writes; whatever names a server, path, proxy, header, key or callback is refused by name, at every depth.
"""

from __future__ import annotations

import difflib
import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What the chat protocols of providers and local servers take, by what the parameters are about.
_SAMPLING = (
    *("seed", "stop", "stop_sequences", "presence_penalty", "frequency_penalty", "repetition_penalty"),
    *("repeat_penalty", "length_penalty", "top_k", "top_a", "min_p", "typical_p", "tfs_z", "logit_bias"),
    *("logprobs", "top_logprobs", "min_tokens", "max_completion_tokens", "ignore_eos", "stop_token_ids"),
    *("logprob_token_ids", "include_stop_str_in_output", "skip_special_tokens"),
    *("spaces_between_special_tokens", "mirostat", "mirostat_eta", "mirostat_tau", "dynatemp_range"),
    *("dynatemp_exponent", "dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n"),
    *("xtc_probability", "xtc_threshold", "samplers", "repeat_last_n", "penalize_newline", "priority"),
)
EFFORT_PARAMETERS = (
    *("reasoning", "reasoning_effort", "thinking", "think", "enable_thinking", "thinking_budget"),
)
"""The names by which servers are told how much a model thinks, apart from an agent's `reasoning_effort`."""
_REASONING = (
    *EFFORT_PARAMETERS,
    *("reasoning_format", "include_reasoning", "verbosity", "chat_template_kwargs"),
)
_FORM = (
    *("response_format", "format", "json_schema", "grammar", "guided_json", "guided_regex", "guided_choice"),
    *("guided_grammar", "structured_outputs", "modalities", "prediction"),
)
_SEARCH = (
    *("web_search_options", "search_parameters", "search_mode", "search_domain_filter"),
    *("search_recency_filter", "return_citations", "return_related_questions", "plugins"),
)
_SERVICE = (
    *("service_tier", "user", "safety_identifier", "safety_settings", "safe_prompt", "store", "provider"),
    *("transforms", "route", "prompt_cache_key", "prompt_cache_retention", "cache_prompt"),
)
_LOCAL_SERVERS = (
    *("num_ctx", "num_predict", "num_keep", "num_gpu", "num_thread", "num_batch", "main_gpu", "low_vram"),
    *("numa", "use_mmap", "use_mlock", "keep_alive", "n_keep", "n_predict", "n_probs", "id_slot"),
    *("truncate_prompt_tokens", "add_generation_prompt", "continue_final_message"),
)
KNOWN_PARAMETERS = frozenset(
    (*_SAMPLING, *_REASONING, *_FORM, *_SEARCH, *_SERVICE, *_LOCAL_SERVERS, "extra_body", "tokens_per_second")
)
"""The names that may stand in `extra`; `tokens_per_second` is the simulated models' own."""

OPTIONAL_FORMAT = "moa_tui_answer"
"""The name of the schema in a response format without which an agent still knows what is wanted."""

# The properties of a schema are the user's own and mean nothing to a server, whatever they are called.
_SCHEMAS = frozenset(("response_format", "format", "json_schema", "guided_json", "structured_outputs"))
_NAMES_IN_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions")
# These may hold any text, also one that looks like an address.
_FREE_TEXTS = _SCHEMAS | {"stop", "stop_sequences", "grammar", "guided_regex", "guided_choice", "prediction"}

# Some of their words would be refused.
_HARMLESS = KNOWN_PARAMETERS | {"user_location"}
_OWN = {
    *("model", "models", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens"),
    *("model_list", "drop_params", "max_retries", "num_retries", "timeout", "fallbacks", "n"),
    "context_window_fallback_dict",
}
_KEY_WORDS = {
    *("apikey", "auth", "authorization", "authentication", "bearer", "credential", "credentials", "key"),
    *("keys", "oauth", "password", "passwd", "passphrase", "secret", "secrets", "token", "jwt", "signature"),
}
_PLACE_WORDS = {
    *("host", "hosts", "hostname", "url", "urls", "uri", "href", "base", "endpoint", "endpoints", "server"),
    *("servers", "address", "port", "socket", "region", "location", "project", "tenant", "account"),
    *("organization", "organisation", "profile", "deployment", "resource", "bucket", "path", "paths"),
    *("file", "files", "filename", "dir", "directory", "folder", "proxy", "proxies", "header", "headers"),
    *("cookie", "cookies", "callback", "callbacks", "webhook", "hook", "hooks", "logger", "client"),
    *("session", "ssl", "tls", "cert", "certificate", "verify", "transport", "env", "environ", "api"),
    *("aws", "azure", "vertex", "sagemaker", "bedrock", "watsonx", "databricks", "gcs", "s3", "litellm"),
    *("langfuse", "mock", "router", "mcp", "llm"),
}
# In names without any mark between their words, such as `APIBASE`.
_KEY_PARTS = (
    "apikey",
    "accesstoken",
    "authtoken",
    "password",
    "secret",
    "credential",
    "authorization",
    "adtoken",
)
_PLACE_PARTS = (
    *("apibase", "baseurl", "baseuri", "endpoint", "hostname", "header", "proxy", "proxies", "callback"),
    *("webhook", "sslverify", "cookie", "serverurl", "awsregion", "litellm", "azure", "vertex", "bedrock"),
    *("sagemaker", "apitype", "apiversion", "organization"),
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAME = re.compile(r"[A-Za-z0-9_.$-]{1,80}")
_LONGEST_SHOWN = 60
_KNOWN_IN_WORDS = ", ".join(sorted(KNOWN_PARAMETERS))

# Keys as the providers write them. Each needs a digit, so that no word in a prompt is taken for one.
_DIGIT = r"(?=[\w.-]{0,200}?\d)"
_KEY = re.compile(
    rf"(?<![\w-])(?:"
    rf"(?:sk-ant-api\d\d-|sk-or-v1-|[prs]k_(?:live|test)_|nvapi-|gsk_|r8_|tgp_|glpat-|xox[abprs]-){_DIGIT}[\w-]{{16,200}}"
    rf"|gh[pousr]_{_DIGIT}\w{{20,200}}|github_pat_\w{{20,200}}|AIza{_DIGIT}[\w-]{{30,200}}"
    rf"|A[KS]IA[A-Z0-9]{{16}}|ya29\.[\w-]{{16,200}}"
    rf"|eyJ[\w-]{{8,2000}}\.eyJ[\w-]{{8,2000}}"
    rf"|[Bb]earer\s{{1,9}}{_DIGIT}[\w.~+/-]{{16,200}})"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY"
)
# Models are called so as well, as in hf-mistral-7b-instruct: what follows has to look drawn at random.
_KEY_OR_NAME = re.compile(r"(?<![\w-])(?:sk|pk|rk|csk|gsk|fw|hf|xai|pplx)[-_]([\w-]{16,200})")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# In characters. The words of a name are shorter than the parts of a key between its dashes, if it has any.
_SHORTEST_RANDOM, _LONGEST_WORD, _SHORTEST_WITH_DASHES, _USUAL_WORD = 16, 30, 40, 10


def is_optional_format(name: str, value: object) -> bool:
    """True for a parameter that only helps, since the agent is told the same in words."""
    schema = value.get("json_schema") if name == "response_format" and isinstance(value, dict) else None
    return isinstance(schema, dict) and schema.get("name") == OPTIONAL_FORMAT


def problem_of(extra: Mapping[str, object], *, allow_unknown: bool = False) -> str | None:
    """Why these parameters may not be passed on, in a sentence that names one; None where they may.

    `allow_unknown` lets names pass that are merely not in the list, and is for what is only shown.
    """
    for name, value in extra.items():
        if (problem := _problem_of_name(name)) is not None:
            return problem
        if name not in KNOWN_PARAMETERS and not allow_unknown:
            near = difflib.get_close_matches(name, KNOWN_PARAMETERS, n=1, cutoff=0.7)
            hint = f'did you mean "{near[0]}"?' if near else f"known are {_KNOWN_IN_WORDS}"
            return (
                f'"{name[:_LONGEST_SHOWN]}" is no parameter that moa-tui knows; {hint}. '
                "A parameter of your own server's goes into extra_body"
            )
        if (problem := _problem_within(name, value)) is not None:
            return problem
    return None


def _problem_within(name: str, value: object) -> str | None:
    """The same of the names and texts in one parameter's value, at any depth."""
    for place, inner in _entries(value):
        are_own_names = name in _SCHEMAS and bool(place) and place[-1] in _NAMES_IN_SCHEMAS
        if isinstance(inner, dict) and "user_location" not in place and not are_own_names:
            for key in inner:
                if (problem := _problem_of_name(str(key))) is not None:
                    return problem
        elif isinstance(inner, str) and name not in _FREE_TEXTS:
            if "://" in inner:
                return f'"{name[:_LONGEST_SHOWN]}" holds an address; a server is named in api_base alone'
            if "os.environ" in inner:  # litellm puts a variable's value in the place of some of these
                return f'"{name[:_LONGEST_SHOWN]}" reads the environment; only api_key_env names a variable'
    return None


def _problem_of_name(name: str) -> str | None:
    if name in _HARMLESS:
        return None
    if _holds_key(name):
        return "a name looks like a key; put it in an environment variable, named in api_key_env"
    shown = name[:_LONGEST_SHOWN]
    if not _NAME.fullmatch(name):
        return f"{shown!r} cannot be the name of a parameter"
    words = {word.lower() for word in _WORD.findall(name)}
    joined = re.sub(r"[^a-z0-9]", "", name.lower())
    if words & _KEY_WORDS or any(part in joined for part in _KEY_PARTS):
        return f'"{shown}" looks like a key; put it in an environment variable, named in api_key_env'
    if words & _PLACE_WORDS or any(part in joined for part in _PLACE_PARTS):
        return (
            f'"{shown}" would name a server, path, proxy, header or callback, which a recipe may not: '
            "an address goes into api_base, a key into an environment variable that api_key_env names"
        )
    if name.lower().replace("-", "_") in _OWN:
        return f'"{shown}" is set by moa-tui itself'
    return None


def key_like(value: object) -> str | None:
    """Where in plain values a text looks like an API key, as `agents.a.system`; None where none does.

    The names in tables are looked at as well. The text itself is never part of the result.
    """
    for place, inner in _entries(value):
        texts = [str(key) for key in inner] if isinstance(inner, dict) else [inner]
        if any(isinstance(text, str) and _holds_key(text) for text in texts):
            return ".".join("a name" if _holds_key(part) else part for part in place) or "a name"
    return None


def _holds_key(text: str) -> bool:
    return _KEY.search(text) is not None or any(_is_random(match[1]) for match in _KEY_OR_NAME.finditer(text))


def _is_random(text: str) -> bool:
    """True for the part of a key behind its prefix, False for words and numbers with dashes between them."""
    if _UUID.search(text):
        return True
    parts = re.split("[-_]", text)
    longest = max(parts, key=len)
    if len(longest) >= _LONGEST_WORD:
        return _changes(longest) > 1
    if len(longest) >= _SHORTEST_RANDOM:
        digits = sum(map(str.isdigit, longest))
        return digits >= len(longest) / 5 or _changes(longest) >= len(longest) * 0.33
    is_long = len(text) >= _SHORTEST_WITH_DASHES and len(text) >= _USUAL_WORD * len(parts)
    return is_long and any(map(str.isdigit, text)) and _changes(text) >= len(text) * 0.33


def _changes(text: str) -> int:
    """How often a small letter, a capital or a digit is followed by one of another kind."""
    kinds = [(character.isdigit(), character.isupper()) for character in text]
    return sum(one != other for one, other in itertools.pairwise(kinds))


def texts_of(value: object) -> Iterator[str]:
    """Every text in plain values, the names of tables among them."""
    for _, inner in _entries(value):
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, dict):
            yield from map(str, inner)


def _entries(value: object) -> Iterator[tuple[tuple[str, ...], object]]:
    """`value` and all that is in it, each with the names and numbers (from 1) that lead to it.

    Without recursion: what is read from a file may be nested to any depth.
    """
    waiting: list[tuple[tuple[str, ...], object]] = [((), value)]
    while waiting:
        place, current = waiting.pop()
        yield place, current
        if isinstance(current, dict):
            waiting += [((*place, str(key)), inner) for key, inner in current.items()]
        elif isinstance(current, list | tuple | set | frozenset):
            waiting += [((*place, str(number)), inner) for number, inner in enumerate(current, 1)]
