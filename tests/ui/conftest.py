"""What the tests of the screen are given beside the fixtures of tests/fixtures.py."""

from __future__ import annotations

import pytest

from tests.ui import quick


@pytest.fixture(autouse=True)
def quick_textual(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's tools for tests, made quick; but a picture is taken as Textual does it."""
    if "snap_compare" not in request.fixturenames:
        quick.make_quick(monkeypatch)
