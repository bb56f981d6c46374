"""Reads conversations from files: moa-tui's own JSON, and what other programs write.

A file may come from anybody. Whatever is in it, reading it gives conversations or raises FileError. A piece
of it that cannot be read costs that piece alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError
from moa_tui.formats.foreign import KNOWN, LATEST, Tally, from_rows, kind_of, reader_of, records_in, row_group
from moa_tui.formats.foreign.values import first_text, label, table
from moa_tui.formats.json_reader import conversation_from
from moa_tui.formats.json_stream import JsonStream, JsonValue, Problems
from moa_tui.formats.json_writer import FORMAT, recipe_document
from moa_tui.formats.text_file import texts_in
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from moa_tui.conversation import Conversation, Turn
    from moa_tui.formats.text_file import TextFile

_LONGEST_ID = 64
# Messages and rows that stand by themselves wait for those that belong to them.
_MOST_ROWS = 500_000
_LONGEST_NAME = 60
_ID_BYTES = 6


@dataclass(frozen=True, slots=True)
class Imported:
    """The conversations of a file; `notes` say in words what was left out of it."""

    conversations: tuple[Conversation, ...]
    notes: tuple[str, ...]


def read(path: Path) -> Imported:
    """All conversations of a file at once. Raises FileError."""
    reading = Reading(path)
    conversations = tuple(reading)
    return Imported(conversations, tuple(reading.notes()))


class Reading:
    """Iterates over the conversations of a file, whose format is found out from what is in it.

    The conversations of moa-tui's own JSON keep their ids. Those of other programs get ids that follow from
    what is said in them, so that a file that is read twice gives the same ones. Iterating raises FileError
    where the file has none, and where nothing more of it can be read and none was found.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tally = Tally()
        self._problems = Problems()
        self._last_kind = ""
        self._found = 0
        self._is_known = False
        self._digests: Counter[bytes] = Counter()

    def __iter__(self) -> Iterator[Conversation]:
        try:
            for text in texts_in(self._path, self._problems):
                for conversation in self._conversations(text):
                    self._found += 1
                    yield conversation
        except FileError as error:
            if not self._found:
                raise FileError(f"{self._path}: {error}") from error
            self._problems.add(f"the rest: {error}")
        if not self._found:
            raise FileError(f"{self._path}: {self._why_nothing()}")

    def notes(self) -> list[str]:
        """Sentences on what was left out of the file; complete when all conversations are read."""
        counts = self._tally.left_out.items()
        return [
            *(f"{counted(number, thing)} left out" for thing, number in counts if number > 0),
            *self._problems.notes(),
        ]

    def _why_nothing(self) -> str:
        """Why there is nothing to import from the file."""
        reason = self._problems.first or "there is no conversation in it"
        is_told = self._is_known and self._problems.first
        return reason if is_told else f"{reason}; what can be read: {KNOWN}"

    def _conversations(self, text: TextFile) -> Iterator[Conversation]:
        """The conversations of one text. Raises FileError where nothing more of it can be read."""
        rows: dict[tuple[int, str], list[Any]] = defaultdict(list)
        waiting = 0
        group = 0
        for value in JsonStream(text.pieces, self._problems, self._is_wanted, text.name):
            if value.group != group:
                yield from self._of_rows(rows)
                waiting, group = 0, value.group
            kind = "own" if _is_own(value.value) else kind_of(value.value)
            if kind in ("row", "message") or (kind == "unknown" and rows and group):
                self._last_kind = kind
                waiting += 1
                if waiting > _MOST_ROWS:
                    raise FileError(f"it holds more than {_MOST_ROWS:,} messages by themselves")
                self._note_numbers(value)
                rows[_group_of(value, len(rows))].append(value.value)
            else:
                yield from self._of_value(value, kind)
        yield from self._of_rows(rows)

    def _of_value(self, value: JsonValue, kind: str) -> Iterator[Conversation]:
        """The conversation or conversations of a value."""
        document = value.value
        if isinstance(document, list):
            # A list of messages in a list of lists.
            document, kind = {"messages": document}, "conversation"
        if kind == "own":
            yield from self._made(
                value.where, document, partial(_own, document, (*value.lost_numbers, *value.large_numbers))
            )
            return
        self._note_numbers(value)
        if kind == "unknown":
            self._note_unknown(document, value.where)
            return
        for number, record in enumerate(records_in(document) if kind == "list" else [document], 1):
            where = f"{value.where}, conversation {number}" if kind == "list" else value.where
            reader = reader_of(record) if isinstance(record, dict) else None
            if reader is None:
                self._note_unknown(record, where)
            else:
                yield from self._made(where, record, partial(reader, record, self._tally))

    def _of_rows(self, rows: dict[tuple[int, str], list[Any]]) -> Iterator[Conversation]:
        """The conversations of all rows and messages that wait, which wait no more."""
        # What a session is called stands in lines that may not say to which it belongs.
        heads = [
            row
            for key in list(rows)
            if not key[1] and not any(map(_says, rows[key]))
            for row in rows.pop(key)
        ]
        for key in list(rows):
            belonging = [*heads, *rows.pop(key)]
            if any(isinstance(row, dict) for row in belonging):
                yield from self._made("", {}, partial(from_rows, belonging, self._tally))

    def _made(
        self, where: str, document: dict[str, Any], make: Callable[[], Conversation]
    ) -> Iterator[Conversation]:
        """The conversation that `make` returns; none where it fails, which is noted, or is empty."""
        self._is_known = True
        try:
            conversation = make()
        except (FileError, RecursionError) as error:
            title = _title(document)
            name = f' "{title}"' if title else ""
            reason = error if isinstance(error, FileError) else "it is nested too deeply"
            self._problems.add(f"the conversation{name} at {where}: {reason}" if where else str(reason))
            return
        if _is_own(document):
            self._last_kind = "conversation"
            yield conversation
        elif conversation.turns:
            self._last_kind = "conversation"
            yield self._with_lasting_id(conversation)
        else:
            self._tally.left_out["empty conversation"] += 1

    def _note_unknown(self, record: object, where: str) -> None:
        """Name a record in which there is no conversation by its title; count it where it has none."""
        if title := _title(table(record)):
            self._problems.add(f'the record "{title}" at {where}: there is no conversation in it')
        else:
            self._tally.left_out["unknown record"] += 1

    def _with_lasting_id(self, conversation: Conversation) -> Conversation:
        """The conversation with an id that follows from what is said in it.

        What a file holds several times gets a number too, so that all of it is taken.
        """
        digest = _digest(conversation)
        self._digests[digest] += 1
        numbered = blake2b(digest + b"%d" % self._digests[digest], digest_size=_ID_BYTES)
        return replace(conversation, id=numbered.hexdigest())

    def _note_numbers(self, value: JsonValue) -> None:
        """Count the numbers of a value that were put in as nothing, since no float can hold them."""
        self._tally.left_out["unreadable number"] += len(value.lost_numbers)

    def _is_wanted(self, value: object) -> bool:
        """True for a value to go on with after one that cannot be read."""
        if isinstance(value, list):
            return any(isinstance(entry, dict) and kind_of(entry) == "message" for entry in value[:5])
        kind = "conversation" if _is_own(value) else kind_of(value)
        return kind in ("conversation", "row") or (kind == "message" and self._last_kind in ("", "message"))


