"""The options of a layer and the limits of a run as forms show them: a line of a table for each.

Types, choices and defaults are read from the models, so that a form never knows another recipe than they do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from moa_tui.engine.recipe import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOTHING = "none"
"""How a list of layers without any is written in a form."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its key in the file (`window.size` is a key of a table), and a line of help.

    `short` says in a row that it is set, with its value at `{}`; `empty` what an empty field stands for where
    the default would not say it. It is shown only where the option `beside` is given, and not for the tasks
    `idle_for`, which take it and have no use for it.
    """

    key: str
    help: str
    short: str = ""
    empty: str = ""
    beside: str = ""
    idle_for: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What a form calls it."""
        return re.sub(r"[._]", " ", self.key)

    @property
    def id(self) -> str:
        """What a widget of it can be called."""
        return self.key.replace(".", "-")


LAYER: tuple[Option, ...] = (
    Option("task", "What the layer asks of its agents"),
    Option("reads", "previous, all, none, or layers by number: 1 3", "reads {}"),
    Option("top_k", "So many go on: the best ranked, else the most unlike", "top {}", "all"),
    Option("drop_outliers", "Answers apart from the majority are not passed on", "no outliers"),
    Option("enough", "So alike, 0 to 1, and one of them is the answer", "enough {}"),
    Option("confident", "So sure by its own word, 0 to 1: it is the answer", "confident {}"),
    Option("early_stop", "So like the layer before, 0 to 1: on to the last", "early stop {}"),
    Option("quorum", "So many answers are enough", "after {}", "all"),
    Option("grace_seconds", "So long the others may still write", "grace {:g} s", beside="quorum"),
    Option("use_partial", "Whether an answer cut short by a fault is passed on", "partial too"),
    Option("split", "Each agent reads a share that is its alone", "own shares"),
    Option("dropout", "So much of what it reads, 0 to 1, is not shown it", "less {:.0%}"),
    Option("window.size", "It reads piece by piece, so many references at once", "window {}", "all at once"),
    Option("window.repeat", "Places among these for the best so far", beside="window.size"),
    Option("shuffle", "Each agent reads in an order of its own", "shuffled", idle_for=("rank",)),
    Option("anonymous", "References carry numbers, not their agents' names", "named"),
    Option("placement", "The message that references go into", "in {} message"),
    Option("prompt", "{references} marks the place of the references", "own prompt", "the built-in one"),
)

LIMITS: tuple[Option, ...] = (
    Option("max_cost", "US dollars a run may cost", empty="no limit"),
    Option("one_model_at_a_time", "Calls in turn: for a card that holds one model"),
    Option("concurrency", "Calls at once to one endpoint", empty="no limit"),
    Option("retries", "How often a call is tried again"),
    Option("first_token_seconds", "How long a call may wait for its first token"),
    Option("idle_seconds", "How long a call may pause after that"),
    Option("total_seconds", "How long a call may take with its retries"),
)

# A task that is missing here is offered all the same, without a word on it.
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


def at(model: BaseModel | None, key: str) -> Any:
    """What `model` has at `key`; None where its table is not given."""
    value: Any = model
    for part in key.split("."):
        value = None if value is None else getattr(value, part)
    return value


def default_of(model: type[BaseModel], key: str) -> Any:
    """What the option is where nobody says; for a key of a table, what it is once the table is given."""
    first, _, rest = key.partition(".")
    field = model.model_fields[first]
    return default_of(_table(field.annotation), rest) if rest else field.default


def choices(model: type[BaseModel], key: str) -> tuple[str, ...]:
    """All that the option can be, where that is a few words; else nothing."""
    first, _, rest = key.partition(".")
    annotation = model.model_fields[first].annotation
    if rest:
        return choices(_table(annotation), rest)
    if annotation is bool:
        return ("no", "yes")
    given = [one for one in get_args(annotation) if one is not NoneType]
    if len(given) == 1:
        given = list(get_args(given[0]))
    return tuple(given) if all(isinstance(one, str) for one in given) else ()


def text_of(value: object) -> str:
    """A value as a form writes it."""
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
    """What was typed as a table for the model to read; what is empty is left out."""
    table: dict[str, Any] = {}
    for key, text in texts.items():
        if text.strip():
            first, _, rest = key.partition(".")
            annotation = model.model_fields[first].annotation
            if rest:
                table.setdefault(first, {})[rest] = text.strip()
            else:
                table[first] = _words(text) if _is_list(annotation) else text
    return table


def is_long(option: Option) -> bool:
    """Whether it is a text of several lines."""
    return option.key == "prompt"


def given(layer: Layer) -> Iterable[tuple[Option, Any]]:
    """The options of a layer that are not at their defaults, but for its task, and what they are."""
    plain = Layer()
    for option in LAYER[1:]:
        value = at(layer, option.key)
        if value is not None and value != at(plain, option.key):
            yield option, value


def in_short(layer: Layer) -> list[str]:
    """A few words for each option that is not at its default."""
    return [
        option.short.format(value if isinstance(value, float) else text_of(value))
        for option, value in given(layer)
        if option.short
    ]


def _words(text: str) -> str | Sequence[str]:
    """`1, 3` and `[1, 3]` as a list; any other text as it is."""
    words = re.findall(r"[^\s,\[\]\"']+", text)
    if not words or words == [NOTHING]:
        return []
    return words if all(word.isdecimal() for word in words) else " ".join(words)


def _is_list(annotation: Any) -> bool:
    return any(getattr(one, "__origin__", None) is tuple for one in get_args(annotation))


def _table(annotation: Any) -> type[BaseModel]:
    models: list[type[BaseModel]] = [
        one
        for one in (annotation, *get_args(annotation))
        if isinstance(one, type) and issubclass(one, BaseModel)
    ]
    return models[0]
