"""Makes a whole database, in memory, of the rows that can still be read of a damaged one.

Rows are told apart by their columns, since nothing else on a page says whose it is. What they refer to and is
lost is made up for, so that what is there can be read: a text by a line that says so, a turn by the texts
that know they belong to it.
"""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import Failure, Metrics, OutcomeStatus, Status
from moa_tui.store.pages import rows_of
from moa_tui.store.row_json import failure_json, metrics_from, metrics_json, recipe_json, to_json
from moa_tui.store.schema import MIGRATIONS
from moa_tui.store.text_pool import decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moa_tui.store.pages import PageRow, Value

LOST_TEXT = "[This text stood in a part of the file that is lost.]"

_TABLES = ("conversations", "parts", "turns", "calls", "pieces", "steps", "tags", "choices")
_TYPES: dict[str, tuple[type, ...]] = {
    "INTEGER": (int,),
    "REAL": (int, float),
    "TEXT": (str,),
    "BLOB": (bytes,),
}
_LOST_TURN = Failure(
    "interrupted", "the file was damaged: of this turn there is what could be read of its texts"
)

# A table of days stands in a file like an index of ids.
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# What a conversation that is read in may have: a time within the years that dates know, a short id.
_LATEST, _LONGEST_ID = 253_402_214_400.0, 64
_INSERT_LOST_TURN = """
INSERT OR IGNORE INTO turns (key, conversation, id, parent, created, prompt, recipe, recipe_name, status,
    answer, error, metrics, prompt_tokens, completion_tokens, estimated, seconds)
SELECT :turn, :conversation, :id,
    (SELECT id FROM turns WHERE key < :turn AND conversation = :conversation ORDER BY key DESC LIMIT 1),
    created,
    coalesce((SELECT key FROM parts WHERE turn = :turn AND layer = 0 LIMIT 1), :no_text),
    :no_recipe, 'rescued', 'stopped',
    coalesce((SELECT key FROM parts WHERE turn = :turn AND layer > 0 ORDER BY layer DESC, place LIMIT 1),
        :no_text),
    :error, :metrics, 0, 0, 1, 0.0
FROM conversations WHERE key = :conversation
"""


