"""Prompts and answers in the formats that the graders of benchmarks read, and in JSON Lines and CSV.

`open_input` reads prompts, `write_outputs` writes the answers of one recipe in the format of their prompts,
and `read_outputs` reads answers, those of other programs too. Nothing is held in the memory as a whole: what
is read can be gone through again and again, and what is written is taken one after another.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.benchmarks.alpaca_eval import ALPACA_EVAL
from moa_tui.evaluation.benchmarks.arena_hard import ARENA_HARD
from moa_tui.evaluation.benchmarks.csv_cells import CsvStyle, row_text
from moa_tui.evaluation.benchmarks.flask import FLASK
from moa_tui.evaluation.benchmarks.mt_bench import MT_BENCH
from moa_tui.evaluation.benchmarks.source import Source
from moa_tui.evaluation.benchmarks.tables import CSV, JSONL, has_prompts, shown
from moa_tui.evaluation.benchmarks.values import Answer, Benchmark, json_text
from moa_tui.formats.json_stream import Problems
from moa_tui.settings.paths import disk_words, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from moa_tui.evaluation.benchmarks.source import Entry
    from moa_tui.evaluation.values import BulkPrompt, PromptResult

__all__ = [
    "AUTO",
    "FORMATS",
    "Answer",
    "BulkInput",
    "BulkOutputs",
    "open_input",
    "output_name",
    "read_outputs",
    "write_outputs",
]

AUTO = "auto"
"""The name under which the format is told by what is in a file."""
_BENCHMARKS = (ALPACA_EVAL, MT_BENCH, FLASK, ARENA_HARD)
_KNOWN = {benchmark.name: benchmark for benchmark in (*_BENCHMARKS, JSONL, CSV)}
FORMATS = tuple(_KNOWN)
"""The names of all formats."""
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_LONGEST_NAME = 100


def open_input(
    path: Path,
    format: str = AUTO,
    *,
    column: str | None = None,
    skip_bad: bool = False,
    limit: int | None = None,
) -> BulkInput:
    """The prompts of a file, all of which are looked at once.

    `column` names that of the prompts in JSON Lines or CSV. Prompts that cannot be used are left out with
    `skip_bad`, else they are an error; of the others, `limit` are taken. Raises FileError, which says where
    and why, and UsageError for an unknown format.
    """
    return BulkInput(path, format, column=column, skip_bad=skip_bad, limit=limit)


class BulkInput:
    """The prompts of a file, in its order, which are read anew each time they are gone through.

    `sha256` is that of the file, `count` the number of prompts, and `problems` says in sentences what was
    left out. `csv_style` is how the file's CSV is written.
    """

    def __init__(
        self, path: Path, format: str, *, column: str | None, skip_bad: bool, limit: int | None
    ) -> None:
        self.path = path
        try:
            self._source = Source(path)
            first = _first_entry(self._source)
            benchmark = _input_format(format, first, self._source, column)
            self._read = benchmark.reader(first, column)
            self.format = benchmark.name
            self.csv_style = self._source.csv_style
            self._left_out: set[int] = set()
            self.count, self.problems = self._look_through(skip_bad, limit)
            self.sha256 = _sha256(path)
        except FileError as error:
            raise FileError(f"{path}: {error}") from error

    def __iter__(self) -> Iterator[BulkPrompt]:
        """The prompts. Raises FileError where the file cannot be read any more."""
        left = self.count
        try:
            for entry in self._source:
                if not left:
                    return
                if entry.number not in self._left_out:
                    left -= 1
                    yield self._read(entry)
        except FileError as error:
            raise FileError(f"{self.path}: {error}") from error

    def _look_through(self, skip_bad: bool, limit: int | None) -> tuple[int, tuple[str, ...]]:
        """The number of prompts that can be used, and what was wrong with others. Raises FileError."""
        places: dict[str, str] = {}
        problems = Problems()
        for entry in self._source:
            if limit is not None and len(places) >= limit:
                break
            try:
                if entry.fault:
                    raise FileError(entry.fault)
                self._note(entry, places)
            except FileError as error:
                if not skip_bad:
                    raise FileError(f"{error}. Correct it, or leave such entries out (--skip-bad)") from error
                self._left_out.add(entry.number)
                problems.add(str(error))
        if not places:
            raise FileError(f"it has no prompt that can be used. {problems.first}".strip())
        return len(places), tuple(problems.notes())

    def _note(self, entry: Entry, places: dict[str, str]) -> None:
        """Note the place of a prompt under its id. Raises FileError for one that cannot be used."""
        try:
            prompt = self._read(entry)
        except FileError as error:
            raise FileError(f"{entry.where}: {error}") from error
        if prompt.id in places:
            raise FileError(f'{entry.where}: the id "{prompt.id}" is that of {places[prompt.id]} already')
        places[prompt.id] = entry.where


def output_name(format: str, name: str) -> str:
    """The name of the file with the answers of the recipe `name`, which graders take for the model's name.

    Raises UsageError for an unknown format.
    """
    safe = _NOT_IN_NAMES.sub("-", name)[:_LONGEST_NAME].strip("-.") or "recipe"
    return f"{safe}{_known(format).suffix}"


def write_outputs(
    format: str, path: Path, model_id: str, results: Iterable[PromptResult], *, like: BulkInput | None = None
) -> None:
    """Write the answers of one recipe as the graders of a format read them, in the order of `results`.

    The same results give the same bytes. The file is written whole or not at all, for its owner alone, and
    takes the results one after another. A prompt without a whole answer has its reason in a field of its own.
    CSV is written as that of the input `like`: with the same delimiter, and a byte order mark if it has one.
    Raises FileError where the file cannot be written, and UsageError for an unknown format.
    """
    benchmark = _known(format)
    rows = (benchmark.row(model_id, result) for result in results)
    match benchmark.name:
        case ALPACA_EVAL.name:
            pieces = _array(rows)
        case CSV.name:
            pieces = _csv(rows, like.csv_style if like is not None else CsvStyle())
        case _:
            pieces = (f"{json_text(row)}\n" for row in rows)
    try:
        write_private(path, pieces)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {disk_words(error)}") from error


def _array(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A JSON array with an entry on each line."""
    before = "[\n"
    for row in rows:
        yield f"{before}{json_text(row)}"
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _csv(rows: Iterable[Mapping[str, Any]], style: CsvStyle) -> Iterator[str]:
    """CSV with the columns of its first row."""
    columns: list[str] = []
    if style.has_mark:
        yield "\ufeff"
    for row in rows:
        if not columns:
            columns = list(row)
            yield row_text(columns, style.delimiter)
        yield row_text(("" if row[name] is None else str(row[name]) for name in columns), style.delimiter)


