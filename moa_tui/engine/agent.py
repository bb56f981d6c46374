"""An agent: a model with its sampling settings, and the checks of what a recipe's file says of it."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

# Recipes are files that people share, and a key in one would be shared too. So no setting may hold a key.
_SECRET_WORDS = {
    *("apikey", "auth", "authorization", "bearer", "credential", "credentials", "key", "password", "secret"),
    *("token",),
}
_NOT_SECRET = {"prompt_cache_key", "stop_token_ids", "logprob_token_ids"}
# The arguments that the gateway sets for every call, and those that would send a call with its key elsewhere.
_RESERVED_KEYS = {
    *("api_base", "base_url", "callbacks", "client", "custom_llm_provider", "drop_params", "fallbacks"),
    *("context_window_fallback_dict", "headers", "logger_fn", "max_retries", "messages", "mock_response"),
    *("model", "model_list", "num_retries", "shared_session", "stream", "stream_options", "timeout"),
}


class RecipeTable(BaseModel):
    """The base of everything a recipe's file describes: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(RecipeTable):
    """The settings that an agent may have, and that `[defaults]` may give to all agents."""

    system: str | None = None
    """A system prompt that comes before everything else this agent is sent."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The longest answer, in tokens."""
    api_base: str | None = None
    """The base URL of the server where that is not the provider's own."""
    api_key_env: str | None = None
    """The name of the environment variable that holds the key; never the key itself."""
    extra: dict[str, Any] = {}
    """Arguments passed to the provider unchanged; no keys, and nothing that moa-tui sets itself."""

    @field_validator("api_base")
    @classmethod
    def _check_base_url(cls, value: str | None) -> str | None:
        return value if value is None else checked_base_url(value)

    @field_validator("api_key_env")
    @classmethod
    def _check_variable_name(cls, value: str | None) -> str | None:
        return value if value is None else checked_variable_name(value)

    @field_validator("extra")
    @classmethod
    def _refuse_keys_in_extra(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in _all_keys(value):
            if key not in _NOT_SECRET and _SECRET_WORDS & set(re.split(r"[^a-z]+", key.lower())):
                raise ValueError(
                    f'"{key}" looks like a key; put it in an environment variable, named in api_key_env'
                )
        if reserved := _RESERVED_KEYS & value.keys():
            raise ValueError(f'"{min(reserved)}" is set by moa-tui itself')
        return value


class Agent(Sampling):
    """One model with its sampling settings and optional system prompt."""

    model: Annotated[str, Field(min_length=1)]
    """The name by which litellm knows the model (`provider/model`), or `NAME/model` for an endpoint of the
    config."""
    name: str = ""
    """The name of the agent in panes and messages; the last part of the model's name where none is given."""
    count: Annotated[int, Field(ge=1, le=64)] = 1
    """The number of times that the agent is asked in its layer (Self-MoA: one model, n samples)."""
    fallback: tuple[str, ...] = ()
    """The names of agents to ask in turn where this one fails without any text and is alone in its layer."""

    @field_validator("model", "name")
    @classmethod
    def _check_label(cls, value: str) -> str:
        return checked_label(value)

    def with_defaults(self, defaults: Sampling) -> Agent:
        """The agent with every setting that it leaves open taken from `defaults`."""
        filled = {
            key: value
            for key, value in defaults
            if key != "extra" and value is not None and getattr(self, key) is None
        }
        return self.model_copy(update={**filled, "extra": {**defaults.extra, **self.extra}})


def checked_label(value: str) -> str:
    """`value` unchanged. Raises ValueError where it holds a control or invisible character."""
    if any(not character.isprintable() and character not in "\n\t" for character in value):
        raise ValueError("holds a control or invisible character")
    return value


def checked_base_url(value: str) -> str:
    """`value` unchanged. Raises ValueError unless it is an http(s) URL that can hold no secret."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http:// or https:// address")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "takes only scheme, host and path; put a password or key in an environment variable and name that"
        )
    return checked_label(value)


def checked_variable_name(value: str) -> str:
    """`value` unchanged. Raises ValueError unless it can be the name of an environment variable."""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", value):
        # The text may be a key pasted in the wrong place, so the message does not repeat it.
        raise ValueError(
            "takes the NAME of an environment variable (capital letters, digits, _), not the key itself"
        )
    return value


def _all_keys(value: object) -> list[str]:
    """The keys of all dicts in `value`, at any depth."""
    if isinstance(value, dict):
        return [str(key) for key in value] + [key for item in value.values() for key in _all_keys(item)]
    if isinstance(value, list):
        return [key for item in value for key in _all_keys(item)]
    return []
