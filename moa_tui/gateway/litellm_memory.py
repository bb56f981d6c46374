"""What litellm keeps in memory, loads or works out in a call, and a streamed chat has no use for.

Each part is named as litellm names it. What a version of litellm does not have is left alone, and what is
asked for all the same is loaded then.
"""

from __future__ import annotations

from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from moa_tui.gateway.transport import current_exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType


class LazyEncoding:
    """litellm's default tokenizer, which takes 41 MB and 0.4 s to load, loaded when something is counted."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)


def lighten(modules: Mapping[str, ModuleType]) -> None:
    """Drop what is not needed of litellm, whose loaded modules are in `modules` by their names."""
    package, main, utils = (modules[name] for name in ("litellm", "litellm.main", "litellm.utils"))
    # The Anthropic tokenizer as Python objects; it is made from its text, which stays.
    vars(utils).pop("json_data", None)
    # The map of models is the bundled one. litellm reads it twice more: for its proxy's list of models at the
    # import, and at the first call to Anthropic to look there for what the map did not have.
    _replace_in_calls(utils, "get_bundled_model_cost_map", lambda: package.model_cost)
    maps = getattr(modules.get("litellm.litellm_core_utils.get_model_cost_map"), "GetModelCostMap", None)
    if maps is not None and hasattr(maps, "_loaded_catalog"):
        maps._loaded_catalog = MappingProxyType(package.model_cost)
    # Almost every provider is handed the tokenizer, to count what a server has not counted.
    load_by_name = vars(main).get("__getattr__")
    if load_by_name is not None and "encoding" not in vars(main):
        main.encoding = LazyEncoding(lambda: load_by_name("encoding"))  # type: ignore[attr-defined]
    # It looks for files in messages, which here are texts, and imports the types of litellm's proxy for that.
    _replace_in_calls(main, "update_messages_with_model_file_ids", _as_given)


def _as_given(messages: list[Any], *_: object, **__: object) -> list[Any]:
    return messages


async def _nothing(*_: object, **__: object) -> None:
    """In the place of what litellm tells callbacks of, and there are none here."""


def skip_in_calls(logging: type) -> None:
    """Have litellm's `logging` do nothing for the calls made here, and what it does for all others.

    It works out costs when it has sent a request, before that for Gemini, and twice at the end of what it
    reads; it loads a tokenizer for that on the loop. The costs of replies here do not come from it.
    """
    for method in ("response_cost_calculator", "failure_handler"):
        _replace_in_calls(logging, method, lambda *_, **__: None)
    for method in ("dispatch_success_handlers", "async_failure_handler"):
        _replace_in_calls(logging, method, _nothing)


def _replace_in_calls(owner: type | ModuleType, name: str, instead: Callable[..., Any]) -> None:
    """Have `instead` called in the place of a function of `owner` in the calls made here, and in no other."""
    original = vars(owner).get(name)  # A module may load what it is asked for.
    if original is None:
        return

    @wraps(original)
    def chosen(*arguments: Any, **more: Any) -> Any:
        function = original if current_exchange.get() is None else instead
        return function(*arguments, **more)

    setattr(owner, name, chosen)
