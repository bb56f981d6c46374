"""Layered runs: recipes in, events and an outcome out. Knows no screen, no disk and no provider."""
