"""What a bulk run is given and tells: what there is to do, how, how far it is, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Reply
    from moa_tui.evaluation.values import BulkPrompt, RunKey, RunResult

Schedule = Literal["prompt", "model"]


class RunLog(Protocol):
    """Where finished calls and runs are kept: `folder.RunFolder`."""

    def calls(self, key: RunKey) -> dict[CallId, Reply]:
        """The calls that are kept of a run."""

    def result(self, key: RunKey) -> RunResult | None:
        """How a run ended; None where it has not."""

    def keep_call(self, key: RunKey, call: CallId, reply: Reply, at: float) -> None:
        """Keep a call that ended at `at`, in Unix seconds. Raises FileError."""

    def keep_result(self, key: RunKey, result: RunResult) -> None:
        """Keep how a run ended. Raises FileError."""


@dataclass(frozen=True, slots=True)
class Job:
    """One prompt to answer with one recipe. `reused` are replies for its first turn from elsewhere."""

    recipe: Recipe
    prompt: BulkPrompt
    reused: Mapping[CallId, Reply] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How a bulk run is to go.

    `concurrency` is the most calls at once, None for as many as the servers take. `max_cost` is in US
    dollars, of which `paid_before` are spent.
    """

    concurrency: int | None = None
    schedule: Schedule = "prompt"
    max_cost: float | None = None
    paid_before: float = 0.0


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far a bulk run has come. Costs are in US dollars, unknown prices left out; times are in seconds.

    `jobs` have all turns answered or have failed for good; `failures` counts by kind why. `reused_jobs` were
    there before; `calls_a_job` is the most that a job takes, on average, and `call_seconds` what a call does.
    `phase` says which model is being asked, where one is at a time, or what is waited for.
    """

    total: int
    jobs: int = 0
    reused_jobs: int = 0
    calls_a_job: float = 0.0
    calls: int = 0
    call_seconds: float = 0.0
    open_runs: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)
    phase: str = ""
    stopped_by: str | None = None
    """Why no further prompt is begun, in words; None where one is."""
    refusals: int = 0
    """How often a server refused a request as one too many, which was or will be sent again."""
