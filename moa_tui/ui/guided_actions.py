"""The checklist in the chat: when it is put on the screen, and what the person says of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from moa_tui.engine.guided import guided, has_checklist
from moa_tui.errors import UsageError
from moa_tui.ui.checklist_screen import ChecklistScreen
from moa_tui.ui.session_actions import SessionActions
from moa_tui.wording import counted

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.ui.checklist_screen import Said
    from moa_tui.ui.run.run_view import PointsChoice


class GuidedActions(SessionActions):
    """The actions around points that wait to be ticked."""

    _checklist: ChecklistScreen | None = None

    @property
    def choice(self) -> PointsChoice | None:
        """What the run waits with; None where it waits for nobody."""
        run = self.session.run
        return run.choice if run is not None and self.session.running is not None else None

    # Whether there is a checklist

    def toggle_guided(self) -> None:
        """Have a checklist before the synthesis of what is asked next, or not. Raises UsageError."""
        chat = self.session.chat
        if has_checklist(chat.recipe):
            raise UsageError(f"recipe {chat.recipe.name} has a checklist of its own, and goes by that")
        if not chat.guided:
            guided(chat.recipe)
        chat.guided = not chat.guided
        self.renew_title()
        self.renew_estimate()
        self.renew_welcome()
        if chat.guided:
            self.say("guided from now on: you tick what the answer keeps, for one call more; /guided ends it")
        else:
            self.say("no checklist from now on")

    def use_recipe(self, recipe: Recipe | None) -> None:
        super().use_recipe(recipe)
        if recipe is not None:
            self.tell_if_unguided()

    def tell_if_unguided(self) -> None:
        """Where a checklist is wanted and the recipe can have none, say so."""
        chat = self.session.chat
        if chat.guided:
            try:
                guided(chat.recipe)
            except UsageError as error:
                self.say(f"not guided: {error}")

    # While one waits

    def attend(self) -> None:
        """Where the run waits for the person, show its points, and rest until something happens."""
        choice, running = self.choice, self.session.running
        if choice is None or running is None:
            if self._checklist is not None and self.app.screen is self._checklist:
                self._checklist.dismiss(None)  # Stopped behind its back: there is nothing to choose any more.
            return
        if not choice.offered:
            choice.offered = True
            self._offer(choice)
        for view in self.transcript.views:
            if view.run is self.session.run:
                view.tick()
        self.panel.tick()
        self.refresh_bindings()
        self.ticker.pause()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # The app has ended meanwhile.
                loop.call_soon_threadsafe(self.ticker.resume)

        running.wake_with(wake)

    def _offer(self, choice: PointsChoice) -> None:
        self.wish("asks")
        if self.app.screen is self and not self.box.whole.strip():
            self.show_points()
        else:
            # A key meant for a message must not decide.
            self.say(f"{counted(len(choice.points), 'point')} wait for you: F8 shows them, ctrl+g keeps all")

    def show_points(self) -> None:
        """Let the person tick the points that wait. Raises UsageError where none do."""
        choice = self.choice
        if choice is None:
            raise UsageError("no points wait to be ticked")

        def take(said: Said | None) -> None:
            self._checklist = None
            self._take(choice, said)

        self._checklist = ChecklistScreen(choice.points, choice.ticked)
        self.app.push_screen(self._checklist, take)

    def _take(self, choice: PointsChoice, said: Said | None) -> None:
        running = self.session.running
        if choice is not self.choice or running is None:
            return
        match said:
            case "go on":
                running.decide(choice.call, frozenset(choice.ticked))
            case "stop":
                running.stop()
            case None:
                kept = f"{len(choice.ticked)} of {counted(len(choice.points), 'point')}"
                self.say(
                    f"the run waits: F8 shows its points again, ctrl+g goes on with {kept}, Esc stops it"
                )

    def action_points(self) -> None:
        self.show_points()

    def action_proceed(self) -> None:
        """As ever; where points wait, with those that are ticked."""
        if (choice := self.choice) is not None:
            self._take(choice, "go on")
        else:
            super().action_proceed()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "points":
            return self.choice is not None
        return super().check_action(action, parameters)
