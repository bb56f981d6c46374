"""A database of 2,000 conversations and one of a tenth of it: listing, searching, opening, writing, counting.

Both are made anew in each run, of invented words whose frequencies fall as those of a language do.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from textual.app import App

from moa_tui.conversation import Conversation, Turn, history, path
from moa_tui.engine.events import CallEnded, CallStarted
from moa_tui.engine.tasks import Reference, prepare
from moa_tui.engine.values import CallId, LayerMetrics, Metrics, Outcome, Overlap, Reply, Usage
from moa_tui.store import Store
from moa_tui.store.figures import figures as count_figures
from moa_tui.store.schema import connect
from moa_tui.store.search_text import SearchQuery
from moa_tui.store.text_pool import decoded
from moa_tui.ui.widgets.transcript import Transcript
from tests.benchmarks.figures import figure, percentile
from tests.helpers import recipe

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from textual.app import ComposeResult

    from tests.benchmarks.figures import Figure

CONVERSATIONS, TURNS, LONGEST = 2_000, 20_000, 1_000
PROPOSERS = 6
VOCABULARY = 20_000
INSERTS = 2_000
ROUNDS = 3
SEED = 20_240_604
BEGIN = 1_720_000_000.0


def measure() -> list[Figure]:
    """Everything at a tenth and at the whole, and what the whole is to the tenth."""
    with TemporaryDirectory() as folder:
        tenth = measured(Path(folder) / "tenth.db", CONVERSATIONS // 10, TURNS // 10)
        whole = measured(Path(folder) / "whole.db", CONVERSATIONS, TURNS)
    found = []
    for one in whole.values():
        small = tenth[one.name]
        found.append(figure(f"a tenth: {one.name}", one.unit, small.rounds, small.baseline))
        found.append(figure(f"whole: {one.name}", one.unit, one.rounds, one.baseline))
        found.append(figure(f"growth: {one.name.partition(', ')[0]}", one.unit, one.rounds, small.rounds))
    return found


@dataclass(frozen=True)
class Measured:
    """One figure's rounds and those of its baseline."""

    name: str
    unit: str
    rounds: list[float]
    baseline: list[float] = field(default_factory=list)


def measured(file: Path, conversations: int, turns: int) -> dict[str, Measured]:
    """All figures of a database of that size, by name."""
    words = Words()
    made = Made()
    with Store(file) as store:
        for conversation in generated(words, conversations, turns):
            begin = time.perf_counter()
            store.save(conversation)
            made.take(conversation, time.perf_counter() - begin)
        print(f"{file.name}: saved {made.calls / made.seconds:.0f} calls/s", file=sys.stderr)
    size = file.stat().st_size
    with Store(file) as store:
        found = [
            Measured("Store.save, to bare inserts", "ms/call", *saving(made, file)),
            *listing(store, file),
            *searching(store, words),
            *opening(store, made.longest),
            *counting(store),
            *writing(store, words, file),
        ]
    texts = made.text_bytes / turns / 1e3
    found.append(
        Measured("file size, to the texts' (ratio <= 1.5)", "KB/turn", [size / turns / 1e3], [texts])
    )
    return {one.name: one for one in found}


# What is in it


