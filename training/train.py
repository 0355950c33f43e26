"""Builds the shipped model from the named inputs, stage by stage.

    python -m training.train --data ../shared/data --work DIR --out src/wordsight/models/mini

A stage whose output with the same configuration is in the work folder is not run again.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from training import data, export, heads, lowres, measure, ridge, texts, towers
from training.card import write_card
from training.scores import rounded
from training.stages import run_stage, spent

log = logging.getLogger("training")


@dataclass(frozen=True)
class Config:
    """Everything that decides the result; chosen on the development data, see LOG.md."""

    lowres: lowres.LowresConfig = field(default_factory=lowres.LowresConfig)
    lowres_share: float = 0.5  # how far the weights move from the original's to the tuned ones
    views: int = 3  # crops of each training photo with cached features
    ridge: float = 1.0
    heads: heads.HeadConfig = field(default_factory=heads.HeadConfig)
    head_share: float = 0.7  # from the ridge start (names) to the trained heads (captions)
    preprocess: export.Preprocess = field(default_factory=export.Preprocess)
    templates: tuple[str, ...] = texts.TEMPLATES[:1]


@dataclass(frozen=True)
class Inputs:
    """What several stages read."""

    data: Path
    wordnet: Path
    tower: towers.ImageTower
    targets: ridge.Targets
    nodes: dict[str, list[int]]
    wnids: list[str]
    nouns: dict[str, data.Node]


def load_inputs(data_folder: Path, wordnet: Path, tower: towers.ImageTower) -> Inputs:
    nouns = data.read_wordnet(wordnet)
    wnids = data.read_samples(data_folder)[1]
    targets = ridge.naming_targets(nouns, wnids, tower.classifier_weight)
    return Inputs(data_folder, wordnet, tower, targets, texts.ancestors(nouns, wnids, 150), wnids, nouns)


def cache_images(inputs: Inputs, config: Config, folder: Path) -> None:
    samples, wnids = data.read_samples(inputs.data)
    photos = data.read_flickr(inputs.data, data.read_captions(inputs.data, "train").names)
    tiny, tiny_wnids = data.read_tiny(inputs.data)
    classes = {wnid: index for index, wnid in enumerate(wnids)}
    saved = {
        "photos": heads.views(inputs.tower, list(photos), config.views, seed=1),
        "samples": heads.views(inputs.tower, samples, config.views, seed=2),
        "tiny": heads.pooled_features(inputs.tower, list(tiny), config.preprocess.small_size),
        "tiny_class": torch.tensor([classes[wnid] for wnid in tiny_wnids]),
    }
    torch.save(saved, folder / "features.pt")


def cache_texts(inputs: Inputs, folder: Path) -> None:
    """Sentence vectors of the captions, of the ridge texts, and of every name in every template."""
    tower, tokenizer = towers.load_text_tower().requires_grad_(False), texts.full_tokenizer()
    captions = [text for group in data.read_captions(inputs.data, "train").texts for text in group]
    vectors = lambda rows: texts.sentence_vectors(tower, tokenizer, rows)  # noqa: E731

    def named(wnid: str) -> torch.Tensor:
        return vectors([template.format(lemma) for lemma in inputs.nouns[wnid].lemmas for template in texts.TEMPLATES])

    saved = {
        "captions": vectors(captions).view(-1, 5, towers.TEXT_WIDTH),
        "targets": vectors(inputs.targets.texts),
        "classes": [named(wnid) for wnid in inputs.wnids],
        "nodes": [named(wnid) for wnid in inputs.nodes],
    }
    torch.save(saved, folder / "texts.pt")


def make_heads(inputs: Inputs, config: Config, images: Path, sentences: Path, folder: Path) -> None:
    features, vectors = torch.load(images / "features.pt"), torch.load(sentences / "texts.pt")
    ordinary = torch.cat([features["photos"][0], features["samples"][0]])
    start = ridge.ridge_heads(vectors["targets"], inputs.targets, ordinary, config.ridge)
    members = torch.zeros(len(inputs.nodes), len(inputs.wnids))
    for row, below in enumerate(inputs.nodes.values()):
        members[row, below] = 1
    cached = heads.Cached(
        features["photos"], vectors["captions"], features["samples"], features["tiny"], features["tiny_class"],
        inputs.tower.classify, vectors["classes"], vectors["nodes"], members,
    )  # fmt: skip
    trained = heads.train_heads(start, cached, config.heads)
    torch.save({"start": asdict(start), "trained": asdict(trained)}, folder / "heads.pt")


def shipped_text(inputs: Inputs) -> tuple[towers.TextTower, str]:
    """The text tower with its vocabulary cut, and the tokenizer for it."""
    tower, tokenizer = towers.load_text_tower().requires_grad_(False), texts.full_tokenizer()
    captions = [text for group in data.read_captions(inputs.data, "train").texts for text in group]
    kept = texts.kept_pieces(tokenizer, captions + texts.wordnet_words(inputs.wordnet))
    tower.words = texts.cut_words(tower.words, kept)
    return tower, texts.cut_tokenizer(tokenizer, kept)


def build(config: Config, data_folder: Path, wordnet: Path, work: Path, out: Path) -> dict[str, Any]:
    """Runs or finds every stage, writes `out`, and gives the measures."""
    tuned = run_stage(work, "lowres", asdict(config.lowres), lambda f: lowres.tune_lowres(config.lowres, data_folder, f))
    tower = lowres.averaged(config.lowres.tower, tuned / "tower.pt", config.lowres_share)
    inputs = load_inputs(data_folder, wordnet, tower)
    settings: dict[str, Any] = {"lowres": tuned.name, "share": config.lowres_share, "views": config.views}
    settings["small"] = config.preprocess.small_size
    images = run_stage(work, "images", settings, lambda f: cache_images(inputs, config, f))
    sentences = run_stage(work, "texts", {"templates": texts.TEMPLATES}, lambda f: cache_texts(inputs, f))
    settings = {"images": images.name, "texts": sentences.name, "ridge": config.ridge, "heads": asdict(config.heads)}
    made = run_stage(work, "heads", settings, lambda f: make_heads(inputs, config, images, sentences, f))
    saved = torch.load(made / "heads.pt")
    mixed = ridge.Heads(**saved["start"]).mixed(ridge.Heads(**saved["trained"]), config.head_share)
    text, tokenizer = shipped_text(inputs)
    stages = {folder.name: spent(folder)["cpu_seconds"] for folder in (tuned, images, sentences, made)}
    facts = {"config": asdict(config), "stages_cpu_seconds": stages}
    export.write_model(export.Model(tower, text, tokenizer, mixed, config.preprocess, config.templates), out, facts)
    measures = rounded(measure.measure_all(out, data_folder))
    export.note_measures(out, measures)
    write_card(out)
    return measures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the development data")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="Debian's wordnet-base")
    parser.add_argument("--work", type=Path, required=True, help="caches and checkpoints, outside the checkout")
    parser.add_argument("--out", type=Path, default=Path("src/wordsight/models/mini"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    measures = build(Config(), arguments.data, arguments.wordnet, arguments.work, arguments.out)
    print(json.dumps(measures, indent=1))


if __name__ == "__main__":
    main()
