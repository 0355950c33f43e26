"""Measures on runs and qrels; knows no engine."""

from wordsight.evaluation.evaluate import (
    Evaluation,
    MeasureResult,
    evaluate_run,
    evaluate_scores,
    run_from_scores,
)
from wordsight.evaluation.measures import Measure, parse
from wordsight.evaluation.rules import Assigned, AtLeast, TopK
from wordsight.evaluation.trec import read_qrels, read_run, write_qrels, write_run

__all__ = [
    "Assigned",
    "AtLeast",
    "Evaluation",
    "Measure",
    "MeasureResult",
    "TopK",
    "evaluate_run",
    "evaluate_scores",
    "parse",
    "read_qrels",
    "read_run",
    "run_from_scores",
    "write_qrels",
    "write_run",
]
