"""Measures on runs and qrels; knows no engine."""
