"""The servers of a recipe that others run, with keys of their own."""

from __future__ import annotations

import pytest

from moa_tui.errors import MissingKeyError, UntrustedServerError
from moa_tui.gateway.gateway import Gateway
from moa_tui.settings.config import Endpoint
from tests.helpers import recipe

LAB = {"lab": Endpoint(base_url="http://lab:1/v1", key_env="LAB_KEY")}


def test_keys_are_not_asked_for() -> None:
    gateway = Gateway(LAB, {})
    with pytest.raises(MissingKeyError):
        gateway.check_keys(recipe(["lab/x"]))
    assert gateway.check_places(recipe(["lab/x"])) == {}


def test_a_server_that_is_not_set_up_is_confirmed_here_and_told() -> None:
    named = recipe([{"model": "openai/x", "api_base": "http://elsewhere:1/v1"}])
    gateway = Gateway(LAB, {})
    with pytest.raises(UntrustedServerError, match="elsewhere"):
        gateway.check_places(named)
    gateway.allow_once(named)
    (words,) = gateway.check_places(named).values()
    assert "http://elsewhere:1/v1" in words
