"""A run as screens follow it, without any widget.

`run_view.RunView` holds what each call of a run has done so far, `follower.RunFollower` brings it up to date
from the run's events, and the cursors of `follower` tell a view what is new of the text it shows. Nothing
here imports a widget, a screen or the chat.
"""
