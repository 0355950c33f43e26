"""Write the figures of README.md from benchmarks/results: ``python -m benchmarks.readme``; ``--check`` compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "README.md"
BEGIN, END = "<!-- begin figures: written by `python -m benchmarks.readme` -->", "<!-- end figures -->"
_LOOP = "rclip's loop with ViT-B/32"


def main() -> int:
    """Replace what stands between the markers, or tell whether it is stale."""
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN, 1)
    fresh = "\n".join([before + BEGIN, *_lines(), END + rest.split(END, 1)[1]])
    if "--check" in sys.argv:
        return 0 if fresh == text else 1
    PAGE.write_text(fresh, "utf-8")
    return 0


def _lines() -> list[str]:
    quality, indexing, searching, install = (_figures(n) for n in ("quality", "indexing", "searching", "install"))
    matches = json.loads((RESULTS / "matches.json").read_text())["all"]
    serving, page = _figures("serving"), _figures("page")
    cifar, voc = _figures("classical_cifar10"), _figures("classical_voc2007")
    pipeline = _figures("classical_pipeline")
    maps = json.loads((RESULTS / "localization.json").read_text())["best"]["as made"]["measures"]
    peer = "peer decoding between batches"
    fused = _compared("cifar10")
    million = json.loads((RESULTS / "peers.json").read_text())["sizes"]["1000000"]["summary"]
    exact, lists = million["wordsight exact"], million["wordsight lists"]
    loop, kinds = _figures("same_weights"), ("ViT-B/32", "ViT-B/32 int8", "mini")
    ratios = [f"{loop[f'wordsight {kind} (onnxruntime) / {_LOOP}']:.1f}x" for kind in kinds]
    return [
        "| what | figure | measured by |",
        "|---|---|---|",
        f"| CIFAR-10 zero-shot accuracy | {_percent(quality['cifar10, accuracy'])} "
        "| `wordsight evaluate --task cifar10 --root ../shared/data/cifar10` |",
        f"| VOC2007 mAP (all-point) | {_percent(quality['voc2007, mAP'])} "
        "| `wordsight evaluate --task voc2007 --root ../shared/data/voc2007` |",
        "| Flickr8k caption to photo, Success@1 / 5 / 10 | "
        + " / ".join(_percent(quality[f"captions, Success@{k}"]) for k in (1, 5, 10))
        + " | `wordsight evaluate --task captions --root ../shared/data/flickr8k` |",
        f"| a query for what is not there is told so | {_percent(1 - matches['absent']['wrongly_matched'])} "
        "| `python -m benchmarks.matches --data ../shared/data` |",
        f"| a query for what is there is answered (5 photos or more) | {_percent(matches['present']['answered'])} "
        "| the same |",
        f"| indexing against Pillow + onnxruntime ViT-B/32, same files | "
        f"{indexing[f'wordsight (onnxruntime) / {peer}']:.1f}x, with OpenVINO "
        f"{indexing[f'wordsight (openvino) / {peer}']:.1f}x | `python -m benchmarks --only indexing` |",
        "| `wordsight search` over 100,000 photos against a bare `import numpy, onnxruntime` | "
        f"{searching['search over 100,000 rows, exact / bare import']:.1f}x "
        "| `python -m benchmarks --only searching` |",
        "| indexing 240 photos against rclip's loop with ViT-B/32: the same weights / the same in int8 / `mini` | "
        f"{' / '.join(ratios)} | `python -m benchmarks.same_weights` |",
        "| search among 1,000,000 vectors against numpy float32, two cores: exact / lists (recall@10) | "
        f"{exact['times_numpy']['0']:.1f}x / {lists['times_numpy']['0']:.0f}x ({lists['recall']['0']:.3f}) "
        "| `python -m benchmarks.peers --rows 1000000` |",
        "| heat maps point at the thing, VOC2007 / where the centre does not; the centre point: "
        f"{_percent(maps['pointing_center_baseline'])} | {_percent(maps['pointing'])} / "
        f"{_percent(maps['pointing_off_center'])} "
        "| `wordsight localize --task voc2007 --root ../shared/data/voc2007` |",
        "| `wordsight serve` over 100,000 photos, 95th percentile of a search: one client / 50 at once | "
        f"{serving['one client: 95th percentile']:.0f} ms / {serving['50 clients: 95th percentile']:.0f} ms "
        "| `python -m benchmarks --only serving --rows 100000` |",
        "| its page in Chromium: can be used / first photo painted after the answer, medians | "
        f"{page['time to interactive, first visit: median']:.0f} ms / "
        f"{page['first photo seen after the answer, thumbnails there: median']:.0f} ms "
        "| `python -m benchmarks --only page --rows 100000` |",
        f"| base install | {install['site-packages']:.0f} MB | `python -m benchmarks --only install` |",
        f"| classical engine, CIFAR-10, 100 / 10 exemplars a label | {_percent(cifar['100 exemplars: accuracy'])} / "
        f"{_percent(cifar['10 exemplars: accuracy'])} | `python -m benchmarks.classical --only cifar10` |",
        "| classical engine, HOG, LBP and colour of 3,000 small pictures, against scikit-image one by one | "
        f"{pipeline['HOG, LBP and colour, one thread: times as fast']:.0f}x in one thread "
        "| `python -m benchmarks.classical --only pipeline` |",
        "| CIFAR-10 mAP: mini alone, classical alone (150 exemplars a label), both fused | "
        f"{' / '.join(_percent(fused[name]) for name in ('mini', 'classical', 'score fusion'))} "
        "| `wordsight compare --task cifar10 --root ../shared/data/cifar10 -o docs/reports/cifar10` |",
        f"| classical engine, VOC2007 mAP | {_percent(voc['mAP'])} | `python -m benchmarks.classical --only voc2007` |",
    ]


def _figures(name: str) -> dict[str, float]:
    document: dict[str, Any] = json.loads(Path(RESULTS / f"{name}.json").read_text())
    return {figure["name"].split(" (mean of")[0]: figure["value"] for figure in document["figures"]}


def _compared(task: str) -> dict[str, float]:
    """Return the mAP of each engine in the report on a task."""
    document: dict[str, Any] = json.loads((ROOT / "docs" / "reports" / task / "report.json").read_text("utf-8"))
    return {engine["name"]: engine["means"]["mAP"] for engine in document["engines"]}


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


if __name__ == "__main__":
    sys.exit(main())
