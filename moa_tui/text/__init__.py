"""Wording and layout of text, the same in every screen, pipe and file.

`wording` puts states, prices and runs into words; `cells` measures, cuts and pads text by terminal cells;
`safe` removes or replaces characters that a terminal would obey or a reader could not see. `markdown` has
parsers whose work is bounded. All functions are pure. This package imports the engine and nothing else of the
program: no screen, store, gateway or settings.
"""
