"""The recipes of this machine: the built-in TOML files beside this module, the user's own, and the default.

Way in: `files` finds and reads recipes by name or path, `catalog` lists them with their price and what each
still needs, `models` lists the models that an agent can be given, `default` chooses the recipe to run where
none is named, and `local` builds two of the models that local servers list. A recipe itself is a value of
`engine.recipe`. This package asks the gateway what can be reached; it knows no conversation, no chat and no
screen.
"""
