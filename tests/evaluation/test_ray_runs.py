"""The driver of a batch on a cluster, with a cluster of this process: what is handed in, kept and paid.

A real cluster is in `test_ray`.
"""

from __future__ import annotations

import pickle
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.values import CallId
from moa_tui.errors import MissingKeyError, MoaTuiError, ModelError, UsageError
from moa_tui.evaluation import parcels
from moa_tui.evaluation.bulk_values import BulkOptions, Job
from moa_tui.evaluation.parcels import KeptCall, KeptResult, Parcel, Servers, Stopped
from moa_tui.evaluation.ray_cluster import WorkerLostError, connect
from moa_tui.evaluation.ray_runs import RayRun
from moa_tui.evaluation.values import BulkPrompt, RunKey
from tests.cli.shell import call
from tests.evaluation.conftest import prompts
from tests.evaluation.test_bulk import SHAPE, Models, OneServer
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from moa_tui.chat.backend import Backend
    from moa_tui.engine.recipe import Recipe
    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.parcels import Item
    from tests.fakes import FakeGateway

CANARY = "sk-canary-of-the-driver"


class FakeCluster:
    """Answers parcels in this process. Of the n-th that is handed in, `lost[n]` items come, then nothing."""

    cores = 2

    def __init__(self, lost: dict[int, int] | None = None) -> None:
        self.lost = lost or {}
        self.parcels: list[Parcel] = []
        self.payloads: list[bytes] = []
        self.came_of_lost: list[Item] = []
        self.cancelled = 0
        self.most_given = 0.0
        self._open: dict[int, float] = {}

    def submit(self, payload: bytes) -> Iterator[list[Item]]:
        parcel: Parcel = pickle.loads(payload)
        self.payloads.append(payload)
        self.parcels.append(parcel)
        number = len(self.parcels)
        self._open[number] = parcel.options.max_cost or 0.0
        self.most_given = max(self.most_given, sum(self._open.values()))
        return self._answer(parcel, number)

    def _answer(self, parcel: Parcel, number: int) -> Iterator[list[Item]]:
        came = 0
        if self.lost.get(number) == 0:
            raise WorkerLostError("its machine is gone")
        for items in parcels.answered(parcel, {}):
            for item in items:
                if number in self.lost:
                    self.came_of_lost.append(item)
                yield [item]
                came += 1
                if self.lost.get(number) == came:
                    raise WorkerLostError("its machine is gone")
        del self._open[number]

    def ready(self, generators: list[Any]) -> list[Any]:
        return generators[:1]

    def next(self, generator: Iterator[list[Item]]) -> list[Item] | None:
        items = next(generator, None)
        for item in items or ():
            if isinstance(item, Stopped) and item.is_refusal:
                raise UsageError(item.why)
        return items

    def cancel(self, generators: list[Any]) -> None:
        self.cancelled += len(generators)


@pytest.fixture
def gateway() -> FakeGateway:
    return OneServer(Models())  # type: ignore[arg-type]


@pytest.fixture
def run_ray(backend: Backend, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RayRun]:
    """Answers jobs into a folder on a cluster, to the end."""
    monkeypatch.setattr(parcels, "Gateway", lambda *_, **__: gateway)

    def run(
        cluster: FakeCluster, folder: RunFolder, jobs: list[Job], models: Models | None = None, **options: Any
    ) -> RayRun:
        gateway.stream = models or Models()  # type: ignore[assignment]
        ray_run = RayRun(
            cluster,  # type: ignore[arg-type]
            backend,
            Servers({}, {}),
            folder,
            lambda: jobs,
            len(jobs),
            BulkOptions(**options),
        )
        ray_run.start().result(timeout=30)
        return ray_run

    return run


def jobs(recipe: Recipe, number: int) -> list[Job]:
    return [Job(recipe, prompt) for prompt in prompts(number)]


