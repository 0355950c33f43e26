"""Measures on runs and qrels, their statistics, the original protocol; knows no engine."""

from wordsight.evaluation.evaluate import (
    Evaluation,
    MeasureResult,
    evaluate_run,
    evaluate_scores,
    run_from_scores,
)
from wordsight.evaluation.measures import Measure, parse
from wordsight.evaluation.original import OriginalProtocol, OriginalResult, original_protocol
from wordsight.evaluation.rules import Assigned, AtLeast, TopK, parse_rule
from wordsight.evaluation.selection import SelectionResult, evaluate_selection
from wordsight.evaluation.statistics import Interval, PairedTest, bootstrap_interval, holm, paired_test
from wordsight.evaluation.trec import read_qrels, read_run, write_qrels, write_run

__all__ = [
    "Assigned",
    "AtLeast",
    "Evaluation",
    "Interval",
    "Measure",
    "MeasureResult",
    "OriginalProtocol",
    "OriginalResult",
    "PairedTest",
    "SelectionResult",
    "TopK",
    "bootstrap_interval",
    "evaluate_run",
    "evaluate_scores",
    "evaluate_selection",
    "holm",
    "original_protocol",
    "paired_test",
    "parse",
    "parse_rule",
    "read_qrels",
    "read_run",
    "run_from_scores",
    "write_qrels",
    "write_run",
]
