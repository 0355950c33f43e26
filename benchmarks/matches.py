"""How well the match estimate tells what is there from what is not: ``python -m benchmarks.matches --data DIR``.

``--fit`` prints the weights for ``wordsight/library/calibration.py``, fitted on the other half of the data. See
docs/matches.md for what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import matches_queries as queries
from benchmarks.matches_cases import Case, Maker
from wordsight.library import background, calibration
from wordsight.registry import load_encoder

RESULTS = Path(__file__).parent / "results" / "matches.json"
_SHOWN = 10  # hits a search shows unless told otherwise
_DEEPER = (14, 20, 30, 45, 70, 100, 150, 250, 400)
# How much a case of each kind weighs in the fit: what a user asks is there, more often than not.
_WEIGHTS = {"present": 2.25, "few": 1.1, "caption": 1.0, "absent": 0.35, "nonsense": 0.35}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matches", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the development data")
    parser.add_argument("--encoder", default="mini", help="name of an encoder or path of a model folder")
    parser.add_argument("--fit", action="store_true", help="print weights fitted on the other half of the data")
    parser.add_argument("--cache", type=Path, help="folder to keep vectors in between runs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="results file")
    given = parser.parse_args()
    encoder = load_encoder(given.encoder)
    if given.fit:
        weights, bias = fit(Maker(encoder, given.data, given.cache, "fit").cases())
        print(f"WEIGHTS = ({', '.join(f'{weight:.3f}' for weight in weights)})\nBIAS = {bias:.3f}")
        return
    results = report(Maker(encoder, given.data, given.cache, "report").cases())
    about = {
        "command": f"python -m benchmarks.matches --data DIR --encoder {Path(given.encoder).name}",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("wordsight", "numpy", "onnxruntime", "pillow")},
        },
        "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint},
        "model": dict(zip(calibration.FEATURES, calibration.WEIGHTS, strict=True)) | {"bias": calibration.BIAS},
        "background": {"version": background.VERSION, "texts": len(background.THINGS) + len(background.NONSENSE)},
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(about | results, indent=1) + "\n")
    _print(results, sys.stdout.write)


def fit(cases: Sequence[Case]) -> tuple[NDArray[np.float64], float]:
    """Return weights and bias of the logistic model, by Newton's method; each case counts once, by its kind."""
    rows, labels, weights = [], [], []
    for case in cases:
        scores, right = _ranked(case, (*range(_SHOWN), *_DEEPER))
        if len(right):
            rows.append(case.folder.calibration.features(case.query, scores))
            labels.append(right)
            weights.append(np.full(len(right), _WEIGHTS[case.kind] / len(right)))
    x = np.column_stack([np.concatenate(rows), np.ones(sum(map(len, rows)))])
    y, w = np.concatenate(labels), np.concatenate(weights)
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (w * (y - p)) - 1e-3 * beta
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(beta))
        beta = beta + np.linalg.solve(hessian, gradient)
    return beta[:-1], float(beta[-1])


def report(cases: Sequence[Case]) -> dict[str, Any]:
    """Return the figures, over all cases and by source, and the reliability of the estimates."""
    rows = [_judge(case) for case in cases]
    sources = sorted({row["source"] for row in rows})
    shown = np.concatenate([row["shown"] for row in rows])
    right = np.concatenate([row["shown_right"] for row in rows])
    weight = np.concatenate([np.full(len(row["shown"]), 1 / max(len(row["shown"]), 1)) for row in rows])
    answerable = [row for row in rows if row["kind"] in ("present", "few", "caption")]
    voc = [row for row in rows if row["source"].startswith("voc2007")]
    strangers = (*queries.split(queries.ABSENT_REPORT), *queries.split(queries.NONSENSE_REPORT))
    return {
        "all": _figures(rows),
        "voc2007": _figures(voc),
        "absent_things": _figures(
            [row for row in rows if row["text"] in strangers and row["kind"] in ("absent", "nonsense")]
        ),
        "absent_classes_and_captions": _figures(
            [row for row in rows if row["kind"] == "absent" and row["text"] not in strangers]
        ),
        "by_source": {source: _figures([row for row in rows if row["source"] == source]) for source in sources},
        "wrongly_matched_texts": _worst(rows),
        "reliability_all_queries": _reliability(shown, right, weight),
        "reliability_answerable_queries": _reliability(
            np.concatenate([row["shown"] for row in answerable]),
            np.concatenate([row["shown_right"] for row in answerable]),
            np.concatenate([np.full(len(r["shown"]), 1 / max(len(r["shown"]), 1)) for r in answerable]),
        ),
    }


