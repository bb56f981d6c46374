"""Shares of an input that are answered apart, on machines that need not know each other, and their union."""

from __future__ import annotations

import filecmp
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.folder import CALLS, RESULTS, RunFolder, read_manifest
from moa_tui.evaluation.outputs import input_of, results_of
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from moa_tui.evaluation.benchmarks import BulkInput
    from moa_tui.evaluation.manifest import Manifest

_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `total` shares of an input, by its number, from 1.

    It has the prompts whose place in the input, from 0, is `number` - 1 modulo `total`: so it keeps what it
    has where the input is taken further with a higher limit.
    """

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"


def shard_from(text: str) -> Shard:
    """The shard that a text such as `2/8` names. Raises UsageError."""
    match = _SHARD.fullmatch(text.strip())
    if match is None:
        raise UsageError(f'"{text}" is no shard: give its number and how many there are, as in --shard 2/8')
    number, total = int(match[1]), int(match[2])
    if total < 1 or not 1 <= number <= total:
        raise UsageError(
            f"there is no shard {number} of {total}: the first is 1/{total}, the last {total}/{total}"
        )
    return Shard(number, total)


def merge(folders: Sequence[Path], output: Path, command: tuple[str, ...], *, partial: bool) -> Merged:
    """Put the calls and results of shards into the folder `output`, as if all were answered at once.

    Nothing is written unless the folders are all shards of one run, with every prompt reached; `partial`
    merges what is there. A folder that was merged before takes what is new. Raises UsageError where the
    folders do not belong together or something is missing, and FileError where one cannot be read or written.
    """
    manifests = {path: read_manifest(path) for path in dict.fromkeys(folders)}
    shards = _shards_of(manifests)
    first = next(iter(shards.values()))
    opened = [RunFolder.read(path) for path in shards.values()]
    try:
        prompts = input_of(opened[0])
        problems = _missing_shards(shards) + _missing_prompts(dict(zip(shards, opened, strict=True)), prompts)
        if problems and not partial:
            lines = "\n".join(f"  {line}" for line in problems)
            raise UsageError(
                f"not all is there:\n{lines}\nAnswer the rest first, or merge what there is with --partial."
            )
        manifest = replace(
            manifests[first],
            command=command,
            created=time.time(),
            input=replace(manifests[first].input, prompts=prompts.count),
            shard=None,
        )
        merged = RunFolder.begin(output, manifest, opened[0].input_file)
        try:
            for folder in opened:
                merged.take_from(folder)
        except BaseException:
            merged.close()
            raise
    finally:
        for folder in opened:
            folder.close()
    return Merged(merged, prompts, tuple(problems))


@dataclass(frozen=True, slots=True)
class Merged:
    """The folder of all shards, which whoever has it closes, its prompts, and what is missing, in lines."""

    folder: RunFolder
    prompts: BulkInput
    missing: tuple[str, ...]


def _shards_of(manifests: Mapping[Path, Manifest]) -> dict[Shard, Path]:
    """The folder of each shard, in order. Raises UsageError where the folders do not belong together."""
    first = next(iter(manifests))
    shards: dict[Shard, Path] = {}
    for path, manifest in manifests.items():
        if manifest.shard is None:
            raise UsageError(f"{path} is no shard: it was begun without --shard")
        if differing := _differing(manifests[first], manifest):
            raise UsageError(f"{path} and {first} are not of one run; they differ in: {', '.join(differing)}")
        shard = shard_from(manifest.shard)
        other = shards.setdefault(shard, path)
        if not _is_copy(path, other):
            raise UsageError(f"{other} and {path} are both shard {shard}, with different answers: give one")
    return dict(sorted(shards.items(), key=lambda entry: entry[0].number))


def _differing(one: Manifest, other: Manifest) -> list[str]:
    """In which respects two shards are of different runs."""
    facts = ("sha256", "format", "column", "skip_bad")
    checks = {
        "the input": all(getattr(one.input, name) == getattr(other.input, name) for name in facts),
        "--limit": one.limit == other.limit,
        "the number of shards": str(one.shard).partition("/")[2] == str(other.shard).partition("/")[2],
    }
    hashes = [
        {name: entry["sha256"] for name, entry in each.document()["recipes"].items()} for each in (one, other)
    ]
    for name in dict.fromkeys((*one.recipes, *other.recipes)):
        checks[f"the recipe {name}"] = hashes[0].get(name) == hashes[1].get(name)
    return [what for what, is_same in checks.items() if not is_same]


def _is_copy(path: Path, other: Path) -> bool:
    """True where two folders have the same calls and results. Raises FileError."""
    try:
        return path == other or all(
            filecmp.cmp(path / name, other / name, shallow=False) for name in (CALLS, RESULTS)
        )
    except OSError as error:
        raise FileError(f"{path} and {other} cannot be compared: {error.strerror or error}") from error


def _missing_shards(shards: Mapping[Shard, Path]) -> list[str]:
    total = next(iter(shards)).total
    present = {shard.number for shard in shards}
    missing = [f"{number}/{total}" for number in range(1, total + 1) if number not in present]
    return [f"{counted(len(missing), 'shard')}: {_named(missing)}"] if missing else []


def _missing_prompts(folders: Mapping[Shard, RunFolder], prompts: BulkInput) -> list[str]:
    """The prompts of the shards that are there which some recipe has not reached, a line a shard."""
    lines = []
    for shard, folder in folders.items():
        its_prompts = prompts.share(shard.number, shard.total)
        missing: dict[str, None] = {prompt.id: None for prompt in its_prompts}
        reached = [
            {result.prompt.id for result in results_of(folder, recipe, its_prompts)}
            for recipe in folder.manifest.recipes
        ]
        for prompt in set.intersection(*reached) if reached else ():
            del missing[prompt]
        if missing:
            lines.append(f"{counted(len(missing), 'prompt')} of shard {shard}: {_named(list(missing))}")
    return lines


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
