"""wordsight: find pictures by words, two ways, and see why."""

__version__ = "0.1.0"
