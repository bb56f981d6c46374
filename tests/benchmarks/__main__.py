"""Runs all measurements, or those named, and prints a table and one JSON document.

Every figure that can be is a ratio to a baseline taken in the same run, with the spread over its rounds.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.benchmarks import (
    batch,
    engine,
    left_out,
    likeness,
    memory,
    prefix,
    scale,
    screen,
    stairs,
    stall,
    startup,
    store,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.figures import Figure

SUITES: dict[str, Callable[[], list[Figure]]] = {
    "startup": startup.measure,
    "engine": engine.measure,
    "memory": memory.measure,
    "stall": stall.measure,
    "screen": screen.measure,
    "scale": scale.measure,
    "stairs": stairs.measure,
    "store": store.measure,
    "likeness": likeness.measure,
    "left_out": left_out.measure,
    "tokens": tokens.measure,
    "prefix": prefix.measure,
    "batch": batch.measure,
}


def main() -> None:
    names = [name for name in sys.argv[1:] if name in SUITES] or list(SUITES)
    figures = [figure for name in names for figure in SUITES[name]()]
    print(f"{'what':<64} {'value':>10} {'unit':<14} {'baseline':>10} {'ratio':>7}  spread")
    for figure in figures:
        baseline = "" if figure.baseline is None else f"{figure.baseline:.4g}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.3f}"
        print(
            f"{figure.name:<64} {figure.value:>10.4g} {figure.unit:<14} {baseline:>10} {ratio:>7}  "
            f"{figure.low:.4g} to {figure.high:.4g}"
        )
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    print(json.dumps({"machine": machine, "figures": [asdict(f) | {"ratio": f.ratio} for f in figures]}))


if __name__ == "__main__":
    main()
