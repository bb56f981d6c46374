"""`moa-tui doctor`: what this machine has, what is missing, and which recipe would run here and why."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from typing import TYPE_CHECKING

from moa_tui import __version__
from moa_tui.errors import FileError, UsageError
from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.discovery import (
    LOCAL_SERVERS_VARIABLE,
    default_servers,
    find_keys,
    find_servers,
    unknown_local_servers,
)
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes import files
from moa_tui.recipes.default import choose_recipe
from moa_tui.settings import config, fault_log, paths
from moa_tui.settings.config import Settings
from moa_tui.store.check import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_PACKAGES = ("textual", "rich", "litellm", "pydantic", "platformdirs", "click")


def report(environ: Mapping[str, str], write: Callable[[str], None]) -> bool:
    """Write the whole report, line by line; False if something keeps moa-tui from working."""
    problems: list[str] = []
    settings = Settings()
    try:
        settings = config.load(paths.config_file())
    except FileError as error:
        problems.append(str(error))

    write(f"moa-tui      {__version__}")
    write(f"python       {platform.python_version()} ({sys.executable})")
    write(f"system       {platform.platform()}")
    for package in _PACKAGES:
        write(f"{package:<12} {_version(package)}")

    write("\ndirectories")
    for name, path in (
        ("config", paths.config_file().parent),
        ("data", paths.data_dir()),
        ("state", paths.state_dir()),
    ):
        state, usable = _directory(path)
        write(f"  {name:<10} {path} ({state})")
        if not usable:
            problems.append(f"{path}: {state}")

    state, problem = check(paths.database_file())
    write(f"  {'sessions':<10} {paths.database_file()} ({state})")
    if problem is not None:
        problems.append(problem)

    state, problem = fault_log.state()
    write(f"  {'faults':<10} {paths.fault_log_file()} ({state})")
    if problem is not None:
        problems.append(problem)

    for name, total in settings.budget:
        if total is not None:
            write(f"  {'budget':<10} ${total:g} a {name}")

    write("\nkeys (names only)")
    keys = find_keys(environ)
    for provider, variable in keys.items():
        write(f"  ✓ {variable} ({provider})")
    for endpoint, settings_of in settings.endpoints.items():
        if settings_of.key_env:
            there = environ.get(settings_of.key_env, "").strip()
            write(f"  {'✓' if there else '✗'} {settings_of.key_env} (endpoint {endpoint})")
    if not keys:
        known = sorted({variables[0] for variables in KEY_VARIABLES.values()})
        write(f"  none set; known are {', '.join(known)}")

    write("\nlocal servers")
    candidates = default_servers(environ)
    servers = find_servers(candidates)
    for server in servers:
        write(f"  ✓ {server.name} at {server.url}: {', '.join(model.name for model in server.models)}")
    silent = [server for server in candidates if server.name not in {found.name for found in servers}]
    if silent:
        write(f"  no answer: {', '.join(f'{server.name} ({server.url})' for server in silent)}")
    if not candidates:
        write(f"  none are looked for: {LOCAL_SERVERS_VARIABLE} is {environ[LOCAL_SERVERS_VARIABLE].strip()}")
    if unknown := unknown_local_servers(environ):
        problems.append(f"{LOCAL_SERVERS_VARIABLE}: no local server is called {', '.join(unknown)}")

    write("\nterminal")
    for line in _terminal(environ):
        write(f"  {line}")

    gateway = Gateway(settings.endpoints, environ)
    name, why = choose_recipe(
        settings, lambda name: not list(_recipe_problems(name, gateway)), lambda: servers
    )
    write(f"\nrecipe       {name}: {why}")
    problems += _recipe_problems(name, gateway)
    write("")
    if problems:
        write("problems")
        for problem in problems:
            write(f"  ✗ {problem}")
    else:
        write("no problems found")
    return not problems


def _recipe_problems(name: str, gateway: Gateway) -> Iterator[str]:
    if name == files.LOCAL:
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
