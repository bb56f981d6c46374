"""A recipe whose answer is JSON of a given schema: what its last agent is told, and one call for a repair.

Only the agent that writes the answer is told: the others answer freely, so that a form costs no thought. The
schema goes into its instructions, and as `response_format` to servers that hold a model to it. Pure: whether
an answer fits is for others to say.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moa_tui.engine import recipe_edit
from moa_tui.engine.layer import Layer
from moa_tui.engine.parameters import OPTIONAL_FORMAT, is_optional_format, problem_of
from moa_tui.engine.prompts import SCHEMA_REPAIR, SCHEMA_RULE
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe

# Other ways to hold a model to a form, which would contradict the schema.
_OTHER_FORMS = (
    *("response_format", "format", "json_schema", "grammar", "guided_json", "guided_regex"),
    *("guided_choice", "guided_grammar", "structured_outputs"),
)
# What OpenAI's strict mode knows of JSON Schema ("Supported schemas" in its guide to structured outputs).
_STRICT_KEYWORDS = frozenset(
    (
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf"),
        *("$ref", "$defs", "definitions", "description", "title", "minimum", "maximum", "multipleOf"),
        *("exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "pattern", "format"),
    )
)
_NAMED_SCHEMAS = ("properties", "$defs", "definitions")
# Of no use to a model's server, and some refuse them.
_FOR_PEOPLE = ("$schema", "$id", "$comment", "examples", "default")
_LONGEST_REASON = 1_500  # characters


def with_answer_form(recipe: Recipe, schema: Mapping[str, Any]) -> Recipe:
    """The recipe with the agent that writes the answer asked for JSON of `schema`.

    It waits for all answers, and none of them ends the run early in its place. Raises UsageError where no
    single agent writes the answer in one piece.
    """
    last = len(recipe.layers)
    final = recipe.layers[-1]
    if not recipe.writes(last):
        raise UsageError(
            f"recipe {recipe.name} ends with the task {recipe.task(last)}: it chooses among answers, and no "
            "agent writes one that could be asked for JSON; choose a recipe that ends with a synthesis, as "
            "-r duo"
        )
    if final.window is not None:
        raise UsageError(
            f"recipe {recipe.name} reads its answers piece by piece: JSON has to be written from all of them "
            "at once; choose another with -r"
        )
    recipe = recipe_edit.without_stairs(recipe)
    writer, rule = recipe.lineup[-1][0], _rule(schema)
    agents = dict(recipe.agents)
    substitutes = []
    for substitute in recipe.fallbacks(writer):
        name = f"{substitute.name}, as JSON"
        agents[name] = _told(substitute, rule, schema)
        substitutes.append(name)
    told = _told(writer, rule, schema).model_copy(update={"fallback": tuple(substitutes)})
    layers = [
        layer.model_copy(update={"enough": None, "confident": None})
        if layer.enough or layer.confident
        else layer
        for layer in recipe.layers[:-1]
    ]
    layers.append(recipe.layers[-1].model_copy(update={"agents": (told,)}))
    changed = recipe.model_copy(update={"layers": tuple(layers), "agents": agents})
    return recipe_edit.checked(
        changed.model_dump(exclude_unset=True),
        f"recipe {recipe.name} cannot be asked for JSON of this schema",
    )


def without_answer_form(recipe: Recipe) -> Recipe:
    """The recipe with nobody asked for JSON; unchanged where nobody is.

    What began early or could end the run early before does so no more.
    """
    layers = [layer for layer in recipe.layers if not _repairs(layer)]
    changed = tuple(
        layer.model_copy(
            update={
                "agents": tuple(entry if isinstance(entry, str) else _untold(entry) for entry in layer.agents)
            }
        )
        for layer in layers
    )
    if changed == recipe.layers:
        return recipe
    agents = {name: _untold(agent) for name, agent in recipe.agents.items()}
    plain = recipe.model_copy(update={"layers": changed, "agents": agents})
    return recipe_edit.checked(
        plain.model_dump(exclude_unset=True), f"recipe {recipe.name} cannot be asked for plain text"
    )


def with_repair(recipe: Recipe, reason: str) -> Recipe:
    """The recipe with one call more, in which the writer of the answer is told why that does not fit."""
    final = recipe.layers[-1]
    said = reason[:_LONGEST_REASON].replace("{references}", "…")
    repair = Layer(
        task="revise",
        agents=(recipe.lineup[-1][0],),
        prompt=SCHEMA_REPAIR.replace("{reason}", said),
        placement=final.placement,
    )
    changed = recipe.model_copy(update={"layers": (*recipe.layers, repair)})
    return recipe_edit.checked(
        changed.model_dump(exclude_unset=True), f"recipe {recipe.name} cannot repair its answer"
    )


def fits_strict_mode(schema: object, *, is_root: bool = True) -> bool:
    """True where OpenAI's strict mode takes the schema: every object is closed, and needs all it may have."""
    if not isinstance(schema, dict):
        return isinstance(schema, bool) and not is_root
    if not schema.keys() <= _STRICT_KEYWORDS or (is_root and schema.get("type") != "object"):
        return False
    names = schema.get("properties", {})
    if "properties" in schema or "object" in _types(schema):
        if schema.get("additionalProperties") is not False or not isinstance(names, dict):
            return False
        required = schema.get("required", [])
        if not isinstance(required, list) or set(map(str, required)) != names.keys():
            return False
    named = [schema[key] for key in _NAMED_SCHEMAS if key in schema]
    if not all(isinstance(table, dict) for table in named):
        return False
    inner = [each for table in named for each in table.values()]
    inner += [schema["items"]] if "items" in schema else []
    inner += schema["anyOf"] if isinstance(schema.get("anyOf"), list) else []
    return all(fits_strict_mode(each, is_root=False) for each in inner)


def _types(schema: Mapping[str, Any]) -> list[object]:
    types = schema.get("type")
    return types if isinstance(types, list) else [types]


def _rule(schema: Mapping[str, Any]) -> str:
    return SCHEMA_RULE + json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def _told(agent: Agent, rule: str, schema: Mapping[str, Any]) -> Agent:
    """The agent, asked for JSON in its system prompt and, where such a schema may be sent, by a parameter."""
    extra = {name: value for name, value in agent.extra.items() if name not in _OTHER_FORMS}
    sent = {name: value for name, value in schema.items() if name not in _FOR_PEOPLE}
    wish = {
        "response_format": {"type": "json_schema", "json_schema": {"name": OPTIONAL_FORMAT, "schema": sent}}
    }
    if fits_strict_mode(sent):
        wish["response_format"]["json_schema"]["strict"] = True  # type: ignore[index]
    if problem_of(wish) is None:
        extra |= wish
    system = f"{agent.system}\n\n{rule}" if agent.system else rule
    return agent.model_copy(update={"system": system, "extra": extra})


def _untold(agent: Agent) -> Agent:
    extra = {name: value for name, value in agent.extra.items() if not is_optional_format(name, value)}
    system = agent.system
    if system is not None and SCHEMA_RULE in system:
        system = system.partition(SCHEMA_RULE)[0].rstrip() or None
    if system == agent.system and extra == agent.extra:
        return agent
    return agent.model_copy(update={"system": system, "extra": extra})


def _repairs(layer: Layer) -> bool:
    return layer.prompt is not None and layer.prompt.startswith(SCHEMA_REPAIR.partition("{reason}")[0])
