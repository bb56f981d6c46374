"""A run folder: what was asked, every call that has ended, and how each run ended.

    manifest.json   what it was begun with (`manifest.Manifest`)
    input.*         the input, as it was then
    calls.jsonl     a line a finished call, each with the reply as `formats.json_writer` writes it
    results.jsonl   a line a finished run; of several lines of one run the last counts
    outputs/        the answers in the input's format, a file a recipe
    summary.json    the figures

All is for the owner alone. The two logs only grow, so that a program that is killed loses no finished call.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self, get_args

import filelock

from moa_tui.engine.values import OutcomeStatus, Usage, paid
from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.append_log import AppendLog
from moa_tui.evaluation.manifest import Manifest, manifest_from
from moa_tui.evaluation.values import RunKey, RunResult, was_answered
from moa_tui.formats.json_reader import failure_from, reply_from
from moa_tui.formats.json_writer import failure_document, reply_document
from moa_tui.settings.paths import disk_words, make_private_dir, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Set
    from pathlib import Path

    from moa_tui.engine.values import CallId, Reply
    from moa_tui.formats.json_stream import Problems

CALLS, RESULTS = "calls.jsonl", "results.jsonl"
_MANIFEST = "manifest.json"
_LOCK = ".lock"


class RunFolder:
    """A run folder, with an index of its logs in memory. Not for several threads at once."""

    def __init__(
        self, path: Path, manifest: Manifest, *, writable: bool, problems: Problems | None = None
    ) -> None:
        """Use `begin` or `read`."""
        self.path = path
        self.manifest = manifest
        self._lock: filelock.FileLock | None = None
        self._problems = problems
        on_bad_line = problems.add if problems is not None else None
        self._call_log = AppendLog(path / CALLS, writable=writable)
        self._result_log = AppendLog(path / RESULTS, writable=writable)
        self._calls: dict[RunKey, list[int]] = {}
        """Where the lines of each run's calls begin."""
        self._results: dict[RunKey, int] = {}
        """Where the last line of each run begins."""
        for place, entry in self._call_log.entries(on_bad_line):
            self._calls.setdefault(_key_of(entry), []).append(place)
        for place, entry in self._result_log.entries(on_bad_line):
            self._results[_key_of(entry)] = place

    @classmethod
    def begin(cls, path: Path, manifest: Manifest, input_file: Path) -> Self:
        """The folder, to go on where it was left; a new one where there is none.

        `input_file` is copied into a new one. Raises UsageError where another program is at work in it or
        where it was begun with another input or other recipes, and FileError where it cannot be written.
        """
        try:
            if path.exists() and not (path / _MANIFEST).exists() and _has_others(path):
                raise UsageError(
                    f"{path} is not empty, and no run folder: name a new folder with -o, or an empty one"
                )
            make_private_dir(path)
            lock = _locked(path)
            try:
                if (path / _MANIFEST).exists():
                    _refuse_others(path, read_manifest(path), manifest)
                    manifest = _gone_on_with(path, manifest)
                else:
                    _write_new(path, manifest, input_file)
                folder = cls(path, manifest, writable=True)
            except BaseException:
                lock.release()
                raise
        except OSError as error:
            raise FileError(f"{path} cannot be written: {disk_words(error)}; name another with -o") from error
        folder._lock = lock
        return folder

    @classmethod
    def read(cls, path: Path, problems: Problems | None = None) -> Self:
        """The folder as it is, to read. Raises FileError.

        With `problems`, a line that cannot be read costs that line alone, and is named there: so is a folder
        read that may come from anybody.
        """
        return cls(path, read_manifest(path), writable=False, problems=problems)

    @property
    def input_file(self) -> Path:
        """The input as it was when the folder was begun. Raises FileError where it is gone."""
        for file in sorted(self.path.glob("input.*")):
            return file
        raise FileError(f"{self.path}: the input is gone (input.json, input.jsonl or input.csv)")

    @property
    def keys(self) -> Set[RunKey]:
        """The runs of which anything is kept."""
        return self._calls.keys() | self._results.keys()

    def calls(self, key: RunKey) -> dict[CallId, Reply]:
        """The calls of a run that were answered, or failed when they were asked. Raises FileError.

        Where one was asked again, those of later layers before that have read what it said before, and are
        left out.
        """
        calls: dict[CallId, Reply] = {}
        for place in self._calls.get(key, ()):
            try:
                entry = self._call_log.entry(place)
                call, reply = reply_from(entry, f"{self.path / CALLS} at byte {place}")
            except FileError as error:
                if self._problems is None:
                    raise
                self._problems.add(str(error))
                continue
            if call in calls:
                calls = {other: calls[other] for other in calls if other.layer <= call.layer}
            calls[call] = reply
        return dict(sorted(calls.items()))

    def paid(self) -> float:
        """What all calls cost, each as often as it was asked, in US dollars, unknown prices left out.

        Raises FileError.
        """
        entries = (self._call_log.entry(place) for places in self._calls.values() for place in places)
        return paid(reply_from(entry, str(self.path / CALLS))[1] for entry in entries).known_cost

    def result(self, key: RunKey) -> RunResult | None:
        """How a run ended; None where it has not. Raises FileError."""
        if (place := self._results.get(key)) is None:
            return None
        try:
            return _result_from(self._result_log.entry(place), self.path / RESULTS)
        except FileError as error:
            if self._problems is None:
                raise
            self._problems.add(str(error))
            return None

    def keep_call(self, key: RunKey, call: CallId, reply: Reply, at: float) -> None:
        """Keep a call that ended at `at`, in Unix seconds; one that was never asked is left out.

        Raises FileError where it cannot be written.
        """
        if reply.reused or not was_answered(reply):
            return
        entry = {**_key_document(key), **reply_document(call, reply), "at": at}
        self._calls.setdefault(key, []).append(self._call_log.append(entry))

    def keep_result(self, key: RunKey, result: RunResult) -> None:
        """Keep how a run ended. Raises FileError where it cannot be written."""
        document = {
            **_key_document(key),
            "status": result.status,
            "answer": result.answer,
            "error": failure_document(result.error),
            "usage": asdict(result.usage),
            "cost": result.cost,
            "seconds": result.seconds,
            "calls": result.calls,
            "ended": result.ended,
        }
        self._results[key] = self._result_log.append(document)

    def take_from(self, other: Self) -> None:
        """Keep all calls and results of a folder with the same recipes and input that are not kept yet.

        Raises FileError where one cannot be read, or cannot be written here.
        """
        for key, place in _copied(other._call_log, self._call_log):
            self._calls.setdefault(key, []).append(place)
        for key, place in _copied(other._result_log, self._result_log):
            self._results[key] = place

    def write(self, name: str, text: str) -> None:
        """Write a file of the folder, in the place of one of that name. Raises FileError."""
        try:
            write_private(self.path / name, text)
        except OSError as error:
            raise FileError(f"{self.path / name} cannot be written: {disk_words(error)}") from error

    def close(self) -> None:
        """Close the files, and let another program have the folder."""
        for log in (self._call_log, self._result_log):
            if self._lock is not None:
                log.sync()
            log.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def read_manifest(path: Path) -> Manifest:
    """What the folder was begun with. Raises FileError."""
    try:
        document = json.loads((path / _MANIFEST).read_text("utf-8"))
    except FileNotFoundError as error:
        raise FileError(f"{path} is no run folder: it has no {_MANIFEST}") from error
    except OSError as error:
        raise FileError(f"{path / _MANIFEST} cannot be read: {disk_words(error)}") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path / _MANIFEST} cannot be read: {error}") from error
    try:
        return manifest_from(document)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error


