"""Screens that look into one run: a single call, two answers word by word, the run over time.

Way in: `inspector_screen.InspectorScreen`, `diff_screen.DiffScreen`, and the two screens of `run_screens`.
Each is handed the view of a run, follows it while it grows, and changes nothing about it. The words around
the inspector's body are made in `inspector_lines`, without a screen.
"""