def read_outputs(path: Path, format: str = AUTO, *, skip_bad: bool = False) -> BulkOutputs:
    """The answers of a file, all of which are looked at once.

    Answers that cannot be read are left out with `skip_bad`, else they are an error. Raises FileError, which
    says where and why, and UsageError for an unknown format.
    """
    return BulkOutputs(path, format, skip_bad=skip_bad)


class BulkOutputs:
    """The answers of a file, in its order, which are read anew each time they are gone through.

    `generators` are the names of what gave them, in order. Entries that do not say it have that of the first
    entry; where that one does not say it either, it is the file's own name. `count` is the number of answers,
    `sha256` the file's, and `problems` says what was left out: answers that cannot be read, and those that
    the file has again further down, of which graders take the last.
    """

    def __init__(self, path: Path, format: str, *, skip_bad: bool) -> None:
        self.path = path
        try:
            self._source = Source(path)
            first = _first_entry(self._source)
            self._benchmark = _outputs_format(format, first, self._source)
            self.format = self._benchmark.name
            # Older files say it in some entries only.
            self._unnamed = path.stem
            self._unnamed = self._answer(first).generator
            self._left_out: set[int] = set()
            self.generators, self.count, self.problems = self._look_through(skip_bad)
            self.sha256 = _sha256(path)
        except FileError as error:
            raise FileError(f"{path}: {error}") from error

    def __iter__(self) -> Iterator[Answer]:
        """The answers. Raises FileError where the file cannot be read any more."""
        try:
            for entry in self._source:
                if entry.number not in self._left_out:
                    yield self._answer(entry)
        except FileError as error:
            raise FileError(f"{self.path}: {error}") from error

    def _answer(self, entry: Entry) -> Answer:
        """The answer of an entry. Raises FileError, with the place."""
        if entry.fault:
            raise FileError(entry.fault)
        try:
            return self._benchmark.answer(entry.row, self._unnamed)
        except FileError as error:
            raise FileError(f"{entry.where}: {error}") from error

    def _look_through(self, skip_bad: bool) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
        """The names of generators, the number of answers, and what was left out. Raises FileError."""
        generators: dict[str, int] = {}
        # The entry that counts for an id, with its place.
        entries: dict[tuple[str, str], tuple[int, str]] = {}
        problems = Problems()
        for entry in self._source:
            try:
                answer = self._answer(entry)
            except FileError as error:
                if not skip_bad:
                    raise FileError(f"{error}. Correct it, or leave such entries out (--skip-bad)") from error
                self._left_out.add(entry.number)
                problems.add(str(error))
                continue
            generators[answer.generator] = generators.get(answer.generator, 0) + 1
            if not answer.id:
                continue
            key = answer.generator, answer.id
            if key in entries:
                number, where = entries[key]
                self._left_out.add(number)
                generators[answer.generator] -= 1
                problems.add(f'{where}: the answer to "{answer.id}" is there again, in {entry.where}')
            entries[key] = entry.number, entry.where
        if not generators:
            raise FileError(f"it has no answer that can be read. {problems.first}".strip())
        return tuple(generators), sum(generators.values()), tuple(problems.notes())