def is_run_folder(path: Path) -> bool:
    """True where `path` looks like a run folder."""
    return (path / _MANIFEST).is_file() and (path / CALLS).is_file()


def _has_others(path: Path) -> bool:
    """True where a folder without a manifest has files of somebody else.

    Who was killed while a folder was begun leaves the lock, and perhaps a copy of the input.
    """
    names = {file.name for file in path.iterdir()}
    is_own = _LOCK in names
    return any(name != _LOCK and not (is_own and name.startswith((".", "input."))) for name in names)


def _write_new(path: Path, manifest: Manifest, input_file: Path) -> None:
    """Write what a new folder has before any call: the manifest last, without which it is none yet."""
    copy = path / f"input{input_file.suffix.lower() or '.jsonl'}"
    for earlier in path.glob("input.*"):
        if not earlier.samefile(input_file):
            earlier.unlink()
    try:
        if not (copy.exists() and copy.samefile(input_file)):
            shutil.copyfile(input_file, copy)
        copy.chmod(0o600)
        _write_manifest(path, manifest)
    except BaseException:
        if copy.exists() and not copy.samefile(input_file):
            copy.unlink()
        raise


def _gone_on_with(path: Path, manifest: Manifest) -> Manifest:
    """The manifest of a folder that is gone on with, in which the limit is that of the last start.

    Who reads the folder later, to merge, grade or import it, goes by it.
    """
    before = read_manifest(path)
    facts = replace(before.input, prompts=manifest.input.prompts)
    now = replace(before, input=facts, limit=manifest.limit)
    if now != before:
        _write_manifest(path, now)
    # Recipes of a file count as imported; those given now say the same, and may run.
    return replace(now, recipes=manifest.recipes)


