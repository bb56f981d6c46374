"""The graders of AlpacaEval and MT-Bench, whose own loaders read what is written for them.

    python -m tests.evaluation.benchmarks.graders

fetches them, and what their loaders need, from the registry that pip is set up with, into a folder outside
the checkout, where they stay. The tests themselves fetch nothing; without these packages they are skipped.
What the loaders do not need, such as torch, is not fetched: `loaders.py` puts stand-ins in its place.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.real.packages import cache

_GRADERS = ("alpaca-eval==0.6.6", "fschat==0.2.36")
_NEEDED = (
    "pandas==3.1.1",
    "numpy==2.4.6",
    "python-dateutil==4.0.0",
    "tqdm==4.70.1",
    "pyyaml==6.0.4",
    "python-dotenv==1.2.4",
    # It is the last whose `pkg_resources` the grader of AlpacaEval imports.
    "setuptools==80.9.0",
)
_FETCH_SECONDS = 300


def folder() -> Path:
    """Where the packages are, for this version of Python."""
    python = f"{sys.implementation.cache_tag}-{sys.platform}"
    return cache() / f"{'+'.join(_GRADERS)}-{python}".replace("==", "-")


def fetch() -> None:
    """Fetch the packages, unless they are there.

    Raises CalledProcessError or TimeoutExpired where pip cannot fetch them, OSError for faults of the disk.
    """
    if folder().is_dir():
        return
    folder().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder().parent) as workplace:
        there = Path(workplace, "packages")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:"]
        subprocess.run(
            [*pip, "--target", str(there), *_GRADERS, *_NEEDED], check=True, timeout=_FETCH_SECONDS
        )
        shutil.rmtree(folder(), ignore_errors=True)
        there.rename(folder())


if __name__ == "__main__":
    try:
        fetch()
    except (subprocess.SubprocessError, OSError) as error:
        sys.exit(f"the tests with the graders of benchmarks will be skipped: {error}")
