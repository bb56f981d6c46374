"""Prompts and answers in the formats of benchmarks."""
