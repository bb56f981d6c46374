"""`moa-tui doctor`: what this machine has, what is missing, and which recipe would run here and why."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from moa_tui import __version__
from moa_tui.cli import wiring
from moa_tui.errors import FileError, UsageError
from moa_tui.gateway.address_hints import address_hint
from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.discovery import (
    LOCAL_SERVERS_VARIABLE,
    default_servers,
    find_keys,
    find_servers,
    unknown_local_servers,
)
from moa_tui.gateway.tls import problem_of, unused_files
from moa_tui.recipes import files
from moa_tui.recipes.default import choose_recipe
from moa_tui.recipes.local import can_be_asked, usable_servers, why_without_models
from moa_tui.settings import fault_log, paths
from moa_tui.store.check import check
from moa_tui.text.safe import quoted_name
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from moa_tui.gateway.discovery import LocalServer
    from moa_tui.gateway.gateway import Gateway

_PACKAGES = ("textual", "rich", "litellm", "pydantic", "platformdirs", "click")


class Report:
    """The report of `moa-tui doctor`; `problems` says what keeps moa-tui from working.

    `lines` finds the problems, so they are complete only once all its lines have been read.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._environ = os.environ
        try:
            self._settings = wiring.settings_in_force()
        except FileError as error:
            self._settings = wiring.default_settings()
            self.problems.append(str(error))
        self._servers: tuple[LocalServer, ...] = ()

    def lines(self) -> Iterator[str]:
        """The whole report, line by line; asks local servers, which takes as long as they do."""
        yield from self._versions()
        yield from ("", "directories")
        yield from self._directories()
        yield from self._files()
        yield from self._budgets()
        yield from ("", "keys (names only)")
        yield from self._keys()
        yield from self._endpoints()
        yield from self._tls()
        yield from ("", "local servers")
        yield from self._local_servers()
        yield from ("", "terminal")
        yield from (f"  {line}" for line in _terminal(self._environ))
        yield from self._recipe()
        yield ""
        if self.problems:
            yield "problems"
            for problem in self.problems:
                first, *others = problem.splitlines() or [""]
                yield from (f"  ✗ {first}", *(f"    {line}" for line in others))
        else:
            yield "no problems found"

    def _versions(self) -> Iterator[str]:
        yield f"moa-tui      {__version__}"
        yield f"python       {platform.python_version()} ({sys.executable})"
        yield f"system       {platform.platform()}"
        for package in _PACKAGES:
            yield f"{package:<12} {_version(package)}"

    def _directories(self) -> Iterator[str]:
        for name, path in (
            ("config", paths.config_file().parent),
            ("data", paths.data_dir()),
            ("state", paths.state_dir()),
        ):
            state, is_usable = _directory(path)
            yield f"  {name:<10} {path} ({state})"
            if not is_usable:
                self.problems.append(f"{path}: {state}")

    def _files(self) -> Iterator[str]:
        for name, path, (state, problem) in (
            ("sessions", paths.database_file(), check(paths.database_file())),
            ("faults", paths.fault_log_file(), fault_log.state()),
        ):
            yield f"  {name:<10} {path} ({state})"
            if problem is not None:
                self.problems.append(problem)

    def _budgets(self) -> Iterator[str]:
        for name, dollars in self._settings.budget:
            if dollars is not None:
                yield f"  {'budget':<10} ${dollars:g} a {name}"

    def _keys(self) -> Iterator[str]:
        keys = find_keys(self._environ)
        for provider, variable in keys.items():
            yield f"  ✓ {variable} ({provider})"
        for name, endpoint in self._settings.endpoints.items():
            if endpoint.key_env:
                is_set = self._environ.get(endpoint.key_env, "").strip()
                yield f"  {'✓' if is_set else '✗'} {endpoint.key_env} (endpoint {name})"
        if not keys:
            known = sorted({variables[0] for variables in KEY_VARIABLES.values()})
            yield f"  none set; known are {', '.join(known)}"

    def _endpoints(self) -> Iterator[str]:
        if self._settings.endpoints:
            yield from ("", "endpoints of the config")
        for name, endpoint in self._settings.endpoints.items():
            options = endpoint.model_dump(exclude_defaults=True, exclude={"base_url", "key_env"})
            words = "".join(f", {key} = {str(value).lower()}" for key, value in options.items())
            yield f"  {name:<10} {endpoint.base_url}{words}"
            # What a server that knows no such address would be said to answer.
            if (hint := address_hint(endpoint.base_url, 404, "")) is not None:
                yield f"  {'':<10} {hint}, unless the server has it otherwise"

    def _tls(self) -> Iterator[str]:
        if lines := unused_files(self._environ):
            yield from ("", "certificates", *(f"  {line}" for line in lines))
        if (problem := problem_of(self._environ)) is not None:
            self.problems.append(problem)

    def _local_servers(self) -> Iterator[str]:
        candidates = default_servers(self._environ)
        found = find_servers(candidates)
        self._servers = usable_servers(found)
        for server in self._servers:
            if server.models:
                yield f"  ✓ {server.name} at {server.url}: {', '.join(model.name for model in server.models)}"
            else:
                yield f"  … {server.name} at {server.url} {why_without_models(server)}"
        self.problems += filter(None, map(_left_out, found))
        answering = {server.name for server in found}
        if silent := [server for server in candidates if server.name not in answering]:
            yield f"  no answer: {', '.join(f'{server.name} ({server.url})' for server in silent)}"
        if not candidates:
            value = self._environ[LOCAL_SERVERS_VARIABLE].strip()
            yield f"  none are looked for: {LOCAL_SERVERS_VARIABLE} is {value}"
        if unknown := unknown_local_servers(self._environ):
            self.problems.append(f"{LOCAL_SERVERS_VARIABLE}: no local server is called {', '.join(unknown)}")

    def _recipe(self) -> Iterator[str]:
        gateway = wiring.gateway_of(self._settings)
        name, reason = choose_recipe(
            self._settings, lambda name: not list(_recipe_problems(name, gateway)), lambda: self._servers
        )
        yield ""
        yield f"recipe       {name}: {reason}"
        self.problems += _recipe_problems(name, gateway)
        if name not in (files.LOCAL, files.SLIM):
            with suppress(UsageError, FileError):
                recipe = files.load(name, paths.recipes_dir())
                yield from (
                    f"  {line}" for line in wiring.catalog_of(self._settings, gateway).servers(recipe)
                )