def answers(folder: RunFolder, number: int) -> list[str | None]:
    results = [folder.result(RunKey("test", str(place))) for place in range(1, number + 1)]
    return [None if result is None else result.answer for result in results]


def test_every_prompt_is_answered_and_every_call_kept(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa, cluster = recipe(*SHAPE), FakeCluster()
    folder = open_folder(moa)
    progress = run_ray(cluster, folder, jobs(moa, 30)).progress()
    assert (progress.jobs, progress.calls, progress.failures) == (30, 90, {})
    assert progress.cost == pytest.approx(0.9)
    assert answers(folder, 30) == [f"judge on {place}" for place in range(1, 31)]
    assert list(folder.calls(RunKey("test", "7"))) == [CallId(1, 1), CallId(1, 2), CallId(2, 1)]
    # A quarter of all each, for two cores: so that none is idle long before the other.
    assert [len(parcel.jobs) for parcel in cluster.parcels] == [8, 8, 8, 6]


@pytest.mark.parametrize("came", [1, 4, 9, 15])
def test_what_has_come_of_a_lost_worker_is_not_asked_again(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder], came: int
) -> None:
    moa, cluster, models = recipe(*SHAPE), FakeCluster({1: came}), Models()
    folder = open_folder(moa)
    progress = run_ray(cluster, folder, jobs(moa, 16), models).progress()
    assert (progress.jobs, progress.calls) == (16, 48)
    assert answers(folder, 16) == [f"judge on {place}" for place in range(1, 17)]
    asked = Counter(models.asked)
    calls = [item for item in cluster.came_of_lost if isinstance(item, KeptCall)]
    assert calls and all(asked[item.reply.model, item.key.prompt] == 1 for item in calls)
    # The rest is handed in with what had come, and without the prompts that are done.
    first, again = cluster.parcels[0], cluster.parcels[-1]
    done = sum(isinstance(item, KeptResult) for item in cluster.came_of_lost)
    assert len(again.jobs) == len(first.jobs) - done
    assert sum(map(len, again.calls.values())) == len(calls) - 3 * done


def test_a_job_whose_workers_are_lost_again_and_again_ends_the_batch(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa = recipe(["a"])
    folder = open_folder(moa)
    with pytest.raises(
        MoaTuiError, match=r'3 Ray workers in a row were lost with prompts "1".*machine is gone'
    ):
        run_ray(FakeCluster({1: 0, 2: 0, 3: 0}), folder, jobs(moa, 1))


def test_a_batch_goes_on_where_another_was_left(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa = recipe(*SHAPE)
    run_ray(FakeCluster(), open_folder(moa), jobs(moa, 5))
    models, cluster = Models(), FakeCluster()
    progress = run_ray(cluster, open_folder(moa), jobs(moa, 7), models).progress()
    assert (progress.jobs, progress.reused_jobs, progress.calls) == (7, 5, 6)
    assert {prompt for _, prompt in models.asked} == {"6", "7"}


def test_both_turns_of_a_prompt_are_one_conversation(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder]
) -> None:
    moa, models = recipe(["a"]), Models()
    job = Job(moa, BulkPrompt("x", ("question 1", "question 2")))
    # The worker is lost between the turns.
    progress = run_ray(FakeCluster({1: 2}), open_folder(moa), [job], models).progress()
    assert progress.jobs == 1 and Counter(models.asked)["a", "1"] == 1
    assert [message["content"] for message in models.messages[-1]] == ["question 1", "a on 1", "question 2"]


def test_a_prompt_that_failed_is_counted_and_not_tried_again(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder]
) -> None:
    def fails(model: str, prompt: str) -> Exception | None:
        return ModelError("bad_request", "no") if prompt == "2" else None

    moa, models = recipe(["a"]), Models(fails)
    progress = run_ray(FakeCluster(), open_folder(moa), jobs(moa, 3), models).progress()
    assert (progress.jobs, progress.failures) == (3, {"bad_request": 1})
    assert Counter(models.asked)["a", "2"] == 1


