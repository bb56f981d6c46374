"""Textual's parser of stylesheets, which parses each only once for all apps of a process.

Parsed rules are only read: each stylesheet picks and weighs them in tables of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.css.parse import parse
from textual.css.tokenize import tokenize_values

if TYPE_CHECKING:
    from textual.css.model import RuleSet
    from textual.css.tokenize import Token
    from textual.css.types import CSSLocation

_tokens: dict[tuple[tuple[str, str], ...], dict[str, list[Token]]] = {}
_rules: dict[tuple[object, ...], list[RuleSet]] = {}


def tokens(values: dict[str, str]) -> dict[str, list[Token]]:
    """What `tokenize_values` makes of a theme's variables: the same object for the same variables."""
    key = tuple(values.items())
    if key not in _tokens:
        _tokens[key] = tokenize_values(values)
    return _tokens[key]


def rules(
    scope: str, css: str, read_from: CSSLocation, *, variable_tokens: dict[str, list[Token]], **more: Any
) -> list[RuleSet]:
    """What `parse` makes of a stylesheet with variables that came from `tokens`."""
    key = (scope, css, read_from, id(variable_tokens), *more.items())
    if key not in _rules:
        _rules[key] = list(parse(scope, css, read_from, variable_tokens=variable_tokens, **more))
    return _rules[key]
