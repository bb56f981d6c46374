"""The recipes of this machine: what each of them costs and still needs, and how they are read and written.

What reads files or asks local servers blocks for as long as that takes: a screen calls it on a thread.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tomli_w

from moa_tui.engine import answer_form
from moa_tui.engine.plan import plan
from moa_tui.errors import FileError, MissingKeyError, MoaTuiError, UntrustedServerError, UsageError
from moa_tui.recipes import files as shelf
from moa_tui.recipes.default import choose_recipe
from moa_tui.recipes.local import MADE_HERE
from moa_tui.settings import paths, schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.plan import Plan
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from moa_tui.gateway.discovery import LocalServer
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.settings.config import Settings

Origin = Literal["built in", "yours", "made here"]

# A question of a line or two: about fifty tokens.
_SHORT_PROMPT: tuple[Message, ...] = ({"role": "user", "content": "x" * 200},)
IMPORTED = "imported/"
"""How the names of the models of imported turns begin: nobody can ask these models."""
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
    servers: Sequence[str] = ()
    """The servers it asks that are not a provider's own, each as a sentence."""
    is_local: bool = False
    """True where all that it asks are servers on this machine, which cost nothing."""


class RecipeCatalog:
    """The recipes of this machine. Every question reads the files and asks the servers anew."""

    def __init__(
        self,
        settings: Settings,
        gateway: Gateway,
        recipes_dir: Path,
        local_servers: Callable[[], Sequence[LocalServer]],
    ) -> None:
        """`recipes_dir` holds the user's own recipes; `local_servers` finds the servers that answer."""
        self._settings = settings
        self._gateway = gateway
        self._recipes_dir = recipes_dir
        self._local_servers = local_servers

    # Reading

    def first(self, name: str | None) -> tuple[Recipe, str | None]:
        """The recipe to start with; and the reason for it in words, None where `name` is given.

        Local servers are asked only where the recipe depends on them. Raises UsageError, FileError or
        NoLocalModelError.
        """
        local_servers = cache(self._local_servers)

        def can_run(name: str) -> bool:
            return not self.missing_keys(shelf.load(name, self._recipes_dir))

        reason = None
        if name is None:
            name, reason = choose_recipe(self._settings, can_run, local_servers)
        if name in MADE_HERE:
            return MADE_HERE[name](local_servers()), reason
        return shelf.load(name, self._recipes_dir), reason

    def load(self, name: str) -> Recipe:
        """The recipe of that name or path; `local` and `slim` are made from what local servers list.

        Raises UsageError, FileError or NoLocalModelError.
        """
        return self.first(name)[0]

    def is_known(self, name: str) -> bool:
        """True where `name` is a recipe's name, or the path of a recipe's file."""
        if name in MADE_HERE or name in shelf.available(self._recipes_dir):
            return True
        return name.endswith(".toml") and Path(name).is_file()

    def reload(self, recipe: Recipe) -> Recipe | None:
        """The recipe that a turn was answered by: as its file is now, or as it was where it has no file now.

        That its answer was to be JSON of a schema was meant for that turn alone.
        None for an imported one without a file of its name here: it came from elsewhere.
        """
        try:
            # Only by a name among the recipes of this machine: a name from elsewhere leads to no other file.
            if recipe.name in MADE_HERE or recipe.name in shelf.available(self._recipes_dir):
                return self.load(recipe.name)
        except MoaTuiError:
            pass
        is_imported = recipe.imported or all(
            agent.model.startswith(IMPORTED) for agent in recipe.every_agent()
        )
        return None if is_imported else answer_form.without_answer_form(recipe)

    def text(self, name: str) -> str:
        """A recipe as TOML: the text of its file, or what `local` or `slim` is made of. Raises as `load`."""
        if name in MADE_HERE:
            return _toml(self.load(name))
        path = shelf.find(name, self._recipes_dir)
        shelf.read(path)
        return path.read_text(encoding="utf-8-sig")

    # What recipes cost and need

    def recipes(self) -> list[RecipeChoice]:
        """Every recipe: those that can run, then those that need a key, then those that cannot be used.

        Raises FileError where the folder of the user's recipes cannot be read.
        """
        choices = []
        servers = self._local_servers()
        if any(server.models for server in servers):
            choices += [self._choice(name, "made here", make(servers)) for name, make in MADE_HERE.items()]
        for name, file in shelf.available(self._recipes_dir).items():
            try:
                recipe = shelf.read(file.path)
            except FileError as error:
                choices.append(RecipeChoice(name, file.origin, None, str(error), {}, None))
                continue
            choice = self._choice(name, file.origin, recipe)
            if name in MADE_HERE:
                problem = f'{file.path}: "{name}" always means what local servers list; rename the file'
                choice = RecipeChoice(name, file.origin, recipe, problem, choice.missing, choice.cost)
            choices.append(choice)
        return sorted(
            choices, key=lambda choice: (choice.problem is not None, bool(choice.missing), choice.name)
        )

    def missing_keys(self, recipe: Recipe) -> dict[str, list[str]]:
        """Maps each environment variable that should hold a key and does not to the models that need it."""
        return self._gateway.missing_keys(recipe.every_agent())

    def servers(self, recipe: Recipe) -> list[str]:
        """The servers that a run of the recipe asks and that are not a provider's own, each as a sentence."""
        return [
            f"asks {place.words}" + ("" if place.is_set_up else ", which you have not set up")
            for place in self._gateway.destinations(recipe)
            if not place.is_own_address or not place.is_set_up
        ]

    def plan(self, recipe: Recipe, history: Sequence[Message] = _SHORT_PROMPT) -> Plan:
        """What a run of `recipe` on `history`, a short prompt by default, should take at most."""
        return plan(recipe, history, self._gateway.facts)

    def _choice(self, name: str, origin: Origin, recipe: Recipe) -> RecipeChoice:
        problem = None
        try:
            self._gateway.check_keys(recipe)
        except (MissingKeyError, UntrustedServerError):
            pass  # `missing` and `servers` say so: a key can be set, a server confirmed.
        except UsageError as error:
            problem = str(error)
        expected = self.plan(recipe)
        return RecipeChoice(
            name,
            origin,
            recipe,
            problem,
            self.missing_keys(recipe),
            expected.cost,
            tuple(self.servers(recipe)),
            expected.is_local,
        )

    # Writing

    def has_own(self, name: str) -> bool:
        """True where the user has a recipe of that name. Raises UsageError where no recipe can have it."""
        return os.path.lexists(self._path(name))

    def save(self, name: str, recipe: Recipe, *, replace: bool = False) -> Path:
        """Write `recipe` among the user's own under `name`; return the path of its file.

        Raises UsageError for a name that no recipe can have, or that is taken where `replace` is False;
        FileError where the file cannot be written.
        """
        return self._write(name, _toml(recipe.model_copy(update={"name": name})), replace=replace)

    def save_at(self, path: Path, recipe: Recipe, *, replace: bool = False) -> Path:
        """Write `recipe` to any file; return its path.

        Raises UsageError where there is one already and `replace` is False, FileError where it cannot be
        written.
        """
        return self._write_at(path, _toml(recipe), replace=replace)

    def copy(self, source: str, name: str) -> Path:
        """Write the text of the recipe `source`, with its comments, under `name`; return the path.

        Raises as `load` and `save`.
        """
        self._path(name)
        text = re.sub(r"^name\s*=.*$", f'name = "{name}"', self.text(source), count=1, flags=re.MULTILINE)
        return self._write(name, text, replace=False)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name in MADE_HERE:
            raise UsageError(f'"{name}" cannot name a recipe: use letters, digits, dot, dash and underscore')
        return self._recipes_dir / f"{name}.toml"

    def _write(self, name: str, text: str, *, replace: bool) -> Path:
        path = self._path(name)
        try:
            text = schemas.with_schema(text, "recipe", path.parent)
        except OSError as error:
            raise FileError(f"{path}: cannot be written: {paths.disk_words(error)}") from error
        return self._write_at(path, text, replace=replace)

    def _write_at(self, path: Path, text: str, *, replace: bool) -> Path:
        try:
            paths.write_private(path, text, replace=replace)
        except FileExistsError as error:
            raise UsageError(f"{path} is there already; it was left as it is") from error
        except OSError as error:
            raise FileError(f"{path}: cannot be written: {paths.disk_words(error)}") from error
        return path


def missing_words(missing: Mapping[str, Sequence[str]]) -> str:
    """One line that says which environment variables are not set, and which models need them."""
    return "; ".join(
        f"{variable} is not set, needed by {', '.join(models)}" for variable, models in missing.items()
    )


def _toml(recipe: Recipe) -> str:
    data = recipe.model_dump(exclude_defaults=True, exclude_none=True, exclude={"imported"})
    return tomli_w.dumps(data, multiline_strings=True)
