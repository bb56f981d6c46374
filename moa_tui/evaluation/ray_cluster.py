"""The connection to a Ray cluster: the one place that knows Ray.

Tasks and what they send back may be written to the disk of any machine of the cluster, as Ray's objects are.
So no key is in them, nor in a runtime environment.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import queue
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from moa_tui import __version__
from moa_tui.errors import UsageError
from moa_tui.text.safe import quoted_name, safe_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moa_tui.evaluation.parcels import Item

AUTO = "auto"
"""Stands for the cluster that this machine belongs to."""

# Nothing but the batch itself is to leave this machine: no figures for Ray's makers, and not the folder that
# the command is started in, which Ray sends to all workers of a driver that `uv run` has started.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
_CONNECT_SECONDS, _BEGIN_SECONDS = 5.0, 20.0
_WAIT_SECONDS = 0.25
_FETCH_SECONDS = 60.0
"""How long an item may take to arrive whose machine may be gone."""


class Cluster:
    """A connection to a Ray cluster, which ends with the block."""

    def __init__(self, ray: Any, address: str) -> None:
        """Use `connect`."""
        self._ray = ray
        self.address = address
        self._quiet = contextlib.ExitStack()

    def __enter__(self) -> Self:
        # Ray prints which workers were lost to standard output, over whatever stands on the terminal.
        nowhere = self._quiet.enter_context(Path(os.devnull).open("w"))
        self._quiet.enter_context(contextlib.redirect_stdout(nowhere))
        return self

    def __exit__(self, *exc: object) -> None:
        self._ray.shutdown()
        self._quiet.close()

    @property
    def cores(self) -> int:
        """The number of tasks that go at once."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(self, payload: bytes) -> Any:
        """Hand in a parcel; the generator of what comes of it."""
        task = self._ray.remote(_parcel_task())
        options = {"num_cpus": 1, "num_returns": "streaming", "max_retries": 0, "name": "moa-tui batch"}
        return task.options(scheduling_strategy="SPREAD", **options).remote(__version__, payload)

    def ready(self, generators: list[Any]) -> list[Any]:
        """Those of the generators that have something, or have ended; waits a moment for the first."""
        return list(self._ray.wait(generators, num_returns=1, timeout=_WAIT_SECONDS, fetch_local=False)[0])

    def next(self, generator: Any) -> list[Item] | None:
        """The next items of a generator; None behind the last, and where it was cancelled.

        Raises WorkerLostError where its worker is gone, UsageError where the worker cannot answer at all,
        and whatever the task raised.
        """
        errors = self._ray.exceptions
        try:
            value = self._ray.get(next(generator), timeout=_FETCH_SECONDS)
        except (StopIteration, errors.TaskCancelledError):
            return None
        except errors.RayTaskError:
            raise
        except errors.RayError as error:
            raise WorkerLostError(_first_lines(error)) from error
        if isinstance(value, str):
            raise UsageError(value)
        items: list[Item] = pickle.loads(value)  # noqa: S301 - from a worker of the same cluster
        return items

    def cancel(self, generators: list[Any]) -> None:
        """Ask these tasks to stop."""
        for generator in generators:
            self._ray.cancel(generator)


class WorkerLostError(Exception):
    """The worker of a task is gone."""


def connect(address: str) -> Cluster:
    """The cluster at `address`, which is HOST:PORT, or "auto" for that of this machine.

    Raises UsageError where ray is not installed, or the cluster cannot be reached or is of another version.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise UsageError("--ray needs Ray, which is not installed: pip install 'moa-tui[ray]'") from error
    place = _own_cluster() if address == AUTO else address
    if place != AUTO:
        _check_reached(place)
    # Asked for its own cluster, Ray takes the token of this machine by itself; at an address it never does.
    if (problem := _begin(ray, address)) is None:
        return Cluster(ray, place)
    if place == AUTO and isinstance(problem, ConnectionError):
        raise UsageError(
            "no Ray cluster runs on this machine: start one with `ray start --head`, name the address of "
            "another, or leave out --ray, which needs none"
        ) from problem
    raise UsageError(
        f"the Ray cluster at {quoted_name(place)} cannot be used: {_first_lines(problem)}"
    ) from problem


def _begin(ray: Any, address: str) -> BaseException | None:
    """Connect to the cluster; the error where that fails, or takes too long.

    Where the cluster does not answer, Ray tries for minutes and then ends the thread.
    """
    ends: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def begin() -> None:
        try:
            ray.init(address=address, logging_level="ERROR", log_to_driver=False)
        except (Exception, SystemExit) as error:
            ends.put(error)
        else:
            ends.put(None)

    with contextlib.redirect_stdout(io.StringIO()):
        threading.Thread(target=begin, name="moa-ray-connect", daemon=True).start()
        try:
            return ends.get(timeout=_BEGIN_SECONDS)
        except queue.Empty:
            return TimeoutError(
                f"it does not answer within {_BEGIN_SECONDS:g} seconds; where it asks for a token, set "
                "RAY_AUTH_MODE=token"
            )


def _own_cluster() -> str:
    """The address of the cluster of this machine, as Ray notes it; "auto" where it must look for it."""
    noted = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"  # noqa: S108
    with contextlib.suppress(OSError, ValueError):
        return os.environ.get("RAY_ADDRESS") or noted.read_text("utf-8").strip() or AUTO
    return os.environ.get("RAY_ADDRESS") or AUTO


def _check_reached(address: str) -> None:
    """Raise UsageError unless something listens at the address; Ray itself would try for minutes."""
    name = quoted_name(address)
    if "://" in address:
        raise UsageError(
            f"--ray {name}: the batch must be started on a machine of the cluster, with --ray auto or the "
            "HOST:PORT of its head; Ray's client protocol cannot stream answers back"
        )
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise UsageError(f"--ray {name} is no address: give HOST:PORT, as 10.0.0.5:6379, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error) or "no answer"
        raise UsageError(f"no Ray cluster answers at {name}: {words}") from error


def _first_lines(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return safe_row(" ".join(lines[:3])) or type(error).__name__


def _parcel_task() -> Callable[[str, bytes], Iterator[bytes | str]]:
    """The task that answers a parcel on a worker; a text of it says why the worker cannot.

    Ray sends a function inside another whole, so that it runs, and says what is missing, also where moa-tui
    is not installed or is of another version.
    """

    def moa_tui_parcel(version: str, payload: bytes) -> Iterator[bytes | str]:
        import importlib
        import os
        import pickle
        import socket

        worker = f"the Ray worker on {socket.gethostname()}"
        try:
            own_version = importlib.import_module("moa_tui").__version__
            if own_version != version:
                yield f"{worker} has moa-tui {own_version}, and this is {version}: install the same there"
                return
            parcels = importlib.import_module("moa_tui.evaluation.parcels")
            parcel = pickle.loads(payload)  # noqa: S301 - from the driver
        except ImportError as error:
            yield f"{worker} cannot import moa-tui ({error}): install moa-tui {version} there"
            return
        for items in parcels.answered(parcel, os.environ):
            refusals = [item for item in items if isinstance(item, parcels.Stopped) and item.is_refusal]
            if refusals:
                yield f"{worker}: {refusals[0].why}"
                return
            yield pickle.dumps(items)

    return moa_tui_parcel
