"""Follows the links between messages, in whatever direction a file has them, to make a conversation.

A file may name each message's parent, its children, both, or neither. What is connected by either link stays
connected; a link that leads in a circle is cut, and a message that is missing still joins those around it, as
one that separates two answers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.formats.foreign.turns import MISSING, conversation_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.conversation import Conversation, Turn
    from moa_tui.formats.foreign.turns import Message, OpenTurn, TurnReader
    from moa_tui.formats.foreign.values import Tally

_ROOT = -1


@dataclass(frozen=True, slots=True)
class Record:
    """A message in its place. Without a message it only joins others, as one that is hidden does.

    `parent` and `children` are the keys of other records, empty where the file names none.
    """

    key: str
    parent: str = ""
    children: Sequence[str] = ()
    message: Message | None = None


def conversation_of(
    records: Sequence[Record], reader: TurnReader, title: object, current: str = "", system: str = ""
) -> Conversation:
    """The conversation of all records, with the system prompt `system`.

    `current` is the key of the last record in view, if the file names it; else that is the end of the branch
    that was written last. Raises FileError where the conversation is too large.
    """
    tree = _Tree(records, reader.tally)
    open_turns: list[OpenTurn | None] = [None] * len(tree.parents)
    first = reader.first_turn(system)
    waiting = [(root, first) for root in reversed(tree.children_of_root)]
    while waiting:
        number, before = waiting.pop()
        message = records[number].message if number < len(records) else MISSING
        opened = reader.with_message(before, message) if message is not None else before
        open_turns[number] = opened
        waiting += [(child, opened) for child in reversed(tree.children[number])]
        if not tree.children[number]:
            reader.complete(opened)
    reader.tally.left_out["unused system message"] += sum(
        opened is not None and opened.system_is_new and not opened.prompts and not tree.children[number]
        for number, opened in enumerate(open_turns)
    )
    number = tree.numbers.get(current, _ROOT) if current else _ROOT
    if number == _ROOT:
        number = _newest(records)
        while number != _ROOT and tree.children[number]:
            number = tree.children[number][-1]
    return conversation_from(reader, _active(number, open_turns, tree, reader), title)


def earliest(records: Sequence[Record]) -> float:
    """The time of the first message that has one, in Unix seconds; now where none has."""
    times = [record.message.created for record in records if record.message is not None]
    return min((moment for moment in times if moment is not None), default=time.time())


def _active(
    number: int, open_turns: Sequence[OpenTurn | None], tree: _Tree, reader: TurnReader
) -> Turn | None:
    """The last turn in view: that of a record, or the one into whose middle the record belongs."""
    opened = open_turns[number] if number != _ROOT else None
    while opened is not None and reader.completed(opened) is None and tree.children[number]:
        number = tree.children[number][-1]
        opened = open_turns[number]
    return reader.complete(opened) if opened is not None else None


def _newest(records: Sequence[Record]) -> int:
    """The number of the record that was written last; without times that is the last one of the file."""
    newest, latest = _ROOT, -1.0
    for number, record in enumerate(records):
        message = record.message
        if message is None or message is MISSING:
            continue
        created = message.created
        if latest < 0 if created is None else created >= latest:
            newest, latest = number, latest if created is None else created
    return newest


class _Tree:
    """The place of each record: the number of its parent, _ROOT where it has none, and of its children.

    Numbers beyond the records stand for records that are missing but are named by others.
    """

    def __init__(self, records: Sequence[Record], tally: Tally) -> None:
        self._records = records
        self._left_out = tally.left_out
        self.numbers: dict[str, int] = {}
        for number, record in enumerate(records):
            if record.key:
                self.numbers.setdefault(record.key, number)
        self.parents = self._linked_parents()
        self._cut_circles()
        self.children: list[list[int]] = [[] for _ in self.parents]
        self.children_of_root: list[int] = []
        self._place_children()

    def _linked_parents(self) -> list[int]:
        """The parent of each record by its own word, else by the word of the record that lists it."""
        records = self._records
        if not any(record.parent or record.children for record in records):
            return [number - 1 for number in range(len(records))]
        named = [_ROOT] * len(records)
        for number, record in enumerate(records):
            if record.parent:
                parent = self.numbers.setdefault(record.parent, len(named))
                if parent == len(named):
                    named.append(_ROOT)
                named[number] = parent if parent != number else _ROOT
                self._left_out["circular link"] += parent == number
        listed = [_ROOT] * len(named)
        for number, record in enumerate(records):
            for child in record.children:
                place = self.numbers.get(child, number)
                if place != number and listed[place] == _ROOT:
                    listed[place] = number
        parents = named
        for number, parent in enumerate(named):
            missing = parent >= len(records) and listed[parent] == _ROOT
            if (parent == _ROOT or missing) and listed[number] != _ROOT:
                parents[number] = listed[number]
        missing_records = range(len(records), len(named))
        self._left_out["missing message"] += sum(parents[number] != _ROOT for number in missing_records)
        self._join_lone_answers(parents)
        return parents

    def _join_lone_answers(self, parents: list[int]) -> None:
        """Join an answer for which the file has no question with the question that stands before it."""
        records = self._records
        for number in range(1, len(records)):
            before, message = records[number - 1].message, records[number].message
            parent = parents[number]
            is_lone = parent == _ROOT or (parent >= len(records) and parents[parent] == _ROOT)
            if not is_lone or message is None or before is None:
                continue
            if message.role == "assistant" and before.role == "user":
                parents[number] = number - 1

    def _cut_circles(self) -> None:
        """Make a root of the first record of each circle of links."""
        unseen, in_path, finished = 0, 1, 2
        states = [unseen] * len(self.parents)
        for start in range(len(self.parents)):
            path = []
            number = start
            while number != _ROOT and states[number] == unseen:
                states[number] = in_path
                path.append(number)
                number = self.parents[number]
            if number != _ROOT and states[number] == in_path:
                self.parents[min(path[path.index(number) :])] = _ROOT
                self._left_out["circular link"] += 1
            for passed in path:
                states[passed] = finished

    def _place_children(self) -> None:
        """List the children of each record: as the record lists them, then as they stand in the file."""
        placed = [False] * len(self.parents)
        for number, record in enumerate(self._records):
            for key in record.children:
                child = self.numbers.get(key, _ROOT)
                if child != _ROOT and self.parents[child] == number and not placed[child]:
                    placed[child] = True
                    self.children[number].append(child)
        for child, parent in enumerate(self.parents):
            if parent == _ROOT:
                self.children_of_root.append(child)
            elif not placed[child]:
                self.children[parent].append(child)
