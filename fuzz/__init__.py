"""Fuzzing: every parser of what comes from outside is fed with bytes that nobody would write (docs/fuzzing.md).

``python -m fuzz`` runs all targets, each for ten minutes, guided by coverage (atheris). What a target promises: the
parser returns, or raises one of wordsight's own errors; anything else is a finding.
"""
