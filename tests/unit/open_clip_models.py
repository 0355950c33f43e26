"""Small networks of every kind with random weights, as folders and checkpoints of the forms that users have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from wordsight.encoders.open_clip_weights import _randomise

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}
VISION: dict[str, dict[str, Any]] = {
    "rn": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 64, "patch_size": None},
    "vit": {"image_size": 64, "layers": 3, "width": 128, "patch_size": 16},
    "siglip": {
        "image_size": 224,
        "timm_model_name": "vit_least_patch16_siglip",
        "timm_pool": "map",
        "timm_proj": "none",
    },
    "mobile": {"image_size": 64, "timm_model_name": "fastvit_t8", "timm_pool": "avg", "timm_proj": None},
}
CLIP_MEAN, CLIP_STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
PREPARE = {
    "rn": {"mean": CLIP_MEAN, "std": CLIP_STD},
    "vit": {"mean": CLIP_MEAN, "std": CLIP_STD},
    "siglip": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"},
    "mobile": {"mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "bilinear", "resize_mode": "shortest"},
}
WORDS = ["</s>", "<unk>", "a", "dog", "red", "blue", "thing", "photo", "of"]


@timm.models.register_model  # type: ignore[untyped-decorator]
def vit_least_patch16_siglip(pretrained: bool = False, **given: Any) -> torch.nn.Module:
    """As timm's ``vit_base_patch16_siglip_224``, with less of everything."""
    less = {"embed_dim": 64, "depth": 2, "num_heads": 2, "class_token": False, "global_pool": "map"}
    return timm.models.build_model_with_cfg(timm.models.VisionTransformer, __name__, pretrained, **(less | given))


def config(kind: str, *, quick_gelu: bool = False) -> dict[str, Any]:
    text = dict(TEXT)
    if kind == "siglip":
        text |= {
            "context_length": 16,
            "vocab_size": len(WORDS),
            "hf_tokenizer_name": "nowhere/tokenizer",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
        }
    more = {"custom_text": True, "init_logit_bias": -10} if kind == "siglip" else {}
    return {"embed_dim": 64, "quick_gelu": quick_gelu, "vision_cfg": dict(VISION[kind]), "text_cfg": text} | more


def network(kind: str, *, quick_gelu: bool = False, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    given = config(kind, quick_gelu=quick_gelu)
    made = open_clip.CustomTextCLIP if given.pop("custom_text", False) else open_clip.CLIP
    model = made(**given)
    _randomise(model, seed)
    return model.eval()


def folder(path: Path, kind: str, *, quick_gelu: bool = False) -> Path:
    """Write a folder as ``openclip:local-dir:`` reads it."""
    path.mkdir(parents=True, exist_ok=True)
    described = {"model_cfg": config(kind, quick_gelu=quick_gelu), "preprocess_cfg": PREPARE[kind]}
    (path / "open_clip_config.json").write_text(json.dumps(described))
    torch.save(network(kind, quick_gelu=quick_gelu).state_dict(), path / "open_clip_pytorch_model.bin")
    if kind == "siglip":
        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
        tokenizer.save(str(path / "tokenizer.json"))
        (path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "</s>"}))
    return path


def openai_state(kind: str) -> dict[str, torch.Tensor]:
    """Return weights as OpenAI published them: matrices in half precision, three numbers beside them."""
    state = {key: value.clone() for key, value in network(kind, quick_gelu=True).state_dict().items()}
    for key, value in state.items():
        if value.ndim >= 2 and "embedding" not in key and value.is_floating_point():
            state[key] = value.half()
    marks = {"input_resolution": 64, "context_length": 77, "vocab_size": 49408}
    return state | {key: torch.tensor(value) for key, value in marks.items()}


class Archive(torch.nn.Module):
    """Holds tensors under dotted names, so that a TorchScript archive of it looks like OpenAI's."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        for key, value in state.items():
            *path, name = key.split(".")
            node: torch.nn.Module = self
            for part in path:
                if part not in node._modules:
                    node.add_module(part, torch.nn.Module())
                node = node._modules[part]
            if value.is_floating_point():
                node.register_parameter(name, torch.nn.Parameter(value))
            else:
                node.register_buffer(name, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x
