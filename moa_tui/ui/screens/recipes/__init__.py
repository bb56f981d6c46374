"""Screens to choose, write and try recipes, and to search for a model.

Way in: `recipe_screen` lists the recipes, `recipe_editor` changes one, `model_screen` picks a model.
`recipe_draft`, `recipe_options` and `option_sets` hold what is being edited and draw nothing. Whether a
recipe is valid is decided by the engine; these screens show the verdict.
"""
