"""Textual messages as frozen dataclasses: a field for each thing said, and none of them can be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import TypeVar, dataclass_transform

from textual.message import Message

M = TypeVar("M", bound=Message)


@dataclass_transform(frozen_default=True, eq_default=False)
def frozen_message(message: type[M]) -> type[M]:
    """Make a subclass of Message a dataclass whose fields can be set only once.

    `@dataclass(frozen=True)` cannot be used: Textual notes in a message where it has been.
    """
    made = dataclass(eq=False)(message)
    names = frozenset(made.__dataclass_fields__)  # type: ignore[attr-defined]

    def set_once(self: Message, name: str, value: object) -> None:
        if name in names and name in vars(self):
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    made.__setattr__ = set_once  # type: ignore[method-assign,assignment]
    return made
