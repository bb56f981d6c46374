"""What a form asks of the recipe model: which options have a meaning, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from moa_tui.engine.recipe import FOR_REFERENCES, Layer, Limits, Recipe
from moa_tui.engine.recipe_edit import problems_of, validated
from moa_tui.ui.screens.recipes.recipe_draft import remedy, settled
from moa_tui.ui.screens.recipes.recipe_options import (
    LAYER,
    LIMITS,
    TASKS,
    Option,
    at,
    choices,
    default_of,
    table_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from moa_tui.engine.recipe_edit import RecipeProblem
    from moa_tui.ui.screens.recipes.recipe_draft import RecipeDraft

# Some value for every option is among them, so that the model can be asked whether it takes one.
_SAMPLES = ("yes", "no", "1", "0.5", "6", "all", "user", "any words")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was typed as a table without defaults; or what is wrong, by the option's key.

    `wants_other_agents` is true where it is right but for the number of agents, which no field of it changes.
    """

    table: Mapping[str, Any]
    problems: Mapping[str, str] = field(default_factory=dict)
    wants_other_agents: bool = False


class OptionSet(Protocol):
    """The options that a form shows, and what their texts mean. Texts are by key; empty is the default."""

    title: str
    options: Sequence[Option]
    texts: Mapping[str, str]

    def choices(self, option: Option) -> Sequence[str]:
        """What it can be, where that is a few words."""

    def empty(self, option: Option) -> str:
        """What it is where nothing is typed."""

    def help(self, option: Option, text: str) -> str:
        """A line on it, as it stands at `text`."""

    def shown(self, texts: Mapping[str, str]) -> set[str]:
        """The keys of the options that have a meaning beside the others."""

    def check(self, texts: Mapping[str, str]) -> Verdict:
        """What was typed, or what is wrong with it."""


class LimitOptions:
    """The limits of a run."""

    def __init__(self, limits: Mapping[str, Any]) -> None:
        self.title = "Limits of a run"
        self.options: Sequence[Option] = LIMITS
        given = Limits.model_validate(limits)
        self.texts: Mapping[str, str] = {
            option.key: text_of(at(given, option.key)) if option.key in limits else "" for option in LIMITS
        }
        self._unseen = {key: value for key, value in limits.items() if key not in self.texts}

    def choices(self, option: Option) -> Sequence[str]:
        return choices(Limits, option.key)

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
        return Verdict({**self._unseen, **_plain(limits)})


