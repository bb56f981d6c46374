"""The options of a layer and the limits of a run, as forms show them.

Types, allowed words and defaults are read from the pydantic models, so that form and model always agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from moa_tui.engine.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOTHING = "none"
"""How a form writes an empty list of layers."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a layer or limit of a run, with the words that forms need for it."""

    key: str
    """The option's key in the recipe file; `window.size` is the key `size` of the table `window`."""
    help: str
    """A line of help."""
    short: str = ""
    """Words for the layer's row when the option is set, with the value at `{}`; empty for no words."""
    empty: str = ""
    """What an empty field stands for, where the default's text would not say it."""
    beside: str = ""
    """The key of the option without which this one is not shown; empty for none."""
    idle_for: tuple[str, ...] = ()
    """The tasks that accept the option and make no use of it; it is not shown for them."""

    @property
    def label(self) -> str:
        """The option's name in a form."""
        return re.sub(r"[._]", " ", self.key)

    @property
    def id(self) -> str:
        """An id for the option's widget."""
        return self.key.replace(".", "-")


LAYER: tuple[Option, ...] = (
    Option("task", "What the layer asks of its agents"),
    Option("reads", "previous, all, none, or layers by number: 1 3", "reads {}"),
    Option("top_k", "So many go on: the best ranked, else the most unlike", "top {}", "all"),
    Option("drop_outliers", "Answers apart from the majority are not passed on", "no outliers"),
    Option("enough", "So many, 0 to 1, say the same in short: the answer", "enough {}"),
    Option("confident", "So sure by its own word, 0 to 1: it is the answer", "confident {}"),
    Option("early_stop", "So far repeating the layer before: to the last; 0.8", "early stop {}"),
    Option("quorum", "So many answers are enough", "after {}", "all"),
    Option("grace_seconds", "So long the others may still write", "grace {:g} s", beside="quorum"),
    Option("use_partial", "Whether an answer cut short by a fault is passed on", "partial too"),
    Option("split", "Each agent reads a share that is its alone", "own shares"),
    Option("dropout", "So much of what it reads, 0 to 1, is not shown it", "less {:.0%}"),
    Option("window.size", "It reads piece by piece, so many references at once", "window {}", "all at once"),
    Option("window.repeat", "Places among these for the best so far", beside="window.size"),
    Option("stairs.chunk", "It begins early, and reads pieces of so many tokens", "stairs {}", "no"),
    Option("stairs.wait", "So many answers must have a new piece", beside="stairs.chunk"),
    Option("start.with", "It begins early, with so many whole answers", "starts with {}", "no"),
    Option("start.restart_below", "A late answer less like them: it begins again", beside="start.with"),
    Option("shuffle", "Each agent reads in an order of its own", "shuffled", idle_for=("rank",)),
    Option("anonymous", "References carry numbers, not their agents' names", "named"),
    Option("placement", "The message that references go into", "in {} message"),
    Option("prompt", "{references} marks the place of the references", "own prompt", "the built-in one"),
)

# Options of a table that is given only where they are: an empty one is no default, but no table.
SWITCHES = ("window.size", "stairs.chunk", "start.with")

LIMITS: tuple[Option, ...] = (
    Option("max_cost", "US dollars a run may cost", empty="no limit"),
    Option("one_model_at_a_time", "Calls in turn: for a card that holds one model"),
    Option("concurrency", "Calls at once to one endpoint", empty="no limit"),
    Option("retries", "How often a call is tried again", empty="2, or 4 where overloaded"),
    Option("first_token_seconds", "How long a call may wait for its first token"),
    Option("idle_seconds", "How long a call may pause after that"),
    Option("total_seconds", "How long a call may take with its retries"),
    Option("loop_guard", "A model that repeats itself without end is stopped", "no loop guard"),
)

