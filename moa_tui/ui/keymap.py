"""Keys of a person's own: put in force by the id of what they do, and checked before."""

from __future__ import annotations

import difflib
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from textual.binding import Binding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual.dom import DOMNode

# What is in force wherever the focus is, so that its keys are taken everywhere.
_EVERYWHERE = {"app", "chat", "run"}

# In force where the settings want Vim's keys.
_OF_VIM = "reading."

# Screens that take all keys but the app's for themselves.
_DIALOGS = {"checklist", "choice", "compare", "export", "fork", "options", "sessions", "stats", "text"}


def bindings_of(classes: Iterable[type[DOMNode]]) -> dict[str, Binding]:
    """Every binding with an id, by its id."""
    found: dict[str, Binding] = {}
    for each in classes:
        for binding in Binding.make_bindings(each.BINDINGS):
            if binding.id in found:
                # Several keys make several bindings of one id.
                keys = f"{found[binding.id].key},{binding.key}"
                found[binding.id] = replace(found[binding.id], key=keys)
            elif binding.id:
                found[binding.id] = binding
    return found


def problems(
    wanted: Mapping[str, str],
    known: Mapping[str, Binding],
    writing: Mapping[str, str],
    *,
    has_vim_keys: bool = False,
) -> list[str]:
    """What is wrong with the keys a config asks for, in sentences: unknown ids, and keys asked for twice.

    `writing` has the keys that a text field takes for itself, each with what it does there.
    """
    found = []
    for name in wanted.keys() - known.keys():
        near = difflib.get_close_matches(name, known, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else "; F1 shows the names"
        found.append(f'keys: nothing is called "{name}"{hint}')
    keys = {name: _keys(wanted.get(name, binding.key)) for name, binding in known.items()}
    for one, other in combinations(sorted(known), 2):
        is_in_force = has_vim_keys or not (one.startswith(_OF_VIM) or other.startswith(_OF_VIM))
        if (one in wanted or other in wanted) and is_in_force and _meet(one, other):
            as_shipped = _keys(known[one].key) & _keys(known[other].key)
            asked = keys[one] & keys[other] - as_shipped
            found += [f"keys: {one} and {other} both want {key}" for key in asked]
    for name in wanted.keys() & known.keys():
        if name.partition(".")[0] in _EVERYWHERE and not known[name].priority:
            found += [
                f'keys: {name} cannot have {key}, which the prompt takes for "{writing[key]}"'
                for key in keys[name] & writing.keys()
            ]
    return sorted(found)


def _keys(text: str) -> set[str]:
    return {key.strip() for key in text.split(",")}


def _meet(one: str, other: str) -> bool:
    """Whether both can be in force at once."""
    groups = {one.partition(".")[0], other.partition(".")[0]}
    if groups & _DIALOGS:
        return len(groups) == 1 or "app" in groups
    return len(groups) == 1 or bool(groups & _EVERYWHERE)