class Salvage:
    """A database in memory with all rows that could be read, which the caller closes.

    `gaps` counts, by the key of the conversation, what is lost and was made up for; `lost_ids` are the ids of
    conversations of which an index alone is left.
    """

    def __init__(self, image: bytearray, page_size: int) -> None:
        self.connection = _empty_database()
        self.gaps: defaultdict[int, int] = defaultdict(int)
        self.lost_ids: list[str] = []
        self._insert(rows_of(image, page_size))
        self._add_conversations()
        self._add_turns()
        self._add_calls()
        self._mend_owners()
        self._add_texts()
        self._mend_values()
        self._mend_metrics()

    def _insert(self, rows: Iterable[PageRow]) -> None:
        """Insert each row into the table that it is of; one that is there already is left out."""
        shapes = _shapes(self.connection)
        indexed_ids: dict[str, int] = {}
        for rowid, values in rows:
            for shape in shapes.get((rowid is not None, len(values)), ()):
                if shape.fits(values):
                    key = rowid if shape.key_is_rowid else values[0]
                    marks = ", ".join("?" * len(values))
                    insert = (
                        f"INSERT OR IGNORE INTO {shape.table} ({shape.names(len(values))}) VALUES ({marks})"  # noqa: S608 - own names
                    )
                    self.connection.execute(insert, (key, *values[1:]))
                    break
            match values:
                case str(id_), int(row_key) if rowid is None and not _DAY.fullmatch(id_):
                    indexed_ids[id_] = row_key
        ids = {row[0] for row in self.connection.execute("SELECT id FROM conversations")}
        indexed_ids.pop("version", None)  # The search index notes its version like this.
        self._indexed_ids = {key: id_ for id_, key in indexed_ids.items() if id_ not in ids}

    def _add_conversations(self) -> None:
        """Insert the conversations of which there are turns or texts, but no row."""
        missing = self.connection.execute(
            "SELECT DISTINCT conversation FROM (SELECT conversation FROM turns UNION ALL "
            "SELECT conversation FROM parts) WHERE conversation NOT IN (SELECT key FROM conversations)"
        ).fetchall()
        for (key,) in missing:
            id_ = self._indexed_ids.pop(key, f"rescued{key:05}")
            self.connection.execute(
                "INSERT OR IGNORE INTO conversations (key, id, created, used, first_line) "
                "SELECT ?, ?, coalesce(min(created), 0.0), coalesce(max(created), 0.0), '' "
                "FROM turns WHERE conversation = ?",
                (key, id_, key),
            )
        self.lost_ids = sorted(self._indexed_ids.values())

    def _add_turns(self) -> None:
        """Insert the turns of which there are texts or calls, but no row, each behind the one before it."""
        missing = self.connection.execute(
            "SELECT DISTINCT conversation, turn FROM parts "
            "WHERE turn IS NOT NULL AND turn NOT IN (SELECT key FROM turns) ORDER BY turn"
        ).fetchall()
        for conversation, turn in missing:
            self.gaps[conversation] += 1
            self.connection.execute(
                _INSERT_LOST_TURN,
                {
                    "turn": turn,
                    "conversation": conversation,
                    "id": f"rescued{turn:05}",
                    # Keys that no text has, of which each conversation has its own.
                    "no_text": -2 * conversation,
                    "no_recipe": -2 * conversation - 1,
                    "error": encoded(failure_json(_LOST_TURN)),
                    "metrics": metrics_json(Metrics()),
                },
            )

    def _add_calls(self) -> None:
        """Insert the calls of which there is an answer, but no row; remove those in impossible places."""
        self.connection.execute(
            "DELETE FROM calls WHERE layer NOT BETWEEN 1 AND 100 OR place NOT BETWEEN 1 AND 100"
        )
        self.connection.execute(
            "INSERT OR IGNORE INTO calls (turn, layer, place, agent, model, messages, status, text, "
            "prompt_tokens, completion_tokens, estimated, queued, ended, attempts, reused) "
            "SELECT turn, layer, place, 'unknown', 'unknown', ?, 'done', key, 0, 0, 1, 0.0, 0.0, 1, 0 "
            "FROM parts WHERE turn IS NOT NULL AND layer BETWEEN 1 AND 100 AND place BETWEEN 1 AND 100",
            (encoded("[]"),),
        )

    def _mend_owners(self) -> None:
        """Give each text to the conversation of its turn; drop what refers to the text of another."""
        execute = self.connection.execute
        # One number that was written over has made the text another conversation's.
        execute(
            "UPDATE parts SET conversation = (SELECT conversation FROM turns WHERE key = parts.turn) "
            "WHERE EXISTS (SELECT 1 FROM turns AS own WHERE own.key = parts.turn AND (parts.key IN "
            "(own.prompt, own.answer) OR EXISTS (SELECT 1 FROM calls WHERE calls.turn = own.key "
            "AND parts.key IN (calls.text, calls.reasoning))))"
        )
        for column, number in (("prompt", 0), ("system", 0), ("answer", 0), ("recipe", -1)):
            execute(
                f"UPDATE turns SET {column} = -2 * conversation + ? WHERE EXISTS (SELECT 1 FROM parts "  # noqa: S608 - own names
                f"WHERE key = turns.{column} AND parts.conversation != turns.conversation)",
                (number,),
            )
        for column in ("text", "reasoning"):
            execute(
                f"UPDATE calls SET {column} = (SELECT -2 * conversation FROM turns WHERE key = calls.turn) "  # noqa: S608 - own names
                f"WHERE EXISTS (SELECT 1 FROM parts JOIN turns ON turns.key = calls.turn "
                f"WHERE parts.key = calls.{column} AND parts.conversation != turns.conversation)"
            )

    def _add_texts(self) -> None:
        """Put a text that says that it is lost in the place of each that is referred to and not there."""
        owners = dict(self.connection.execute("SELECT key, conversation FROM parts"))
        for key, data in self.connection.execute("SELECT key, text FROM parts").fetchall():
            if _text(data) is None:
                self.connection.execute("DELETE FROM parts WHERE key = ?", (key,))
                del owners[key]
        for conversation, recipe, recipe_name, *keys in self.connection.execute(
            "SELECT conversation, recipe, recipe_name, prompt, system, answer FROM turns"
        ).fetchall():
            if recipe not in owners:
                owners[recipe] = conversation
                self.gaps[conversation] += 1
                self._put_recipe(conversation, recipe, recipe_name)
            self._fill(conversation, keys, owners)
        for turn, layer, place, messages, *keys in self.connection.execute(
            "SELECT turn, layer, place, messages, text, reasoning FROM calls"
        ).fetchall():
            row = self.connection.execute("SELECT conversation FROM turns WHERE key = ?", (turn,)).fetchone()
            if row is None:
                continue
            self._fill(row[0], keys, owners)
            sent = self._message_keys(messages)
            if sent is None or any(owners.get(key, row[0]) != row[0] for key in sent):
                update = "UPDATE calls SET messages = ? WHERE turn = ? AND layer = ? AND place = ?"
                self.connection.execute(update, (encoded("[]"), turn, layer, place))
            else:
                self._fill(row[0], sent, owners)

    def _mend_values(self) -> None:
        """Put values that can be read in again in the place of those that were written over."""
        execute = self.connection.execute
        for table in ("conversations", "turns"):
            execute(f"UPDATE {table} SET created = 0.0 WHERE created NOT BETWEEN 0.0 AND ?", (_LATEST,))  # noqa: S608 - own names
            for key, id_ in execute(f"SELECT key, id FROM {table}").fetchall():  # noqa: S608 - own names
                if not id_.isprintable() or not 0 < len(id_) <= _LONGEST_ID:
                    execute(f"UPDATE {table} SET id = ? WHERE key = ?", (f"rescued{key:05}", key))  # noqa: S608 - own names
        for key, source in execute("SELECT key, forked_from FROM conversations").fetchall():
            if source is not None and not source.isprintable():
                execute("UPDATE conversations SET forked_from = NULL WHERE key = ?", (key,))
        for table, statuses, usual in (
            ("turns", get_args(OutcomeStatus), "stopped"),
            ("calls", get_args(Status), "partial"),
        ):
            marks = ", ".join("?" * len(statuses))
            execute(f"UPDATE {table} SET status = ? WHERE status NOT IN ({marks})", (usual, *statuses))  # noqa: S608 - own names

    def _mend_metrics(self) -> None:
        """Leave out numbers about calls that are lost, and calls that a turn's recipe has no layer for."""
        query = (
            "SELECT t.key, t.metrics, p.text FROM turns AS t JOIN parts AS p ON p.key = t.recipe "
            "WHERE t.status IS NOT NULL"
        )
        for turn, metrics, recipe in self.connection.execute(query).fetchall():
            with suppress(ValueError, TypeError, LookupError):
                layers = len(json.loads(_text(recipe) or "")["layers"])
                self.connection.execute("DELETE FROM calls WHERE turn = ? AND layer > ?", (turn, layers))
            calls = set(self.connection.execute("SELECT layer, place FROM calls WHERE turn = ?", (turn,)))
            mended = metrics_json(Metrics())
            with suppress(ValueError, TypeError, LookupError):
                fields = json.loads(metrics)
                fields["overlap"] = [
                    row for row in fields["overlap"] if (row["layer"], row["index"]) in calls
                ]
                mended = metrics_json(metrics_from(to_json(fields)))
            self.connection.execute("UPDATE turns SET metrics = ? WHERE key = ?", (mended, turn))

    def simplify(self, conversation: int) -> None:
        """Leave out all of a conversation but its texts, since something else in it makes no sense."""
        turns = (
            "UPDATE turns SET error = NULL, notes = NULL, metrics = ?, status = 'stopped', "
            "prompt_tokens = 0, completion_tokens = 0, estimated = 1, seconds = 0.0 WHERE conversation = ?"
        )
        self.connection.execute(turns, (metrics_json(Metrics()), conversation))
        calls = (
            "UPDATE calls SET error = NULL, notes = NULL WHERE turn IN "
            "(SELECT key FROM turns WHERE conversation = ?)"
        )
        self.connection.execute(calls, (conversation,))
        recipes = "SELECT DISTINCT recipe, recipe_name FROM turns WHERE conversation = ?"
        for key, name in self.connection.execute(recipes, (conversation,)).fetchall():
            self._put_recipe(conversation, key, name)

    @staticmethod
    def _message_keys(messages: bytes) -> list[int] | None:
        """Return the keys of the texts that a call was sent; None where its messages cannot be read."""
        try:
            rows = json.loads(_text(messages) or "")
            return [
                key for role, *rest in rows if isinstance(role, str) for key in rest if isinstance(key, int)
            ]
        except (ValueError, TypeError, RecursionError):
            return None

    def _fill(self, conversation: int, keys: Iterable[int | None], owners: dict[int, int]) -> None:
        for key in keys:
            if key is not None and key not in owners:
                self._put_text(conversation, key, LOST_TEXT)
                owners[key] = conversation
                self.gaps[conversation] += 1

    def _put_recipe(self, conversation: int, key: int, name: str) -> None:
        """Put a recipe that nobody can be asked by, of as many calls, in the place of one that is lost."""
        query = (
            "SELECT layer, max(place) FROM calls WHERE turn IN "
            "(SELECT key FROM turns WHERE conversation = ? AND recipe = ?) GROUP BY layer"
        )
        sizes = dict(self.connection.execute(query, (conversation, key)))
        layers = [
            {"agents": [{"model": "imported/unknown"}] * sizes.get(number, 1)}
            for number in range(1, max(sizes, default=1) + 1)
        ]
        if len(layers[-1]["agents"]) > 1:  # Its call that writes the answer is lost too.
            layers.append({"agents": [{"model": "imported/unknown"}]})
        recipe = Recipe.model_validate({"name": "rescued", "layers": layers})
        with suppress(ValueError):
            recipe = Recipe.model_validate({"name": name, "layers": layers})
        self._put_text(conversation, key, recipe_json(recipe))

    def _put_text(self, conversation: int, key: int, text: str) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO parts (key, conversation, hash, text) VALUES (?, ?, ?, ?)",
            (key, conversation, b"rescued" + key.to_bytes(9, "big", signed=True), encoded(text)),
        )


