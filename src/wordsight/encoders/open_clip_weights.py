"""Builds the network that a name stands for, with the right activation and preprocessing, and fills it."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.factory import load_checkpoint, load_state_dict
from open_clip.model import build_model_from_openai_state_dict
from torch import nn

from wordsight.encoders.open_clip_archive import is_archive, read_archive
from wordsight.encoders.open_clip_names import Source
from wordsight.encoders.preprocess import Preprocess
from wordsight.errors import BadInput, ModelError

OPENAI_MARKS = ("input_resolution", "context_length", "vocab_size")
"""Entries that only checkpoints of OpenAI's own have beside the weights."""

_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")


def build(source: Source) -> nn.Module:
    """Return the network in float32 and evaluation mode; ``visual.preprocess_cfg`` says how pictures are prepared.

    QuickGELU follows the tag, or the checkpoint where that is OpenAI's, or else the architecture's name: a wrong
    choice would load without an error and find badly. Raises ``ModelError`` for weights that do not fit.
    """
    with _quiet():
        if source.folder is not None:
            model = _from_folder(source.folder)
        elif source.seed is not None:
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(source.seed)
                model = _empty(source, quick_gelu=None)
            _randomise(model, source.seed)
        else:
            assert source.file is not None
            model = _from_file(source, source.file)
    if getattr(model.visual, "output_tokens", False):
        model.visual.output_tokens = False  # CoCa's captions want them; embeddings do not
    return model.float().eval()


def preprocessing(model: nn.Module, name: str) -> Preprocess:
    """Return how pictures become pixels, to the pixel as the reference does it."""
    given = model.visual.preprocess_cfg
    size = given["size"] if isinstance(given["size"], int) else set(given["size"])
    if isinstance(size, set):
        if len(size) != 1:
            raise ModelError(f"{name} looks at pictures of {given['size']} pixels; only squares are supported")
        size = size.pop()
    return Preprocess.from_json(
        {
            "mode": given["resize_mode"],
            "interpolation": given["interpolation"],
            "size": size,
            "averaging": False,
        },
        name,
    )


def _from_file(source: Source, file: Path) -> nn.Module:
    if is_archive(file):
        weights: Mapping[str, torch.Tensor] = read_archive(file)
    elif file.suffix in {".npz", ".npy"}:  # big_vision's, which open_clip converts
        return _loaded(_empty(source, quick_gelu=None), file)
    else:
        weights = _read(file)
    if _is_openai(weights):
        return _from_openai(source, weights)
    if source.architecture is None:
        raise BadInput(f"{file} is no checkpoint of OpenAI's, so its architecture must be said: openclip:RN50/{file}")
    return _loaded(_empty(source, quick_gelu=None), file)


def _read(file: Path) -> Mapping[str, torch.Tensor]:
    try:
        weights: Mapping[str, torch.Tensor] = load_state_dict(str(file), weights_only=True)
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError, AttributeError, StopIteration) as error:
        raise ModelError(
            f"{file} cannot be read as weights: {str(error).splitlines()[0]}; expected a state dict (.pt, .bin, "
            ".safetensors) or a TorchScript archive of OpenAI's. Files that run code when they are read are refused"
        ) from error
    return weights


def _is_openai(weights: Mapping[str, torch.Tensor]) -> bool:
    """Say whether OpenAI's code wrote the weights: its marks, or its own mixture of half and full precision."""
    if all(mark in weights for mark in OPENAI_MARKS):
        return True
    first, last = weights.get("visual.conv1.weight"), weights.get("ln_final.weight")
    return first is not None and last is not None and (first.dtype, last.dtype) == (torch.float16, torch.float32)