class Words:
    """Texts of invented words; the n-th word is about 1/n as frequent as the first."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)
        onsets = [
            *"bcdfghjklmnprstvwz",
            "br",
            "ch",
            "cl",
            "dr",
            "fl",
            "gr",
            "kr",
            "pl",
            "sh",
            "st",
            "th",
            "tr",
        ]
        vowels = [*"aeiou", "ai", "au", "ea", "ei", "ie", "io", "oo", "ou"]
        ends = ["", "", "", "n", "r", "s", "t", "l", "m", "nd", "rk", "st"]
        known: dict[str, None] = {}
        while len(known) < VOCABULARY:
            count = self.random.choice((1, 2, 2, 3, 3, 4))
            syllables = (
                self.random.choice(onsets) + self.random.choice(vowels) + self.random.choice(ends)
                for _ in range(count)
            )
            known["".join(syllables)] = None
        # Short words are the frequent ones, more or less.
        self.known = sorted(known, key=lambda word: len(word) + self.random.uniform(0, 6))
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))

    def some(self, count: int) -> list[str]:
        return self.random.choices(self.known, cum_weights=self._weights, k=count)

    def text(self, least: int, most: int) -> str:
        """Sentences of so many bytes or a little more."""
        size = self.random.randint(least, most)
        parts: list[str] = []
        written = 0
        while written < size:
            words = self.some(self.random.randint(6, 20))
            parts.append(
                f"{' '.join(words).capitalize()}.{' ' if self.random.random() < 0.8 else chr(10) * 2}"
            )
            written += len(parts[-1])
        return "".join(parts).strip()


@dataclass
class Made:
    """What was saved, and how long it took."""

    calls: int = 0
    text_bytes: int = 0
    seconds: float = 0.0
    longest: str = ""
    sample: list[str] = field(default_factory=list)

    def take(self, conversation: Conversation, seconds: float) -> None:
        self.seconds += seconds
        if len(conversation.turns) == LONGEST:
            self.longest = conversation.id
        for turn in conversation.turns:
            assert turn.outcome is not None
            texts = [turn.prompt, *(reply.text for reply in turn.outcome.replies.values())]
            self.text_bytes += sum(len(text.encode()) for text in texts)
            self.calls += len(turn.outcome.replies)
            if len(self.sample) < 7_000:
                self.sample += texts


RECIPES = [
    recipe(
        [
            {"name": name, "model": f"lab/{name}-{size}"}
            for name in ("qwen", "glm", "kimi", "llama", "gemma", "phi")
        ],
        [{"name": "judge", "model": f"lab/judge-{size}"}],
    ).model_copy(update={"name": f"moa-{size}"})
    for size in ("small", "middle", "large")
]


def generated(words: Words, conversations: int, turns: int) -> Iterator[Conversation]:
    """Conversations of one branch each, one of them of LONGEST turns, the others share the rest."""
    rest, others = turns - LONGEST, conversations - 1
    for number in range(conversations):
        if number == others // 2:
            count = LONGEST
        else:
            place = number - (number > others // 2)
            count = rest * (place + 1) // others - rest * place // others
        began = BEGIN + number * 3600 * 8 * CONVERSATIONS / conversations
        own: list[Turn] = []
        for at in range(count):
            own.append(turn_of(words, own[-1] if own else None, began + at * 60))
        title = " ".join(words.some(5)).capitalize() if number % 10 == 0 else ""
        tags = ("work",) if number % 7 == 0 else ()
        yield Conversation(tuple(own), own[-1], created=began, title=title, tags=tags)


def turn_of(words: Words, parent: Turn | None, created: float) -> Turn:
    """An answered turn, its messages as the engine sends them."""
    turn = Turn(words.text(60, 400), words.random.choice(RECIPES), parent=parent, created=created)
    return Turn(turn.prompt, turn.recipe, outcome_of(words, turn), parent, None, turn.id, created)


def outcome_of(words: Words, turn: Turn) -> Outcome:
    replies = dict(replies_of(words, turn))
    final = CallId(2, 1)
    overlap = tuple(
        Overlap(call, words.random.random() / 2, words.random.random()) for call in replies if call != final
    )
    metrics = Metrics(
        (LayerMetrics(1, PROPOSERS, PROPOSERS, CallId(1, 1), 9.0), LayerMetrics(2, 1, 1, final, 6.0)),
        15.0, 30.0, 0.5, 10.0, overlap, words.random.random(), words.random.random(),
    )  # fmt: skip
    usage = sum((reply.usage for reply in replies.values()), Usage(estimated=False))
    return Outcome("done", replies[final].text, replies, metrics, usage=usage, cost=0.014, seconds=15.0)


def replies_of(words: Words, turn: Turn) -> Iterator[tuple[CallId, Reply]]:
    sent = history(turn)
    references: list[Reference] = []
    for number, agents in enumerate(turn.recipe.lineup, 1):
        passed_on = list(references)
        for index, agent in enumerate(agents, 1):
            call = CallId(number, index)
            layer = turn.recipe.layers[number - 1]
            messages = prepare(call, agent, layer, sent, passed_on).messages
            text = words.text(1_000, 2_000)
            references.append(Reference(agent.name, text))
            first = 9.0 * (number - 1) + words.random.random()
            yield call, Reply(
                agent.name, agent.model, "done", messages, text, finish_reason="stop",
                usage=Usage(400, len(text) // 4, estimated=False), cost=0.002, queued=9.0 * (number - 1),
                started=9.0 * (number - 1), first_token=first, ended=first + 5 * words.random.random(),
                attempts=1,
            )  # fmt: skip


# What is measured


def timed(act: Callable[[], object]) -> float:
    """How long it takes, in milliseconds."""
    begin = time.perf_counter()
    act()
    return (time.perf_counter() - begin) * 1e3


def plain_database(file: Path) -> sqlite3.Connection:
    """A new file with one table of texts, written as the store's own is."""
    connection = connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE texts (key INTEGER PRIMARY KEY, text ANY)")
    return connection


