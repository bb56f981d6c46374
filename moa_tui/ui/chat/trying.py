"""The questions that an empty conversation offers, where they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.chat.first_questions import first_questions, lacks_keys

if TYPE_CHECKING:
    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.ui.chat.asking import Asking
    from moa_tui.ui.chat.choosing import Choosing
    from moa_tui.ui.chat.state import ChatState

_DEMO = "demo"


class Trying:
    """Hands prompts on. One of the first questions is answered whether a key is set or not."""

    def __init__(self, state: ChatState, choosing: Choosing, asking: Asking) -> None:
        self._chat = state.session.chat
        self._choosing = choosing
        self._asking = asking

    async def submit(self, prompt: PromptText) -> None:
        """Send a prompt, or queue it; a first question by the simulated models where a key is not set.

        Raises MoaTuiError.
        """
        if not self._chat.path and prompt.written in first_questions(self._chat) and lacks_keys(self._chat):
            await self._choosing.use_recipe(_DEMO)
        await self._asking.submit(prompt)
