"""What a form of options asks of the recipe model: which options have a meaning, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from moa_tui.engine.layer import FOR_REFERENCES, Layer, Limits
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.recipe_edit import problems_of, validated
from moa_tui.ui.screens.recipes.recipe_draft import applicable, remedy
from moa_tui.ui.screens.recipes.recipe_options import (
    LAYER,
    LIMITS,
    SWITCHES,
    TASKS,
    Option,
    allowed_words,
    default_of,
    table_of,
    text_of,
    value_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from moa_tui.engine.recipe_edit import RecipeProblem
    from moa_tui.ui.screens.recipes.recipe_draft import RecipeDraft

# Every option has a valid value among these texts, by which the model is asked if it accepts the option.
_SAMPLES = ("yes", "no", "1", "0.5", "6", "all", "system", "any words")
# What a table needs besides one of its options to be valid, by the table's name.
_OF_TABLES: Mapping[str, Mapping[str, str]] = {
    "window": {"window.size": "6"},
    "stairs": {"stairs.chunk": "128", "stairs.wait": "1"},
    "start": {"start.with": "1"},
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model says of the texts in a form."""

    table: Mapping[str, Any]
    """The options that are not at their defaults; empty where a text itself is invalid."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by the key of the option beside which a form shows it."""
    wants_other_agents: bool = False
    """True if only the layer's number of agents is wrong, which the form of options cannot change."""


class OptionSet(Protocol):
    """The options of a form, and what their texts mean. Texts are by key; an empty one is the default."""

    title: str
    options: Sequence[Option]
    texts: Mapping[str, str]

    def allowed_words(self, option: Option) -> Sequence[str]:
        """All values of an option that is one of a few words; empty for other options."""

    def empty(self, option: Option) -> str:
        """The words for the option's default."""

    def help(self, option: Option, text: str) -> str:
        """A line of help on the option, whose value is `text`."""

    def shown(self, texts: Mapping[str, str]) -> set[str]:
        """The keys of the options that have a meaning together with these texts."""

    def check(self, texts: Mapping[str, str]) -> Verdict:
        """The table that the texts make, or what is wrong with them."""


class LimitOptions:
    """The limits of a run, as the options of a form."""

    def __init__(self, limits: Mapping[str, Any]) -> None:
        """`limits` has the limits that are set, by key."""
        self.title = "Limits of a run"
        self.options: Sequence[Option] = LIMITS
        given = Limits.model_validate(limits)
        self.texts: Mapping[str, str] = {
            option.key: text_of(value_at(given, option.key)) if option.key in limits else ""
            for option in LIMITS
        }
        self._not_shown = {key: value for key, value in limits.items() if key not in self.texts}

    def allowed_words(self, option: Option) -> Sequence[str]:
        return allowed_words(Limits, option.key)

    def empty(self, option: Option) -> str:
        return option.empty or text_of(default_of(Limits, option.key))

    def help(self, option: Option, text: str) -> str:
        return option.help

    def shown(self, texts: Mapping[str, str]) -> set[str]:
        return set(texts)

    def check(self, texts: Mapping[str, str]) -> Verdict:
        try:
            limits = Limits.model_validate(table_of(Limits, texts))
        except ValidationError as error:
            return Verdict({}, _by_option(problems_of(error), self.options, 0))
        return Verdict({**self._not_shown, **_without_defaults(limits)})