def _title(document: dict[str, Any]) -> str:
    """What a record is called, on one line; empty where it has no title."""
    return label(first_text(document, "title", "name"), _LONGEST_NAME)


def _digest(conversation: Conversation) -> bytes:
    """What tells conversations apart by what is said in them, by whom and in which order."""
    digest = blake2b(digest_size=16)
    places: dict[str, int] = {}
    for number, turn in enumerate(conversation.turns):
        places[turn.id] = number
        before = places[turn.parent.id] if turn.parent is not None else ""
        answer = turn.outcome.answer if turn.outcome is not None else ""
        model = turn.recipe.lineup[0][0].model
        for said in (before, turn.system or "", turn.prompt, model, answer):
            digest.update(f"{said}\0".encode("utf-8", "surrogatepass"))
    return digest.digest()


def _says(row: object) -> bool:
    """True for anything but the head of a session."""
    return (
        not isinstance(row, dict)
        or "type" not in row
        or "role" in row
        or isinstance(row.get("message"), dict)
    )


def _is_own(value: object) -> bool:
    """True for a conversation as moa-tui writes it."""
    return isinstance(value, dict) and value.get("format") == FORMAT


def _group_of(value: JsonValue, number: int) -> tuple[int, str]:
    """What rows of one conversation have in common; `number` tells rows apart that belong to none."""
    named = row_group(value.value) if isinstance(value.value, dict) else ""
    is_row = isinstance(value.value, dict) and kind_of(value.value) == "row"
    return value.group, named or (f"\0{number}" if is_row else "")


def _own(document: dict[str, Any], bad_numbers: tuple[str, ...]) -> Conversation:
    """The conversation of moa-tui's own JSON. Raises FileError."""
    if bad_numbers:
        raise FileError(f"it holds {bad_numbers[0]}, which is no number for a conversation")
    return _checked(conversation_from(document))


def _checked(conversation: Conversation) -> Conversation:
    """The conversation itself. Raises FileError where its ids, times or turns cannot be right."""
    ids = [conversation.id, *(turn.id for turn in conversation.turns)]
    if conversation.forked_from:
        ids.append(conversation.forked_from)
    for id_ in ids:
        if not id_.isprintable() or not 0 < len(id_) <= _LONGEST_ID:
            raise FileError(f"{id_[:80]!r} cannot be an id")
    for created in (conversation.created, *(turn.created for turn in conversation.turns)):
        if not 0 <= created <= LATEST:
            raise FileError(f"{created:g} is no time for a conversation")
    checked: set[int] = set()
    for turn in conversation.turns:
        _check_turn(turn, checked)
    return conversation


def _check_turn(turn: Turn, checked: set[int]) -> None:
    """Raise FileError where a turn's recipe cannot be written again, or has no place for its calls.

    `checked` has the identities of the recipes that can be written; the turn's own is added to it.
    """
    if id(turn.recipe) not in checked:
        try:
            recipe_document(turn.recipe)
        except ValueError as error:
            raise FileError(f"the recipe of turn {turn.id} could not be kept: {error}") from error
        checked.add(id(turn.recipe))
    if turn.outcome is None:
        return
    replies, metrics = turn.outcome.replies, turn.outcome.metrics
    for call in replies:
        if not 1 <= call.layer <= len(turn.recipe.layers) or call.index < 1:
            raise FileError(f"turn {turn.id} has a call {call}, for which its recipe has no place")
    for overlap in metrics.overlap:
        if overlap.call not in replies:
            raise FileError(f"turn {turn.id} has numbers about {overlap.call}, which is none of its calls")