def _sha256(path: Path) -> str:
    """The hash of a file. Raises FileError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FileError(f"it cannot be read: {disk_words(error)}") from error


def _known(name: str) -> Benchmark:
    """The format of that name. Raises UsageError for an unknown one."""
    if name not in _KNOWN:
        raise UsageError(f'there is no format "{name}"; known: {AUTO}, {", ".join(FORMATS)}')
    return _KNOWN[name]


def _first_entry(source: Source) -> Entry:
    """The first entry that can be read. Raises FileError where there is none."""
    fault = ""
    for entry in source:
        if not entry.fault:
            return entry
        fault = fault or entry.fault
    raise FileError(f"it has no entry that can be read. {fault}".strip())


def _input_format(name: str, first: Entry, source: Source, column: str | None) -> Benchmark:
    """The format of prompts that is named, or that a first entry has. Raises FileError."""
    table = CSV if source.container == "csv" else JSONL
    if name != AUTO:
        benchmark = _known(name)
        if column is not None and benchmark not in (JSONL, CSV):
            raise FileError(f"a column of prompts can be named for jsonl and csv, not for {name}")
        if not benchmark.fits(first.row, source.container) and not _is_listed(benchmark, first, source):
            raise FileError(_mismatch(benchmark.expects, name, first, source))
        return benchmark
    if column is not None or table is CSV:
        return table
    fitting = [benchmark for benchmark in _BENCHMARKS if benchmark.fits(first.row, source.container)]
    if len(fitting) > 1:
        names = " and ".join(benchmark.name for benchmark in fitting)
        raise FileError(f"its entries fit {names}; say which is meant with --format")
    if fitting:
        return fitting[0]
    if answers := [benchmark.name for benchmark in _BENCHMARKS if benchmark.has_answers(first.row)]:
        raise FileError(f"it has answers in the format {answers[0]}, and no prompts")
    if not has_prompts(first.row):
        raise FileError(f"it is in no format that is known; its entries have the fields: {shown(first.row)}")
    return table


def _is_listed(benchmark: Benchmark, first: Entry, source: Source) -> bool:
    """True for instructions of AlpacaEval, one a line, which only a name tells from other JSON Lines."""
    return benchmark is ALPACA_EVAL and source.container == "lines" and "instruction" in first.row


def _outputs_format(name: str, first: Entry, source: Source) -> Benchmark:
    """The format of answers that is named, or that a first entry has. Raises FileError."""
    if name != AUTO:
        fitting = [_known(name)]
        words = f"the format {name}"
    else:
        # What moa-tui added to a table of prompts tells more than the names of its other columns.
        fitting = [CSV if source.container == "csv" else JSONL, *_BENCHMARKS]
        words = "a format that is known"
    for benchmark in fitting:
        if benchmark.has_answers(first.row):
            return benchmark
    raise FileError(f"it has no answers in {words}; its entries have the fields: {shown(first.row)}")


def _mismatch(expected: str, name: str, first: Entry, source: Source) -> str:
    """What an input of a named format has, and what is there instead."""
    there = {"array": "a JSON array", "lines": "JSON Lines", "csv": "CSV"}[source.container]
    return (
        f"it is not in the format {name}, which is {expected}; this is {there} with the fields: "
        f"{shown(first.row)}"
    )
