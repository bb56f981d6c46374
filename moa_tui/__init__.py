"""A terminal chat in which every answer comes from a Mixture of Agents."""

__version__ = "0.1.0"