def _from_openai(source: Source, weights: Mapping[str, torch.Tensor]) -> nn.Module:
    """Fill a network with QuickGELU, which is what OpenAI trained with."""
    if source.published is not None and not source.published.get("quick_gelu", False):
        raise ModelError(f"{source.name}: the file holds weights of OpenAI's, not the published ones that are named")
    kept = {key: value.float() for key, value in weights.items() if key not in OPENAI_MARKS}
    try:
        if source.architecture is None:
            model = build_model_from_openai_state_dict(kept, quick_gelu=True, cast_dtype=None)
            model.float()
            open_clip.model.set_model_preprocess_cfg(model, _usual(model))
        else:
            model = _empty(source, quick_gelu=True)
        model.load_state_dict(kept)
    except (KeyError, RuntimeError) as error:
        raise _misfit(source, error) from error
    return model


def _usual(model: nn.Module) -> dict[str, Any]:
    return {**vars(open_clip.transform.PreprocessCfg()), "size": model.visual.image_size}


def _loaded(model: nn.Module, file: Path) -> nn.Module:
    try:
        load_checkpoint(model, str(file), weights_only=True)
    except (AssertionError, KeyError, RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{file} does not fit the architecture: {' '.join(str(error).split())[:300]}") from error
    return model


def _misfit(source: Source, error: Exception) -> ModelError:
    return ModelError(f"the weights do not fit {source.name}: {' '.join(str(error).split())[:300]}")


def _empty(source: Source, *, quick_gelu: bool | None) -> nn.Module:
    """Return the architecture with weights that nobody chose."""
    architecture = source.architecture
    assert architecture is not None
    if quick_gelu is None:
        quick_gelu = bool(source.published and source.published.get("quick_gelu"))
    settings = _published_preprocessing(source)
    try:
        model: nn.Module = open_clip.create_model(
            architecture,
            force_quick_gelu=quick_gelu,  # False leaves what the architecture's name says
            force_preprocess_cfg=settings,
            pretrained_text=False,
        )
    except (ImportError, RuntimeError, OSError) as error:
        raise ModelError(f"{architecture} cannot be built: {error}") from error
    return model


def _published_preprocessing(source: Source) -> dict[str, Any]:
    """Return the tag's preprocessing; for a checkpoint without one, what all tags of the architecture agree on."""
    assert source.architecture is not None
    if source.published is not None:
        return {key: source.published[key] for key in _PREPROCESSING}
    tags = open_clip.list_pretrained_tags_by_model(source.architecture)
    found = [open_clip.get_pretrained_cfg(source.architecture, tag) for tag in tags]
    each = {json.dumps({key: entry[key] for key in _PREPROCESSING}) for entry in found}
    if len(each) > 1 and source.seed is None:
        raise BadInput(
            f"{source.name}: models of this architecture prepare pictures in different ways, so say which one the file "
            f"is: openclip:{source.architecture}/TAG=FILE with a TAG of {', '.join(tags)}"
        )
    chosen: dict[str, Any] = json.loads(min(each)) if each else {}
    return chosen


def _from_folder(folder: Path) -> nn.Module:
    config = json.loads((folder / "open_clip_config.json").read_text("utf-8"))
    given = config.get("preprocess_cfg", {})
    if not {"mean", "std"} <= given.keys():
        raise ModelError(f"{folder}/open_clip_config.json does not say how to prepare pictures: no mean and std")
    try:
        model: nn.Module = open_clip.create_model(
            f"local-dir:{folder}", pretrained_text=False, require_pretrained=True, weights_only=True
        )
    except (ImportError, KeyError, RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{folder} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
    return model


def _randomise(model: nn.Module, seed: int) -> None:
    """Give the normalisations values, too: as made they are zeros and ones, which hide mistakes."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(values: torch.Tensor, low: float, high: float) -> None:
        values.data.uniform_(low, high, generator=generator)

    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm) and module.weight is not None:
            uniform(module.weight, 0.7, 1.3)
            uniform(module.bias, -0.2, 0.2)
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            uniform(module.running_mean, -0.2, 0.2)
            assert module.running_var is not None
            uniform(module.running_var, 0.5, 1.5)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep open_clip from telling, on standard error, that an empty network is random and the like."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
