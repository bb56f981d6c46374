"""A run as screens follow it, without any widget.

`run_view.RunView` holds what each call of a run has done so far, `follower.RunFollower` brings it up to date
from the run's events, and the cursors of `follower` tell a view what is new of the text it shows. The other
modules lay a run out as rows (`turn_rows`, `timeline`, `influence`, `inspector_rows`) or search it. Nothing
here imports a widget, a screen or the chat.
"""
