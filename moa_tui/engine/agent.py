"""An agent: a model with its sampling settings, and what a recipe's file may hold of it. Values only."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

# A recipe is a file people share. A key in it would travel along, so a key has no place in one.
_SECRET_WORDS = {
    *("apikey", "auth", "authorization", "bearer", "credential", "credentials", "key", "password", "secret"),
    *("token",),
}
_NOT_SECRET = {"prompt_cache_key", "stop_token_ids", "logprob_token_ids"}
# What the gateway itself decides for every call, and what would send it, with its key, somewhere else.
_RESERVED_KEYS = {
    *("api_base", "base_url", "callbacks", "client", "custom_llm_provider", "drop_params", "fallbacks"),
    *("context_window_fallback_dict", "headers", "logger_fn", "max_retries", "messages", "mock_response"),
    *("model", "model_list", "num_retries", "shared_session", "stream", "stream_options", "timeout"),
}


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(Table):
    """Settings an agent may have and `[defaults]` may give to all of them."""

    system: str | None = None
    """A system prompt put before everything else this agent is sent."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The longest answer, in tokens."""
    api_base: str | None = None
    """Base URL of the server, where it is not the provider's own."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; never the key."""
    extra: dict[str, Any] = {}
    """Passed to the provider as it is; no keys, and nothing that moa-tui sets itself."""

    @field_validator("api_base")
    @classmethod
    def _base_without_password(cls, value: str | None) -> str | None:
        return value if value is None else checked_base_url(value)

    @field_validator("api_key_env")
    @classmethod
    def _a_name_and_no_key(cls, value: str | None) -> str | None:
        return value if value is None else checked_variable_name(value)

    @field_validator("extra")
    @classmethod
    def _no_keys_in_extra(cls, value: dict[str, Any]) -> dict[str, Any]:
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
    """litellm's name for it (`provider/model`), or `NAME/model` for an endpoint of the config."""
    name: str = ""
    """What panes and messages call it; the last part of the model's name where not given."""
    count: Annotated[int, Field(ge=1, le=64)] = 1
    """How many times the agent is asked in its layer (Self-MoA: one model, n samples)."""
    fallback: tuple[str, ...] = ()
    """Names of agents asked in turn when this one fails without any text and its layer has no other agent."""

    @field_validator("model", "name")
    @classmethod
    def _can_be_shown(cls, value: str) -> str:
        return checked_label(value)

    def given_defaults(self, defaults: Sampling) -> Agent:
        """This agent with every setting that it leaves open taken from `defaults`."""
        filled = {
            key: value
            for key, value in defaults
            if key != "extra" and value is not None and getattr(self, key) is None
        }
        return self.model_copy(update={**filled, "extra": {**defaults.extra, **self.extra}})


def checked_label(value: str) -> str:
    """`value` if a terminal can be given it as it is; raises ValueError."""
    if any(not character.isprintable() and character not in "\n\t" for character in value):
        raise ValueError("holds a control or invisible character")
    return value


def checked_base_url(value: str) -> str:
    """`value` if it is an http(s) URL that can hold no secret; raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http:// or https:// address")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "takes only scheme, host and path; put a password or key in an environment variable and name that"
        )
    return checked_label(value)


def checked_variable_name(value: str) -> str:
    """`value` if it can be an environment variable's name; raises ValueError without repeating it."""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", value):
        # The text may be a key pasted in the wrong place, so it is not repeated.
        raise ValueError(
            "takes the NAME of an environment variable (capital letters, digits, _), not the key itself"
        )
    return value


def _all_keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return [str(key) for key in value] + [key for item in value.values() for key in _all_keys(item)]
    if isinstance(value, list):
        return [key for item in value for key in _all_keys(item)]
    return []
