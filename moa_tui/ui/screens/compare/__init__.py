"""Screens that show several recipes' answers to one prompt side by side.

Way in: `compare_screen.CompareScreen`; it opens `compare_panes.ComparePanes` on the agents of one recipe.
Running the recipes and keeping the preferred answer is the work of `moa_tui.chat.comparison`.
"""
