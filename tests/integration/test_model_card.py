"""The shipped models do what their cards say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wordsight.datasets import load_task
from wordsight.experiment import run_task
from wordsight.registry import MODELS, load_encoder


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("model", ["mini", "midi"])
@pytest.mark.parametrize(
    ("task", "row", "measures"),
    [("cifar10", "CIFAR-10 zero-shot accuracy", ("accuracy",)), ("voc2007", "VOC2007 mAP", ("mAP", "mAP11", "P@10"))],
)
def test_the_figures_of_the_card(data: Path, task: str, row: str, measures: tuple[str, ...], model: str) -> None:
    card = (MODELS / model / "MODEL_CARD.md").read_text(encoding="utf-8")
    found = re.search(rf"^\| {re.escape(row)}[^|]*\| ([\d. /]+) \|", card, re.MULTILINE)
    assert found is not None
    measured = run_task(load_task(task, data / task), load_encoder(model)).measures
    assert [100 * measured[name] for name in measures] == pytest.approx(
        [float(x) for x in found[1].split("/")], abs=0.15
    )
