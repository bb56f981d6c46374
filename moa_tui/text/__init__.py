"""How things are put into words and onto lines: the same in every screen, pipe and file.

The way in is the module for the purpose: `wording` puts states, prices and runs into words, `cells` measures,
cuts and pads text by terminal cells, `safe` takes from a text what a terminal would obey or a reader could
not see. All of it is pure. This room knows the values of the engine and nothing else of the program: no
screen, no store, no gateway, no settings.
"""