class LayerOptions:
    """The options of one layer of a draft."""

    def __init__(self, draft: RecipeDraft, index: int) -> None:
        self.options: Sequence[Option] = LAYER
        self._index = index
        self._number = index + 1
        self._size = draft.layers[index].size
        self.title = f"Layer {self._number} of {len(draft.layers)}"
        # Only this decides about the layer in question, and what is wrong with another's agents does not.
        self._others = [
            {
                **{key: value for key, value in layer.data(number).items() if key in ("task", "reads")},
                "agents": _agents(layer.size),
            }
            for number, layer in enumerate(draft.layers, 1)
        ]
        self._implied = implied_task(index)
        kept = draft.layers[index].kept
        effective = settled(kept, self._number, self._size)
        layer = Layer.model_validate(effective)
        texts = {option.key: text_of(at(layer, option.key)) for option in LAYER}
        self.texts: Mapping[str, str] = {
            key: text if text != self._default(key) else "" for key, text in texts.items()
        }
        # What has no meaning in this place waits for a move to another, and what no line shows stays.
        self._unseen = {
            key: value
            for key, value in kept.items()
            if key not in effective or all(key != option.key.partition(".")[0] for option in LAYER)
        }
        self._shown: dict[tuple[str, str], set[str]] = {}
        self._tasks = tuple(
            task
            for task in choices(Layer, "task")
            if self._place({"task": task}) is not None or task == layer.task
        )

    def choices(self, option: Option) -> Sequence[str]:
        return self._tasks if option.key == "task" else choices(Layer, option.key)

    def empty(self, option: Option) -> str:
        return option.empty or self._default(option.key) or "none"

    def help(self, option: Option, text: str) -> str:
        return TASKS.get(text, option.help) if option.key == "task" else option.help

    def shown(self, texts: Mapping[str, str]) -> set[str]:
        task = texts["task"] or self._implied
        if (known := self._shown.get((task, texts["reads"]))) is None:
            known = self._shown[task, texts["reads"]] = set(self._with_a_meaning(texts))
        return {
            option.key
            for option in LAYER
            if texts[option.key].strip()
            or (option.key in known and task not in option.idle_for and texts.get(option.beside, "given"))
        }

    def check(self, texts: Mapping[str, str]) -> Verdict:
        table = table_of(Layer, texts)
        place = self._place(table) or self._plain_place()
        _, problems = validated(self._with(place, table))
        if any(problem.location for problem in problems):
            return Verdict({}, _by_option(problems, LAYER, 2))
        if problems:
            return self._misfit(texts, table, place, problems[0].message)
        return Verdict({**self._unseen, **_plain(Layer.model_validate(table))})

    def _misfit(
        self, texts: Mapping[str, str], table: dict[str, Any], place: list[dict[str, Any]], problem: str
    ) -> Verdict:
        """What does not fit together, told beside the option without which it would."""

        def without(key: str) -> str | None:
            of_a_table = key.partition(".")[0]
            others = {other: text for other, text in texts.items() if other.partition(".")[0] != of_a_table}
            return self._problem(place, table_of(Layer, others))

        # The task last: whatever is wrong for a task is right for some other.
        keys = [*(option.key for option in LAYER[1:] if texts[option.key].strip()), "task"]
        left = {key: without(key) for key in keys}
        mended = [key for key in keys if left[key] is None]
        changed = [key for key in keys if left[key] != problem]
        named = [key for key in texts if key in problem]
        key = (mended or changed or named or keys)[0]
        advice = remedy(self._with(place, table), self._index, self._size)
        told = f"{problem}; in the list of agents, {advice}" if advice and self._size else problem
        typed = {**self._unseen, **_plain(Layer.model_validate(table))}
        return Verdict(typed, {key: told}, key == "task" and bool(advice))

    def _with_a_meaning(self, texts: Mapping[str, str]) -> Iterable[str]:
        """The options that the model takes in such a layer, asked one by one."""
        if len(self._tasks) > 1:
            yield "task"
        table = table_of(Layer, {key: texts[key] for key in ("task", "reads")})
        if (place := self._place(table)) is None:
            yield from texts
            return
        own = place[self._index]
        recipe = Recipe.model_validate(_recipe(place))
        asks, reads = recipe.lineup[self._index], recipe.read_layers(self._number, range(1, self._number))
        for option in LAYER[1:]:
            first = option.key.partition(".")[0]
            has_use = option.key == "reads" or (asks and (reads or first not in FOR_REFERENCES))
            if has_use and any(self._takes(place, own, option.key, sample) for sample in _SAMPLES):
                yield option.key

    def _takes(self, place: list[dict[str, Any]], own: dict[str, Any], key: str, sample: str) -> bool:
        if sample == self._default(key):
            return False
        table = table_of(Layer, {key: sample, **({"window.size": "6"} if key.startswith("window.") else {})})
        if self._problem(place, {**own, **table}, len(own["agents"])) is not None:
            return False
        typed = Layer.model_validate(table).model_dump(exclude_defaults=True)
        return bool(settled(typed, self._number, len(own["agents"])))

    def _place(self, table: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Layers among which such a task is right: as they are, else as plain as can be; None where nowhere.

        The layer itself has the agents and the reading of the first try that is right.
        """
        task = {key: table[key] for key in ("task",) if key in table}
        reading = {key: table[key] for key in ("reads",) if key in table}
        readings: tuple[dict[str, Any], ...] = (reading, {}, {"reads": "all"}, {"reads": []})
        for others in (self._others, self._plain_place()):
            for size in (self._size, 0, 1, 3):
                for reads in readings:
                    if self._problem(others, {**task, **reads}, size) is None:
                        own = {**task, **reads, "agents": _agents(size)}
                        return [*others[: self._index], own, *others[self._number :]]
        return None

    def _plain_place(self) -> list[dict[str, Any]]:
        after = len(self._others) - self._number
        return [{"agents": _agents(1)}] * self._number + [{"agents": _agents(1), "reads": "all"}] * after

    def _problem(
        self, place: list[dict[str, Any]], table: Mapping[str, Any], size: int | None = None
    ) -> str | None:
        _, problems = validated(self._with(place, table, size))
        return problems[0].message if problems else None

    def _with(
        self, place: list[dict[str, Any]], table: Mapping[str, Any], size: int | None = None
    ) -> dict[str, Any]:
        own = {**table, "agents": _agents(self._size if size is None else size)}
        return _recipe([*place[: self._index], own, *place[self._number :]])

    def _default(self, key: str) -> str:
        if key == "task":
            return self._implied
        return "" if key == "window.size" else text_of(default_of(Layer, key))


@cache
def implied_task(index: int) -> str:
    """The task of a layer, counting from 0, that does not say; the model is asked."""
    return Recipe.model_validate(_recipe([{"agents": _agents(1)}] * (index + 1))).task(index + 1)


def _plain(model: Layer | Limits) -> dict[str, Any]:
    """What differs from the defaults."""
    return model.model_dump(exclude_defaults=True, exclude_none=True)


def _agents(size: int) -> list[dict[str, str]]:
    return [{"model": "any"}] * size


def _recipe(layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": "any", "layers": layers}


def _by_option(problems: Iterable[RecipeProblem], options: Iterable[Option], depth: int) -> dict[str, str]:
    """The first that the model says of each option; `depth` is how far its keys are from the top."""
    messages: dict[str, str] = {}
    for location, message in problems:
        path = location[depth:]
        keys = [".".join(map(str, path[:2])), str(path[0])] if path else []
        for option in options:
            if option.key in keys or option.key.partition(".")[0] in keys[1:]:
                messages.setdefault(option.key, message)
                break
    return messages