class LayerOptions:
    """The options of one layer of a draft, as the options of a form."""

    def __init__(self, draft: RecipeDraft, index: int) -> None:
        """`index` is the layer's, counted from 0."""
        self.options: Sequence[Option] = LAYER
        self._index = index
        self._number = index + 1
        self._size = draft.layers[index].size
        self.title = f"Layer {self._number} of {len(draft.layers)}"
        # The layers without what makes no difference to this one: a fault in another's agents must not.
        self._layers = [
            {
                **{key: value for key, value in layer.data(number).items() if key in ("task", "reads")},
                "agents": _agents(layer.size),
            }
            for number, layer in enumerate(draft.layers, 1)
        ]
        self._implied = implied_task(index)
        settings = draft.layers[index].settings
        effective = applicable(settings, self._number, self._size)
        layer = Layer.model_validate(effective)
        texts = {option.key: text_of(value_at(layer, option.key)) for option in LAYER}
        self.texts: Mapping[str, str] = {
            key: text if text != self._default(key) else "" for key, text in texts.items()
        }
        # Settings without a meaning in this place, or without a field, stay in the draft as they are.
        self._not_shown = {
            key: value
            for key, value in settings.items()
            if key not in effective or all(key != option.key.partition(".")[0] for option in LAYER)
        }
        self._meaningful: dict[tuple[str, str], set[str]] = {}
        """The keys that have a meaning, by the texts of `task` and `reads`, on which they depend."""
        self._tasks = tuple(
            task
            for task in allowed_words(Layer, "task")
            if self._fitting_layers({"task": task}) is not None or task == layer.task
        )

    def allowed_words(self, option: Option) -> Sequence[str]:
        return self._tasks if option.key == "task" else allowed_words(Layer, option.key)

    def empty(self, option: Option) -> str:
        return option.empty or self._default(option.key) or "none"

    def help(self, option: Option, text: str) -> str:
        return TASKS.get(text, option.help) if option.key == "task" else option.help

    def shown(self, texts: Mapping[str, str]) -> set[str]:
        task = texts["task"] or self._implied
        if (keys := self._meaningful.get((task, texts["reads"]))) is None:
            keys = self._meaningful[task, texts["reads"]] = set(self._meaningful_keys(texts))
        return {
            option.key
            for option in LAYER
            if texts[option.key].strip()
            or (option.key in keys and task not in option.idle_for and texts.get(option.beside, "given"))
        }

    def check(self, texts: Mapping[str, str]) -> Verdict:
        table = table_of(Layer, texts)
        layers = self._fitting_layers(table) or self._plain_layers()
        _, problems = validated(self._recipe_with(layers, table))
        if any(problem.location for problem in problems):
            return Verdict({}, _by_option(problems, LAYER, 2))
        if problems:
            return self._misfit(texts, table, layers, problems[0].message)
        return Verdict({**self._not_shown, **_without_defaults(Layer.model_validate(table))})

    def _misfit(
        self, texts: Mapping[str, str], table: dict[str, Any], layers: list[dict[str, Any]], problem: str
    ) -> Verdict:
        """The verdict on options that do not fit together, beside the one without which the rest fits."""

        def without(key: str) -> str | None:
            """The problem that is left without the option, or without the table that the option is in."""
            first = key.partition(".")[0]
            others = {other: text for other, text in texts.items() if other.partition(".")[0] != first}
            return self._problem(layers, table_of(Layer, others))

        # The task comes last, because almost every problem is gone with another task.
        keys = [*(option.key for option in LAYER[1:] if texts[option.key].strip()), "task"]
        remaining = {key: without(key) for key in keys}
        mending = [key for key in keys if remaining[key] is None]
        changing = [key for key in keys if remaining[key] != problem]
        named = [key for key in texts if key in problem]
        key = (mending or changing or named or keys)[0]
        advice = remedy(self._recipe_with(layers, table), self._index, self._size)
        words = f"{problem}; in the list of agents, {advice}" if advice and self._size else problem
        typed = {**self._not_shown, **_without_defaults(Layer.model_validate(table))}
        return Verdict(typed, {key: words}, key == "task" and bool(advice))

    def _meaningful_keys(self, texts: Mapping[str, str]) -> Iterable[str]:
        """The keys of the options that the model accepts in such a layer, each asked for by itself."""
        if len(self._tasks) > 1:
            yield "task"
        table = table_of(Layer, {key: texts[key] for key in ("task", "reads")})
        if (layers := self._fitting_layers(table)) is None:
            yield from texts
            return
        own = layers[self._index]
        recipe = Recipe.model_validate(_recipe(layers))
        asks, reads = recipe.lineup[self._index], recipe.read_layers(self._number, range(1, self._number))
        for option in LAYER[1:]:
            first = option.key.partition(".")[0]
            has_use = option.key == "reads" or (asks and (reads or first not in FOR_REFERENCES))
            if has_use and any(self._is_accepted(layers, own, option.key, sample) for sample in _SAMPLES):
                yield option.key

    def _is_accepted(self, layers: list[dict[str, Any]], own: dict[str, Any], key: str, sample: str) -> bool:
        """True if the model accepts the sample as the option's value, and the value has a meaning there."""
        if sample == self._default(key):
            return False
        table = table_of(Layer, {key: sample, **_OF_TABLES.get(key.partition(".")[0], {})})
        if self._problem(layers, {**own, **table}, len(own["agents"])) is not None:
            return False
        typed = Layer.model_validate(table).model_dump(exclude_defaults=True)
        return bool(applicable(typed, self._number, len(own["agents"])))

    def _fitting_layers(self, table: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Layers in which the task and reading of `table` are valid; None where there are none.

        The other layers are those of the draft if possible, else plain ones. The layer itself has the number
        of agents and the reading of the first attempt that is valid.
        """
        task = {key: table[key] for key in ("task",) if key in table}
        reading = {key: table[key] for key in ("reads",) if key in table}
        readings: tuple[dict[str, Any], ...] = (reading, {}, {"reads": "all"}, {"reads": []})
        for others in (self._layers, self._plain_layers()):
            for size in (self._size, 0, 1, 3):
                for reads in readings:
                    if self._problem(others, {**task, **reads}, size) is None:
                        own = {**task, **reads, "agents": _agents(size)}
                        return [*others[: self._index], own, *others[self._number :]]
        return None

    def _plain_layers(self) -> list[dict[str, Any]]:
        """As many layers as the draft has, with one agent each."""
        after = len(self._layers) - self._number
        return [{"agents": _agents(1)}] * self._number + [{"agents": _agents(1), "reads": "all"}] * after

    def _problem(
        self, layers: list[dict[str, Any]], table: Mapping[str, Any], size: int | None = None
    ) -> str | None:
        _, problems = validated(self._recipe_with(layers, table, size))
        return problems[0].message if problems else None

    def _recipe_with(
        self, layers: list[dict[str, Any]], table: Mapping[str, Any], size: int | None = None
    ) -> dict[str, Any]:
        own = {**table, "agents": _agents(self._size if size is None else size)}
        return _recipe([*layers[: self._index], own, *layers[self._number :]])

    def _default(self, key: str) -> str:
        """The text of an option's default in this layer."""
        if key == "task":
            return self._implied
        return "" if key in SWITCHES else text_of(default_of(Layer, key))


@cache
def implied_task(index: int) -> str:
    """The task of a layer, counted from 0, that sets none; the recipe's model is asked."""
    return Recipe.model_validate(_recipe([{"agents": _agents(1)}] * (index + 1))).task(index + 1)


def _without_defaults(model: Layer | Limits) -> dict[str, Any]:
    """The table of the values that differ from the defaults."""
    return model.model_dump(exclude_defaults=True, exclude_none=True)


def _agents(size: int) -> list[dict[str, str]]:
    return [{"model": "any"}] * size


def _recipe(layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": "any", "layers": layers}


def _by_option(problems: Iterable[RecipeProblem], options: Iterable[Option], depth: int) -> dict[str, str]:
    """The first problem of each option; `depth` is the number of a location's parts before the key."""
    messages: dict[str, str] = {}
    for location, message in problems:
        path = location[depth:]
        keys = [".".join(map(str, path[:2])), str(path[0])] if path else []
        for option in options:
            if option.key in keys or option.key.partition(".")[0] in keys[1:]:
                messages.setdefault(option.key, message)
                break
    return messages
