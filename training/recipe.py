"""The configuration of each shipped model, and its stages in order."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training import export, heads, lowres, measure, ridge, robust, texts, towers
from training.card import note_measures, write_card
from training.distil_stages import DistilPlan, distilled
from training.export_text import Scales, find_scales
from training.fitting import HeadPlan, fitted, look_set, teacher_plan
from training.inputs import Inputs
from training.scores import rounded
from training.stages import run_stage, spent

HEADS = heads.HeadConfig(steps=400, dropout=0.3, nouns=0.5, wordnet=0.0)  # LOG.md 13 and 16


@dataclass(frozen=True)
class Config:
    """Everything that decides the result; chosen on the development data, see LOG.md."""

    name: str = "mini"
    lowres: lowres.LowresConfig = field(default_factory=lowres.LowresConfig)
    lowres_looks: bool = False  # the original tower is asked once for each of some fixed crops, not at every step
    lowres_share: float = 0.5  # how far the weights move from the original's to the tuned ones
    plan: HeadPlan = field(default_factory=lambda: HeadPlan(heads=HEADS, share=0.75))
    distil: DistilPlan | None = None
    preprocess: export.Preprocess = field(default_factory=export.Preprocess)
    templates: tuple[str, ...] = texts.TEMPLATES[:1]
    shares_text_of: str | None = None  # the shipped model whose text tower and vocabulary this one uses


def midi() -> Config:
    """The larger image tower, under what LOG.md 11 to 13 found."""
    return Config(
        name="midi",
        lowres=lowres.LowresConfig(
            tower="lite2", samples=30_240, large=8, large_sizes=(224, 260), first_layer=12,
        ),
        lowres_looks=True,
        lowres_share=0.5,
        plan=HeadPlan(
            size=260, small_size=144, storage="byte", views=2, tiny=6_000, heads=HEADS, share=0.75,
        ),
        preprocess=export.Preprocess(size=260, small_size=144),
        shares_text_of="mini",
    )  # fmt: skip


CONFIGS = {"mini": Config(), "midi": midi()}  # in the order in which they are built


def tuned_tower(config: Config, inputs: Inputs) -> tuple[towers.ImageTower, dict[str, Any], list[Path]]:
    """The averaged tower, what it is named by, and the folders of its stages."""
    looks, folders = None, []
    settings = asdict(config.lowres)
    if config.lowres_looks:
        looks, images = look_set(inputs, config.lowres.tower, teacher_plan())
        settings |= {"looks": images.name}
        folders.append(images)
    tuned = run_stage(
        inputs.work, "lowres", settings, lambda f: lowres.tune_lowres(config.lowres, inputs.data, f, looks)
    )
    tower = lowres.averaged(config.lowres.tower, tuned / "tower.pt", config.lowres_share)
    return tower, {"tower": tuned.name, "share": config.lowres_share}, [*folders, tuned]


def cut_text(inputs: Inputs, tower: towers.TextTower) -> tuple[towers.TextTower, Scales, str]:
    """The text tower with its vocabulary cut, the scales of its int8 products, and its tokenizer."""
    whole = texts.full_tokenizer()
    captions, words = inputs.captions(), texts.wordnet_words(inputs.wordnet)
    kept = texts.kept_pieces(whole, captions + words)
    tower.words = texts.cut_words(tower.words, kept)
    cut = texts.cut_tokenizer(whole, kept)
    tokenizer = Tokenizer.from_str(cut)
    shown = (texts.token_batch(tokenizer, [text])[0] for text in texts.varied_texts(tokenizer, captions, words))
    return tower.requires_grad_(False), find_scales(tower, shown), cut


def build(config: Config, inputs: Inputs, models: Path) -> dict[str, Any]:
    """Runs or finds every stage, writes the model's folder into `models`, and gives the measures."""
    tower, origin, folders = tuned_tower(config, inputs)
    maps: ridge.Maps
    if config.distil is None:
        maps, more = fitted(inputs, tower, origin, config.plan)
        text = towers.load_text_tower()
    else:
        student, writer, more = distilled(inputs, tower, origin, config.distil)
        tower, text, maps = student.tower, writer.tower, ridge.Fixed(student.picture_map(), writer.text_map())
    stages = {folder.name: spent(folder)["cpu_seconds"] for folder in (*folders, *more)}
    model = export.Model(
        config.name, config.lowres.tower, tower, *cut_text(inputs, text), maps, config.preprocess, config.templates,
        storage=config.plan.storage, shares_text_of=config.shares_text_of,
    )  # fmt: skip
    out = models / config.name
    export.write_model(model, out, {"config": asdict(config), "stages_cpu_seconds": stages})
    export.write_answers(out)
    found = measure.measure_all(out, inputs.data) | {"voc2007_spoiled": robust.measure_spoiled(out, inputs.data)}
    measures: dict[str, Any] = rounded(found)
    note_measures(out, measures)
    write_card(out)
    return measures
