"""The controllers of the chat, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.chat.conversations import Conversations
from moa_tui.ui.chat.asking import Asking
from moa_tui.ui.chat.changing import Changing
from moa_tui.ui.chat.checklist import Checklist
from moa_tui.ui.chat.choosing import Choosing
from moa_tui.ui.chat.comparing import Comparing
from moa_tui.ui.chat.drafting import Drafting
from moa_tui.ui.chat.following import Following
from moa_tui.ui.chat.labels import Labels
from moa_tui.ui.chat.leaving_out import LeavingOut
from moa_tui.ui.chat.looking import Looking
from moa_tui.ui.chat.reading import Reading
from moa_tui.ui.chat.switching import Switching
from moa_tui.ui.chat.trying import Trying

if TYPE_CHECKING:
    from moa_tui.chat.library import Library
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog
    from moa_tui.settings.config import Settings
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView


class Controllers:
    """What a person can do on the chat screen, by subject.

    `asking`: prompts, the queue, stopping. `changing`: an agent's part in a turn. `choosing`: recipe, models,
    checklists. `trying`: the questions of an empty conversation. `comparing`: several recipes at once.
    `checklist`: points to tick. `leaving_out`: what answers left out. `switching`: conversations, branches,
    export, statistics. `looking`: panes, one agent alone, finding, copying. `reading`: what Vim's keys do
    around the prompt. `labels`: title, estimate and numbers, and telling them. `drafting`: what was not sent,
    on disk. `following`: a run on the screen, until it is over.
    """

    def __init__(
        self,
        state: ChatState,
        view: ChatView,
        catalog: RecipeCatalog,
        models: ModelCatalog,
        library: Library,
        settings: Settings,
        recipe_reason: str | None,
    ) -> None:
        self.state = state
        self.view = view
        conversations = Conversations(state.session)
        self.labels = Labels(state, view, conversations, recipe_reason)
        self.switching = Switching(state, view, conversations, catalog, library, self.labels)
        self.following = Following(state, view, self.labels, settings, self.switching.name_by)
        self.asking = Asking(state, view, self.labels, self.following)
        self.changing = Changing(state, view, catalog, models, self.following)
        self.comparing = Comparing(state, view, catalog, self.following)
        self.checklist = Checklist(state, view, self.following)
        self.looking = Looking(state, view)
        self.leaving_out = LeavingOut(state, view, self.following, self.looking)
        self.choosing = Choosing(state, view, catalog, models, self.labels)
        self.trying = Trying(state, self.choosing, self.asking)
        self.reading = Reading(state, view, self.looking)
        self.has_vim_keys = settings.editing == "vim"
        self.drafting = Drafting(state, view)