def saving(made: Made, file: Path) -> tuple[list[float], list[float]]:
    """Milliseconds of Store.save a call, and of putting as many texts into a bare table."""
    bare = plain_database(file.with_name(f"bare-{file.name}"))

    def insert() -> None:
        bare.execute("BEGIN")
        bare.executemany("INSERT INTO texts (text) VALUES (?)", [(text,) for text in made.sample])
        bare.execute("COMMIT")

    plain = timed(insert) / len(made.sample)
    bare.close()
    return [made.seconds * 1e3 / made.calls], [plain]


def listing(store: Store, file: Path) -> list[Measured]:
    """The list of conversations: in a program just started, and again."""
    firsts, scans = [], []
    for _ in range(10):
        with Store(file) as fresh:
            firsts.append(timed(fresh.summaries))
    again = [[timed(store.summaries) for _ in range(40)] for _ in range(ROUNDS)]
    bare = connect(file)
    for _ in range(10):
        scans.append(timed(lambda: bare.execute("SELECT * FROM conversations ORDER BY used DESC").fetchall()))
    bare.close()
    return [
        Measured("list at first, to a bare scan (<= 50 ms)", "ms", firsts, scans),
        Measured(
            "list p95, to a bare scan (<= 50 ms)", "ms", [percentile(one, 0.95) for one in again], scans
        ),
    ]


def queries(words: Words, store: Store) -> dict[str, list[str]]:
    """A hundred questions of five kinds, drawn by chance."""
    draw = random.Random(SEED + 1)
    rare = [word for word in words.known[5_000:] if len(word) > 3]
    frequent = words.known[:100]
    bare = connect(store.path)
    phrases: list[str] = []
    while len(phrases) < 20:
        key = draw.randint(1, bare.execute("SELECT max(key) FROM parts").fetchone()[0])
        row = bare.execute("SELECT text FROM parts WHERE key = ? AND turn IS NOT NULL", (key,)).fetchone()
        if row is not None:
            sentence = draw.choice(decoded(row[0]).split(".")[:-1]).split()
            start = draw.randint(0, len(sentence) - 3)
            phrases.append(f'"{" ".join(sentence[start : start + 3])}"')
    bare.close()
    begun = draw.choices(words.known, k=20)
    return {
        "rare word": draw.sample(rare, 20),
        "frequent word": draw.sample(frequent, 20),
        "two words": [f"{draw.choice(frequent)} {draw.choice(words.known[:3_000])}" for _ in range(20)],
        "beginning": [word[: draw.randint(2, 4)] for word in begun],
        "phrase": phrases,
    }


def searching(store: Store, words: Words) -> list[Measured]:
    """A hundred searches for fifty places each, beside the bare question to the index."""
    bare = connect(store.path)
    ask = "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT 50"

    def alone(wanted: str) -> object:
        return bare.execute(ask, (SearchQuery(wanted).match_expression,)).fetchall()

    asked = queries(words, store)
    took: dict[str, list[list[float]]] = {kind: [] for kind in asked}
    plain: dict[str, list[list[float]]] = {kind: [] for kind in asked}
    for _ in range(ROUNDS):
        for kind, wanted in asked.items():
            took[kind].append([timed(partial(store.search, one, 50)) for one in wanted])
            plain[kind].append([timed(partial(alone, one)) for one in wanted])
    bare.close()

    def rounds(found: dict[str, list[list[float]]], share: float, kinds: list[str]) -> list[float]:
        together = zip(*(found[kind] for kind in kinds), strict=True)
        return [percentile([ms for part in one for ms in part], share) for one in together]

    kinds = list(asked)
    everything = [
        Measured(
            f"search {name}, to the index alone{target}",
            "ms",
            rounds(took, share, kinds),
            rounds(plain, share, kinds),
        )
        for name, share, target in (("p50", 0.5, ""), ("p95", 0.95, " (<= 100 ms)"), ("slowest", 1.0, ""))
    ]
    each = [
        Measured(
            f"search {kind} slowest, to the index alone",
            "ms",
            rounds(took, 0.95, [kind]),
            rounds(plain, 0.95, [kind]),
        )
        for kind in kinds
    ]
    return [*everything, *each]


