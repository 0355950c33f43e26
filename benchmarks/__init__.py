"""Speed, memory and size of wordsight, as ratios to named peers in the same run: ``python -m benchmarks --help``."""
