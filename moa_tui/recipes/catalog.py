"""What a person can choose from on this machine: recipes, models, and what each of them still needs.

Everything that looks at files or servers blocks for as long as that takes: on a screen, call it on a thread.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tomli_w

from moa_tui.engine.agent import Agent
from moa_tui.engine.plan import plan
from moa_tui.errors import FileError, MissingKeyError, MoaTuiError, UsageError
from moa_tui.gateway import demo, discovery
from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.recipes import files as shelf
from moa_tui.recipes.default import choose_recipe, local_agent, local_recipe
from moa_tui.settings import paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from moa_tui.engine.plan import Plan
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from moa_tui.gateway.discovery import LocalModel, LocalServer
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.settings.config import Settings

Origin = Literal["built in", "yours", "made here"]

# A question of a line or two: about fifty tokens.
_SHORT_PROMPT: tuple[Message, ...] = ({"role": "user", "content": "x" * 200},)
# How the models of imported turns are named: nobody can ask them.
IMPORTED = "imported/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class RecipeChoice:
    """A recipe and what stands between it and a run.

    `recipe` is None where its file cannot be read; `problem` says why it cannot be used. `missing` maps an
    environment variable to the models that need it. `cost` is the most a short prompt should come to, in US
    dollars, None where a price is unknown.
    """

    name: str
    origin: Origin
    recipe: Recipe | None
    problem: str | None
    missing: Mapping[str, Sequence[str]]
    cost: float | None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model and what is known of it. Prices in US dollars per token; None is unknown.

    `name` is as a recipe writes it, `where` the provider, endpoint or server. An agent of it needs `api_base`
    and `extra` as given here. `missing_key` is the variable that should hold its key and does not.
    """

    name: str
    where: str
    context_tokens: int | None = None
    prompt_price: float | None = None
    completion_price: float | None = None
    missing_key: str | None = None
    api_base: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A local server that answered, with the models it lists."""

    name: str
    url: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """What a first run starts from: providers with the variable that holds their key, and local servers."""

    keys: Mapping[str, str]
    servers: tuple[FoundServer, ...]


class RecipeCatalog:
    """The recipes and models of this machine. Looks anew at each question, and keeps no key."""

    def __init__(
        self, settings: Settings, gateway: Gateway, recipes_dir: Path, environ: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._recipes_dir = recipes_dir
        self._environ = environ

    def first(self, name: str | None) -> tuple[Recipe, str | None]:
        """The recipe to start with; and why this one, where none was named.

        Raises UsageError, FileError or NoLocalModelError. Local servers are looked for only where they count.
        """
        servers = cache(self._local_servers)

        def can_run(name: str) -> bool:
            return not self.missing_keys(shelf.load(name, self._recipes_dir))

        why = None
        if name is None:
            name, why = choose_recipe(self._settings, can_run, servers)
        if name == shelf.LOCAL:
            return local_recipe(servers()), why
        return shelf.load(name, self._recipes_dir), why

    def load(self, name: str) -> Recipe:
        """The recipe of that name or path; `local` is made from what local servers list. As `first`."""
        return self.first(name)[0]

    def known(self, name: str) -> bool:
        """Whether `name` is a recipe's, or a path to one's file."""
        named = name == shelf.LOCAL or name in shelf.available(self._recipes_dir)
        return named or (name.endswith(".toml") and Path(name).is_file())

    def again(self, recipe: Recipe) -> Recipe | None:
        """The recipe that a turn was answered by: as it is now, or as it was where it is gone.

        None for an imported turn, which no recipe of anybody's answered.
        """
        try:
            return self.load(recipe.name)
        except MoaTuiError:
            imported = all(agent.model.startswith(IMPORTED) for agent in recipe.every_agent())
            return None if imported else recipe

    def recipes(self) -> list[RecipeChoice]:
        """Every recipe: those that can run, then those that need a key, then those that are wrong."""
        found = []
        if servers := self._local_servers():
            found.append(self._recipe_choice(shelf.LOCAL, "made here", local_recipe(servers)))
        for name, file in shelf.available(self._recipes_dir).items():
            try:
                recipe = shelf.read(file.path)
            except FileError as error:
                found.append(RecipeChoice(name, file.origin, None, str(error), {}, None))
                continue
            choice = self._recipe_choice(name, file.origin, recipe)
            if name == shelf.LOCAL:
                problem = f'{file.path}: "{name}" always means what local servers list; rename the file'
                choice = RecipeChoice(name, file.origin, recipe, problem, choice.missing, choice.cost)
            found.append(choice)
        return sorted(found, key=lambda one: (one.problem is not None, bool(one.missing), one.name))

    def models(self) -> list[ModelChoice]:
        """Every model: those at hand first (local servers, endpoints, keys that are set), then the others.

        A server that does not answer within discovery's limit is left out.
        """
        choices = [
            self._local_choice(server, model) for server in self._local_servers() for model in server.models
        ]
        endpoints = self._settings.endpoints
        servers = discovery.find_servers(discovery.endpoint_servers(endpoints, self._environ))
        choices += self._by_name(
            f"{server.name}/{model.name}" for server in servers for model in server.models
        )
        known = self._by_name(
            name
            for name in self._gateway.catalog.chat_models
            if name.isprintable() and name.partition("/")[0] not in endpoints
        )
        usable = [one for one in known if one.missing_key is None and one.where in KEY_VARIABLES]
        others = [one for one in known if one.missing_key is not None or one.where not in KEY_VARIABLES]
        return [*choices, *usable, *self._by_name(demo.MODELS), *others]

    def missing_keys(self, recipe: Recipe) -> dict[str, list[str]]:
        """The variable that should hold a key and does not -> the models of `recipe` that need it."""
        return self._gateway.missing_keys(recipe.every_agent())

    def plan(self, recipe: Recipe, history: Sequence[Message] = _SHORT_PROMPT) -> Plan:
        """What a run of `recipe` on `history` should take at most; on a short prompt where none is given."""
        return plan(recipe, history, self._gateway.facts)

    def has(self, name: str) -> bool:
        """Whether a file of one's own has that name. Raises UsageError for what cannot name a recipe."""
        return os.path.lexists(self._path(name))

    def save(self, name: str, recipe: Recipe, *, replace: bool = False) -> Path:
        """Write `recipe` under `name` among one's own, and say where.

        Raises UsageError for a name that cannot be one, or that is taken where `replace` is False; FileError
        where the file cannot be written.
        """
        return self._write(name, _toml(recipe.model_copy(update={"name": name})), replace=replace)

    def copy(self, source: str, name: str) -> Path:
        """As `save`, of the recipe `source` as its file is written, comments and all."""
        self._path(name)
        text = re.sub(r"^name\s*=.*$", f'name = "{name}"', self.text(source), count=1, flags=re.MULTILINE)
        return self._write(name, text, replace=False)

    def text(self, name: str) -> str:
        """A recipe as TOML: its file's text, or what `local` is made of. Raises as `load`."""
        if name == shelf.LOCAL:
            return _toml(self.load(name))
        path = shelf.find(name, self._recipes_dir)
        shelf.read(path)
        return path.read_text(encoding="utf-8")

    def situation(self) -> Situation:
        """The keys and local servers found, by name."""
        servers = tuple(
            FoundServer(server.name, server.url, tuple(model.name for model in server.models))
            for server in self._local_servers()
        )
        return Situation(discovery.find_keys(self._environ), servers)

    def _local_servers(self) -> tuple[LocalServer, ...]:
        return discovery.find_servers(discovery.default_servers(self._environ))

    def _recipe_choice(self, name: str, origin: Origin, recipe: Recipe) -> RecipeChoice:
        problem = None
        try:
            self._gateway.check_keys(recipe)
        except MissingKeyError:
            pass  # Told by `missing`: a key can be set, and the recipe is right as it is.
        except UsageError as error:
            problem = str(error)
        return RecipeChoice(name, origin, recipe, problem, self.missing_keys(recipe), self.plan(recipe).cost)

    def _local_choice(self, server: LocalServer, model: LocalModel) -> ModelChoice:
        agent = local_agent(server, model)
        facts = self._gateway.facts(agent)
        return ModelChoice(
            agent.model,
            server.name,
            facts.context_tokens,
            facts.prompt_price,
            facts.completion_price,
            api_base=agent.api_base,
            extra=agent.extra,
        )

    def _by_name(self, names: Iterable[str]) -> list[ModelChoice]:
        """Models that need nothing but their name, sorted."""
        agents = [Agent(model=name) for name in sorted(names)]
        missing = {
            model: variable
            for variable, models in self._gateway.missing_keys(agents).items()
            for model in models
        }
        choices = []
        for agent in agents:
            prefix = agent.model.partition("/")[0]
            provider = self._gateway.catalog.provider(agent.model) or prefix
            facts = self._gateway.facts(agent)
            choices.append(
                ModelChoice(
                    agent.model,
                    prefix if prefix in self._settings.endpoints else provider,
                    facts.context_tokens,
                    facts.prompt_price,
                    facts.completion_price,
                    missing.get(agent.model),
                )
            )
        return choices

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name == shelf.LOCAL:
            raise UsageError(f'"{name}" cannot name a recipe: use letters, digits, dot, dash and underscore')
        return self._recipes_dir / f"{name}.toml"

    def _write(self, name: str, text: str, *, replace: bool) -> Path:
        path = self._path(name)
        if not replace and os.path.lexists(path):
            raise UsageError(f"{path} is there already; it was left as it is")
        try:
            paths.write_private(path, text)
        except OSError as error:
            raise FileError(f"{path}: cannot be written: {error.strerror or error}") from error
        return path


def missing_words(missing: Mapping[str, Sequence[str]]) -> str:
    """Which variables are not set, and for which models, on one line."""
    return "; ".join(
        f"{variable} is not set, needed by {', '.join(models)}" for variable, models in missing.items()
    )


def _toml(recipe: Recipe) -> str:
    data = recipe.model_dump(exclude_defaults=True, exclude_none=True)
    return tomli_w.dumps(data, multiline_strings=True)