class _Shape:
    """A table by its columns: what each may hold, and whether its key is the rowid."""

    def __init__(self, table: str, columns: list[tuple[str, str, int, int]]) -> None:
        self.table = table
        self._names = [name for name, *_ in columns]
        self.count = len(columns)
        self.key_is_rowid = columns[0][0] == "key"
        self._kinds = [
            (*_TYPES[kind], type(None)) if not not_null or (at == 0 and self.key_is_rowid) else _TYPES[kind]
            for at, (_, kind, not_null, _) in enumerate(columns)
        ]

    def names(self, count: int) -> str:
        return ", ".join(self._names[:count])

    def fits(self, values: tuple[Value, ...]) -> bool:
        """Return whether these can be the first values of a row of the table."""
        return all(isinstance(value, kinds) for value, kinds in zip(values, self._kinds, strict=False))


def _empty_database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in MIGRATIONS:
        connection.executescript(step)
    return connection


def _shapes(connection: sqlite3.Connection) -> dict[tuple[bool, int], list[_Shape]]:
    """Return the tables by whether they have rowids and by the number of columns, in any version of them."""
    shapes: dict[tuple[bool, int], list[_Shape]] = defaultdict(list)
    versions = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for step in MIGRATIONS:
            versions.executescript(step)
            for table in _TABLES:
                count = len(_columns(versions, table))
                newest = _Shape(table, _columns(connection, table))
                known = shapes[table not in ("calls", "steps"), count]
                if count and all(shape.table != table for shape in known):
                    known.append(newest)
    finally:
        versions.close()
    return shapes


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, int, int]]:
    query = 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)'
    return connection.execute(query, (table,)).fetchall()


def _text(data: bytes) -> str | None:
    """Return the text, None where it cannot be read."""
    try:
        return decoded(data)
    except (zlib.error, UnicodeDecodeError):
        return None