def _judge(case: Case) -> dict[str, Any]:
    """Apply the estimate to the hits of one case."""
    scores, right = _ranked(case, range(len(case.labels)))
    estimates = case.folder.calibration.match(case.query, scores)
    matched = estimates >= 0.5
    return {
        "kind": case.kind,
        "source": case.source,
        "text": case.text,
        "matched": bool(matched.any()),
        "rightly": bool((matched & (right == 1)).any()),
        "top": (int((matched & (right == 1))[:_SHOWN].sum()), int(matched[:_SHOWN].sum())),
        "every": (int((matched & (right == 1)).sum()), int(matched.sum()), int(right.sum())),
        "shown": estimates[:_SHOWN],
        "shown_right": right[:_SHOWN],
    }


def _ranked(case: Case, places: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return scores and labels of the hits at these places (0 is the best), without those whose label is unknown."""
    scores = case.folder.vectors @ case.query
    order = np.argsort(-scores, kind="stable")
    order = order[[place for place in places if place < len(order)]]
    order = order[case.labels[order] >= 0]
    return scores[order], case.labels[order]


def _figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for kind in ("nonsense", "absent"):
        some = [row for row in rows if row["kind"] == kind]
        if some:
            figures[kind] = {"queries": len(some), "wrongly_matched": _share(row["matched"] for row in some)}
    for kind in ("present", "few", "caption"):
        some = [row for row in rows if row["kind"] == kind]
        if some:
            figures[kind] = {
                "queries": len(some),
                "answered": _share(row["matched"] for row in some),
                "rightly_answered": _share(row["rightly"] for row in some),
                "precision_of_ten": _ratio(sum(row["top"][0] for row in some), sum(row["top"][1] for row in some)),
                "precision": _ratio(sum(row["every"][0] for row in some), sum(row["every"][1] for row in some)),
                "recall": _ratio(sum(row["every"][0] for row in some), sum(row["every"][2] for row in some)),
            }
    return figures


def _worst(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the strangers that were matched in most folders."""
    counts: dict[str, int] = {}
    for row in rows:
        if row["kind"] in ("nonsense", "absent") and row["matched"]:
            counts[row["text"]] = counts.get(row["text"], 0) + 1
    return [f"{text} ({count})" for text, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]]


def _reliability(
    estimates: NDArray[np.float32], right: NDArray[np.int8], weight: NDArray[np.float64]
) -> dict[str, Any]:
    """Return ten bins (mean estimate, share that is right, share of all) and the expected calibration error."""
    bins, error = [], 0.0
    for low in np.arange(10) / 10:
        inside = (estimates >= low) & ((estimates < low + 0.1) | (low >= 0.9))
        share = float(weight[inside].sum() / weight.sum())
        if share:
            mean = float(np.average(estimates[inside], weights=weight[inside]))
            true = float(np.average(right[inside], weights=weight[inside]))
            bins.append({"estimate": round(mean, 3), "right": round(true, 3), "share": round(share, 4)})
            error += share * abs(mean - true)
    return {"expected_calibration_error": round(error, 4), "bins": bins}


def _share(flags: Any) -> float:
    return round(float(np.mean(list(flags))), 4)


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _print(results: dict[str, Any], write: Callable[[str], object]) -> None:
    summary = ("all", "voc2007", "absent_things", "absent_classes_and_captions")
    for source, figures in [*((name, results[name]) for name in summary), *results["by_source"].items()]:
        write(f"{source}\n")
        for kind, numbers in figures.items():
            write(f"  {kind:9} " + ", ".join(f"{name} {value}" for name, value in numbers.items()) + "\n")
    for name in ("reliability_all_queries", "reliability_answerable_queries"):
        write(f"{name}: ECE {results[name]['expected_calibration_error']}\n")
    write(f"matched although absent: {', '.join(results['wrongly_matched_texts'])}\n")


if __name__ == "__main__":
    main()
