"""Recipes on many prompts at once, their answers judged, and the choice of who sits in which layer.

The way in: `bulk.BulkRun` answers the prompts of an input (`benchmarks`) into a run folder
(`folder.RunFolder`). Grading and selecting are bulk runs too: a judge is a recipe, and what it is asked is a
prompt.

It runs on the engine as it is: no second runner, no second client. It knows nothing of screens and commands.
"""