# A line on each task. A task that is missing here is offered as well, without a line.
TASKS = {
    "answer": "Answers the prompt, and reads nothing before it",
    "synthesize": "Makes one answer of those it reads",
    "revise": "Improves its own answer beside those of the others",
    "critique": "Says what is wrong with each answer",
    "judge": "Says what they agree on, differ in and leave out",
    "checklist": "Draws up points of the answers, for you to tick",
    "rank": "Puts the answers in order, the best first",
    "moderate": "Picks which are read on, and may end it early",
    "vote": "Takes the answer most agree on, and asks nobody",
}


def value_at(model: BaseModel | None, key: str) -> Any:
    """The value of `model` at an option's key; None where the table of the key is not given."""
    value: Any = model
    for part in key.split("."):
        value = None if value is None else getattr(value, _attribute(type(value), part))
    return value


def _attribute(model: type[BaseModel], name: str) -> str:
    """The attribute for a key of a recipe file: the same word, with `_` behind one that Python reserves."""
    return name if name in model.model_fields else f"{name}_"


def default_of(model: type[BaseModel], key: str) -> Any:
    """The option's default; for a key of a table, its default once the table is given."""
    first, _, rest = key.partition(".")
    field = model.model_fields[_attribute(model, first)]
    return default_of(_table_model(field.annotation), rest) if rest else field.default


def allowed_words(model: type[BaseModel], key: str) -> tuple[str, ...]:
    """All values of an option that is one of a few words; empty for other options."""
    first, _, rest = key.partition(".")
    annotation = model.model_fields[_attribute(model, first)].annotation
    if rest:
        return allowed_words(_table_model(annotation), rest)
    if annotation is bool:
        return ("no", "yes")
    members = [member for member in get_args(annotation) if member is not NoneType]
    if len(members) == 1:
        members = list(get_args(members[0]))
    return tuple(members) if all(isinstance(member, str) for member in members) else ()


def text_of(value: object) -> str:
    """The text by which a form writes a value."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple():
            return " ".join(map(str, value)) or NOTHING
        case float():
            return str(value).removesuffix(".0")
        case _:
            return str(value)


def table_of(model: type[BaseModel], texts: Mapping[str, str]) -> dict[str, Any]:
    """The texts of a form, by key, as a table for the model to validate; empty texts are left out."""
    table: dict[str, Any] = {}
    for key, text in texts.items():
        if text.strip():
            first, _, rest = key.partition(".")
            annotation = model.model_fields[first].annotation
            if rest:
                table.setdefault(first, {})[rest] = text.strip()
            else:
                table[first] = _split(text) if _is_list(annotation) else text
    return table


def is_long(option: Option) -> bool:
    """True if the option's text may have several lines."""
    return option.key == "prompt"


def options_set(layer: Layer) -> Iterable[tuple[Option, Any]]:
    """The options of a layer that are not at their defaults, with their values; the task is left out."""
    plain = Layer()
    for option in LAYER[1:]:
        value = value_at(layer, option.key)
        if value is not None and value != value_at(plain, option.key):
            yield option, value


def in_short(layer: Layer) -> list[str]:
    """A few words for each option of a layer that is not at its default."""
    return [
        option.short.format(value if isinstance(value, float) else text_of(value))
        for option, value in options_set(layer)
        if option.short
    ]


def _split(text: str) -> str | Sequence[str]:
    """The words of `1, 3` or `[1, 3]` as a list; any other text stays a text, for the model to judge."""
    words = re.findall(r"[^\s,\[\]\"']+", text)
    if not words or words == [NOTHING]:
        return []
    return words if all(word.isdecimal() for word in words) else " ".join(words)


def _is_list(annotation: Any) -> bool:
    return any(getattr(member, "__origin__", None) is tuple for member in get_args(annotation))


def _table_model(annotation: Any) -> type[BaseModel]:
    """The model of an option that is a table."""
    models: list[type[BaseModel]] = [
        member
        for member in (annotation, *get_args(annotation))
        if isinstance(member, type) and issubclass(member, BaseModel)
    ]
    return models[0]