def test_the_price_of_all_workers_together_is_capped(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder], gateway: FakeGateway
) -> None:
    # Up to 2,048 tokens an answer at 0.0000045 dollars a token: a call may cost about a cent.
    gateway.price = 0.0000045
    moa, cluster = recipe(*SHAPE), FakeCluster()
    progress = run_ray(cluster, open_folder(moa), jobs(moa, 60), max_cost=0.9).progress()
    assert 0.85 < progress.cost < 0.901 and 0 < progress.jobs < 60
    assert cluster.most_given < 0.901
    assert progress.stopped_by == "the rest would pass the batch's budget of $0.90"


def test_calls_that_cost_more_than_expected_take_what_is_left(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder], gateway: FakeGateway
) -> None:
    # A call costs a cent, and should cost a fiftieth of that.
    gateway.price = 0.0000001
    moa, cluster, models = recipe(*SHAPE), FakeCluster(), Models()
    progress = run_ray(cluster, open_folder(moa), jobs(moa, 30), models, max_cost=5.0).progress()
    assert (progress.jobs, progress.calls, progress.stopped_by) == (30, 90, None)
    assert set(Counter(models.asked).values()) == {1}


def test_a_server_that_was_not_confirmed_is_not_asked_by_a_worker_either() -> None:
    named = recipe([{"model": "openai/x", "api_base": "http://elsewhere:1/v1"}])
    parcel = Parcel((jobs(named, 1)[0],), {}, {}, Servers({}, {}), BulkOptions())
    ((item,),) = parcels.answered(parcel, {})
    assert isinstance(item, Stopped) and item.is_refusal and "http://elsewhere:1/v1" in item.why


def test_a_worker_that_cannot_answer_ends_the_batch(
    run_ray: Callable[..., RayRun], open_folder: Callable[..., RunFolder], gateway: FakeGateway
) -> None:
    gateway.fails = MissingKeyError("LAB_KEY is not set")
    moa, cluster = recipe(["a"]), FakeCluster()
    with pytest.raises(UsageError, match="LAB_KEY is not set"):
        run_ray(cluster, open_folder(moa), jobs(moa, 40))
    assert cluster.cancelled


def test_no_key_and_no_more_of_the_input_than_prompts_is_sent(
    run_ray: Callable[..., RayRun],
    open_folder: Callable[..., RunFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_KEY", CANARY)
    moa, cluster = recipe(["a"]), FakeCluster()
    job = Job(moa, BulkPrompt("1", ("question 1",), row={"reference": "the solution"}))
    run_ray(cluster, open_folder(moa), [job])
    assert CANARY.encode() not in cluster.payloads[0] and b"the solution" not in cluster.payloads[0]
    assert any(isinstance(item, KeptCall) for item in next(parcels.answered(cluster.parcels[0], {})))


def test_without_the_package_the_command_to_install_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    questions = tmp_path / "in.jsonl"
    questions.write_text('{"prompt": "why?"}\n')
    where = ["batch", str(questions), "-r", "demo", "-o", str(tmp_path / "run")]
    done = call(*where, "--ray", "auto")
    assert done.exit_code == 2 and "pip install 'moa-tui[ray]'" in done.output
    done = call(*where, "--ray", "auto", "--schedule", "model")
    assert done.exit_code == 2 and "leave one of the two out" in done.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ray://10.0.0.1:10001", "must be started on a machine of the cluster"),
        ("10.0.0.1", "is no address: give HOST:PORT"),
        (":6379", "is no address"),
        ("host:port", "is no address"),
        ("host:99999", "is no address"),
        ("host\x1b[2J:1:2", "is no address|no Ray cluster answers"),
    ],
)
def test_what_is_no_address_is_refused(address: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRay:
        """Stands for the package, of which nothing may be used."""

    monkeypatch.setitem(sys.modules, "ray", NoRay())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=words) as raised:
        connect(address)
    assert "\x1b" not in str(raised.value)
