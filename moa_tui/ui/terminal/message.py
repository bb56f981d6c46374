"""Textual messages as frozen dataclasses: a field for each thing said, and none of them can be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import TypeVar, dataclass_transform

from textual.message import Message

M = TypeVar("M", bound=Message)


@dataclass_transform(frozen_default=True, eq_default=False)
def frozen_message(message: type[M]) -> type[M]:
    """Make a subclass of Message a dataclass whose fields can be set only once.

    Setting a field again raises FrozenInstanceError. `@dataclass(frozen=True)` cannot be used, because
    Textual writes into a message on its way: its sender, and whether it was stopped or forwarded.
    """
    message_class = dataclass(eq=False)(message)
    field_names = frozenset(message_class.__dataclass_fields__)  # type: ignore[attr-defined]

    def set_once(self: Message, name: str, value: object) -> None:
        if name in field_names and name in vars(self):
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    message_class.__setattr__ = set_once  # type: ignore[method-assign,assignment]
    return message_class