def opening(store: Store, longest: str) -> list[Measured]:
    """The conversation of LONGEST turns: from the disk, and on to its last turn on the screen."""
    bare = connect(store.path)
    texts = (
        "SELECT text FROM parts WHERE conversation = (SELECT key FROM conversations WHERE id = ?)",
        (longest,),
    )
    scans = [timed(lambda: bare.execute(*texts).fetchall()) for _ in range(5)]
    bare.close()
    loads = [timed(lambda: store.load(longest)) for _ in range(5)]
    paints = asyncio.run(painting(store, longest))
    return [
        Measured(f"load {LONGEST:,} turns, to a bare scan", "ms", loads, scans),
        Measured(f"open {LONGEST:,} turns, to first paint (<= 300 ms)", "ms", paints, scans),
    ]


class Reading(App[None]):
    """The chat's transcript, alone on the screen."""

    def compose(self) -> ComposeResult:
        yield Transcript()


async def painting(store: Store, conversation_id: str) -> list[float]:
    """Milliseconds from the wish to open a conversation until its end is painted."""
    found = []
    for _ in range(ROUNDS):
        app = Reading()
        async with app.run_test(size=(120, 40)) as pilot:
            transcript = app.query_one(Transcript)
            await pilot.pause()
            painted = asyncio.Event()
            begin = time.perf_counter()
            conversation = await asyncio.to_thread(store.load, conversation_id)
            assert conversation.active is not None
            await transcript.open(path(conversation.active))
            transcript.call_after_refresh(painted.set)
            await painted.wait()
            found.append((time.perf_counter() - begin) * 1e3)
            assert transcript.views[-1].turn is conversation.active
    return found


def counting(store: Store) -> list[Measured]:
    """The statistics of everything, beside reading every call."""
    bare = connect(store.path)
    columns = (
        "turn, agent, model, status, prompt_tokens, completion_tokens, cost, started, first_token, ended"
    )
    scans = [timed(lambda: bare.execute(f"SELECT {columns} FROM calls").fetchall()) for _ in range(ROUNDS)]
    took = [timed(lambda: count_figures(bare)) for _ in range(ROUNDS)]
    bare.close()
    return [Measured("statistics, to a bare scan (<= 2000 ms)", "ms", took, scans)]


def writing(store: Store, words: Words, file: Path) -> list[Measured]:
    """INSERTS finished calls, each in a transaction of its own, in turn with bare rows of 8 KB."""
    applied: list[float] = []
    writer: Any = store._writer
    apply = writer._apply
    writer._apply = lambda count: applied.append(timed(lambda: apply(count)))
    bare = plain_database(file.with_name(f"rows-{file.name}"))
    data = words.text(8_000, 8_000).encode()

    def insert() -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO texts (text) VALUES (?)", (data,))
        bare.execute("COMMIT")

    waits: list[float] = []
    on_thread: list[float] = []
    plain: list[float] = []
    conversation = Conversation()
    while len(waits) < INSERTS:
        turn = turn_of(words, conversation.active, BEGIN)
        assert turn.outcome is not None
        recording = store.record(conversation, turn)
        for call, reply in turn.outcome.replies.items():
            agent = turn.recipe.lineup[call.layer - 1][call.index - 1]
            recording.take(CallStarted(call, agent, tuple(reply.messages), 0.0))
            writer.flush()
            applied.clear()
            begin = time.perf_counter()
            recording.take(CallEnded(call, reply))
            writer.flush()
            waits.append((time.perf_counter() - begin) * 1e3)
            on_thread.append(sum(applied))
            plain.append(timed(insert))
        conversation = conversation.with_turn(turn) if len(conversation.turns) < 20 else Conversation()
    writer._apply = apply
    bare.close()
    return [
        Measured(
            f"call {name} {what}, to a bare row{target}",
            "ms",
            quarters(took, share),
            quarters(plain, share),
        )
        for what, took in (("on the writer", on_thread), ("take to commit", waits))
        for name, share, target in (("p50", 0.5, ""), ("p99", 0.99, " (<= 5 ms)"))
    ]


def quarters(values: list[float], share: float) -> list[float]:
    """A percentile in each of four rounds."""
    size = len(values) // 4
    return [percentile(values[at : at + size], share) for at in range(0, size * 4, size)]
