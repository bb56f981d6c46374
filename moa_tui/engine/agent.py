"""An agent: a model with its sampling settings, and the checks of what a recipe's file says of it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from moa_tui.engine.parameters import problem_of

_NETLOC = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")

KEPT, SHOWN = "kept", "shown"
"""What a recipe is validated for, as the value of `purpose` in pydantic's context, where not to be run.

`KEPT`: the conversations of this program, which an earlier version may have written, stay readable.
`SHOWN`: a conversation of anybody's is read in, to be shown. Before a run the gateway checks both in full.
"""


Effort = Literal["none", "minimal", "low", "medium", "high"]
"""How much a model is asked to think before its answer."""
EFFORTS: tuple[Effort, ...] = get_args(Effort)
"""The efforts, from the least to the most."""


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
    """The longest answer, in tokens. A model that thinks is given room for that beside it."""
    max_cost: Annotated[float, Field(gt=0)] | None = None
    """The most that the agent may cost in a run, in US dollars, all its calls together. A call that would
    pass it is not made."""
    reasoning_effort: Effort | None = None
    """How much the model thinks before it answers; None leaves that to the model. One that takes no such
    word is asked without it."""
    api_base: str | None = None
    """The base URL of the server where that is not the provider's own."""
    api_key_env: str | None = None
    """The name of the environment variable that holds the key; never the key itself."""
    extra: dict[str, Any] = {}
    """Parameters passed to the provider unchanged: those of `parameters.KNOWN_PARAMETERS`."""

    @model_validator(mode="before")
    @classmethod
    def _take_effort_from_extra(cls, table: Any) -> Any:
        """Take an effort that stands in `extra`, as every effort did once, for the setting that it is now."""
        extra = table.get("extra") if isinstance(table, dict) else None
        if not isinstance(extra, dict) or extra.get("reasoning_effort") not in EFFORTS:
            return table
        effort = extra["reasoning_effort"]
        if table.get("reasoning_effort") not in (None, effort):
            raise ValueError("reasoning_effort stands here and in extra; keep one of the two")
        others = {key: value for key, value in extra.items() if key != "reasoning_effort"}
        return {**table, "reasoning_effort": effort, "extra": others}

    @field_validator("api_base")
    @classmethod
    def _check_base_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        return value if value is None or purpose_of(info) == KEPT else checked_base_url(value)

    @field_validator("api_key_env")
    @classmethod
    def _check_variable_name(cls, value: str | None) -> str | None:
        return value if value is None else checked_variable_name(value)

    @field_validator("extra")
    @classmethod
    def _check_extra(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        purpose = purpose_of(info)
        if purpose != KEPT and (problem := problem_of(value, allow_unknown=purpose == SHOWN)) is not None:
            raise ValueError(problem)
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
        if "reasoning_effort" in self.extra:  # a word of its server's own, which comes before any default
            filled.pop("reasoning_effort", None)
        return self.model_copy(update={**filled, "extra": {**defaults.extra, **self.extra}})


def checked_label(value: str) -> str:
    """`value` unchanged. Raises ValueError where it holds a control or invisible character."""
    if any(not character.isprintable() and character not in "\n\t" for character in value):
        raise ValueError("holds a control or invisible character")
    return value


def purpose_of(info: ValidationInfo) -> str | None:
    """What a recipe is validated for: `KEPT`, `SHOWN`, or None for one that may be run."""
    return info.context.get("purpose") if isinstance(info.context, dict) else None


def checked_base_url(value: str) -> str:
    """`value` unchanged. Raises ValueError unless it is an http(s) URL that can hold no secret.

    The host may be written in one way only, so that every library takes the same one out of it.
    """
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("not an http:// or https:// address")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "takes only scheme, host and path; put a password or key in an environment variable and name that"
        )
    if not _NETLOC.fullmatch(parts.netloc) or not re.fullmatch(r"[!-~]*", value) or "\\" in value:
        raise ValueError("takes a host of plain letters, digits, dots and hyphens; write others in punycode")
    return checked_label(value)


def checked_variable_name(value: str) -> str:
    """`value` unchanged. Raises ValueError unless it can be the name of an environment variable."""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", value):
        # The text may be a key pasted in the wrong place, so the message does not repeat it.
        raise ValueError(
            "takes the NAME of an environment variable (capital letters, digits, _), not the key itself"
        )
    return value
