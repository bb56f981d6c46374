"""Measurements, run by hand with `python -m tests.benchmarks`: never a test, since machines are noisy."""