def _left_out(server: LocalServer) -> str | None:
    """Which models of a server no agent can have, in a sentence; None where all are usable."""
    names = [quoted_name(model.name) for model in server.models if not can_be_asked(model.name)]
    if not names:
        return None
    return (
        f"{server.name} at {server.url}: {counted(len(names), 'model')} left out, since a name looks like a "
        f"key or holds an invisible character: {', '.join(names)}"
    )


def _recipe_problems(name: str, gateway: Gateway) -> Iterator[str]:
    """What keeps the recipe of that name from running here."""
    if name in (files.LOCAL, files.SLIM):
        return
    try:
        recipe = files.load(name, paths.recipes_dir())
    except (UsageError, FileError) as error:
        yield f"recipe {name}: {error}"
        return
    for variable, models in gateway.missing_keys(recipe.every_agent()).items():
        yield f"recipe {name}: {variable} is not set; needed by {', '.join(models)}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _directory(path: Path) -> tuple[str, bool]:
    """The state of a directory in words, and whether moa-tui can write there."""
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"{nearest} is not a directory", False
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} cannot be written", False
    return ("there" if nearest == path else "made when needed"), True


def _terminal(environ: Mapping[str, str]) -> Iterator[str]:
    size = shutil.get_terminal_size()
    yield f"TERM {environ.get('TERM', 'not set')}, COLORTERM {environ.get('COLORTERM', 'not set')}"
    output = "a terminal" if sys.stdout.isatty() else "no terminal"
    yield f"{size.columns} columns, {size.lines} lines, output is {output}"
    yield f"encoding {sys.stdout.encoding}"
    if "NO_COLOR" in environ:
        yield "NO_COLOR is set: no colours"
    if "TMUX" in environ:
        yield "inside tmux: `set -g set-clipboard on` lets copied text reach your clipboard"