def _write_manifest(path: Path, manifest: Manifest) -> None:
    text = json.dumps(manifest.document(), ensure_ascii=False, indent=1)
    write_private(path / _MANIFEST, text + "\n")


def _locked(path: Path) -> filelock.FileLock:
    lock = filelock.FileLock(path / _LOCK, timeout=0, mode=0o600)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise UsageError(f"another moa-tui is at work in {path}: wait for it, or stop it") from error
    return lock


def _refuse_others(path: Path, before: Manifest, now: Manifest) -> None:
    if differences := before.differences(now):
        lines = "\n".join(f"  {line}" for line in differences)
        raise UsageError(
            f"{path} was begun with something else, and answers of both must not be mixed:\n{lines}\n"
            "Give the same input and recipes to go on with it, or another folder with -o."
        )


def _key_document(key: RunKey) -> dict[str, Any]:
    return {"recipe": key.recipe, "prompt": key.prompt, "turn": key.turn}


def _key_of(entry: dict[str, Any]) -> RunKey:
    turn = entry.get("turn", 1)
    # No run is numbered 0, so that nothing asks for a line whose number is none.
    return RunKey(str(entry.get("recipe")), str(entry.get("prompt")), turn if isinstance(turn, int) else 0)


def _copied(source: AppendLog, target: AppendLog) -> Iterator[tuple[RunKey, int]]:
    """Append each line of a log to another that does not have it; which run it is of, and where it begins."""
    present = {_mark_of(entry) for _, entry in target.entries()}
    for _, entry in source.entries():
        if _mark_of(entry) not in present:
            yield _key_of(entry), target.append(entry)


def _mark_of(entry: dict[str, Any]) -> tuple[object, ...]:
    """What tells a line from all others of its log: the call or the run, and when it ended."""
    return tuple(entry.get(name) for name in ("recipe", "prompt", "turn", "layer", "index", "at", "ended"))


def _result_from(entry: dict[str, Any], where: Path) -> RunResult:
    try:
        if entry["status"] not in get_args(OutcomeStatus):
            raise ValueError(f"no run is {str(entry['status'])[:40]!r}")
        return RunResult(
            entry["status"],
            str(entry["answer"]),
            failure_from(entry["error"], str(where)),
            Usage(**entry["usage"]),
            entry["cost"],
            float(entry["seconds"]),
            int(entry["calls"]),
            float(entry["ended"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FileError(f"{where}: a line cannot be read: {type(error).__name__} {error}") from error
