"""The towers of an OpenCLIP encoder as ONNX graphs with our inputs and outputs."""

from __future__ import annotations

import io
import warnings
from typing import Any

import onnx
import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional

from wordsight.encoders.open_clip import OpenClipEncoder
from wordsight.encoders.open_clip_towers import embeddings, feature_maps, run_block, takes_any_size

OPSET = 17  # read by every onnxruntime since 1.14
_DYNAMO = {"dynamo": False} if "dynamo" in torch.onnx.export.__code__.co_varnames else {}


class _Image(nn.Module):  # type: ignore[misc]
    """Pixels uint8 (n, h, w, 3) -> embedding (n, dim), unit length."""

    def __init__(self, encoder: OpenClipEncoder) -> None:
        super().__init__()
        self.visual, self.name = encoder.model.visual, encoder.name
        settings = encoder.model.visual.preprocess_cfg
        self.register_buffer("mean", 255 * torch.tensor(settings["mean"]).reshape(1, 3, 1, 1))
        self.register_buffer("scale", 1 / (255 * torch.tensor(settings["std"]).reshape(1, 3, 1, 1)))

    def prepared(self, pixels: Tensor) -> Tensor:
        return (pixels.permute(0, 3, 1, 2).float() - self.mean) * self.scale

    def forward(self, pixels: Tensor) -> Tensor:
        return functional.normalize(embeddings(self.visual, self.prepared(pixels)), dim=-1)


class _Map(_Image):
    """Pixels uint8 (n, h, w, 3) -> feature_map (n, dim, y, x)."""

    def forward(self, pixels: Tensor) -> Tensor:
        return feature_maps(self.visual, self.prepared(pixels), self.name)


class _Text(nn.Module):  # type: ignore[misc]
    """Tokens (n, context) -> embedding (n, dim), unit length."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        features: Tensor = self.model.encode_text(input_ids, normalize=True)
        return features


class _ShortText(_Text):
    """Tokens (n, length), none behind the one that closes the text: under a causal mask those could change nothing."""

    def forward(self, input_ids: Tensor) -> Tensor:
        text = text_tower(self.model)
        length = input_ids.shape[1]
        tokens = text.token_embedding(input_ids) + text.positional_embedding[:length]
        mask = text.attn_mask[:length, :length]
        for block in text.transformer.resblocks:
            tokens = run_block(block, tokens, mask).tokens
        last = text.ln_final(tokens[:, -1])
        project = text.text_projection
        return functional.normalize(project(last) if isinstance(project, nn.Linear) else last @ project, dim=-1)


def text_tower(model: nn.Module) -> nn.Module:
    """Return what holds the text tower's parts: the model itself, or its ``text``."""
    return getattr(model, "text", model)


def takes_short_texts(model: nn.Module) -> bool:
    """Say whether tokens behind the end of a text cannot matter: a causal mask, and the last token is what counts."""
    text = text_tower(model)
    blocks = getattr(getattr(text, "transformer", None), "resblocks", ())
    return bool(
        getattr(text, "attn_mask", None) is not None
        and getattr(text, "text_pool_type", getattr(text, "pool_type", "")) == "argmax"
        and getattr(text, "cls_emb", None) is None
        and getattr(text, "text_projection", None) is not None
        and blocks
        and all(isinstance(block, ResidualAttentionBlock) for block in blocks)
    )


def image_graph(encoder: OpenClipEncoder) -> onnx.ModelProto:
    """Return the graph of the embedding."""
    return _graph(_Image(encoder), _picture(encoder), "pixels", "embedding", {0: "n"})


def map_graph(encoder: OpenClipEncoder) -> onnx.ModelProto:
    """Return the graph of the feature map; it takes any height and width where ``takes_any_size``."""
    free = {0: "n", 1: "h", 2: "w"} if takes_any_size(encoder.model.visual) else {0: "n"}
    return _graph(_Map(encoder), _picture(encoder), "pixels", "feature_map", free)


def text_graph(encoder: OpenClipEncoder) -> onnx.ModelProto:
    """Return the graph of the texts' embedding, for short texts where ``takes_short_texts``."""
    model = encoder.model
    if takes_short_texts(model):
        tokens = torch.ones((2, 5), dtype=torch.int64)
        return _graph(_ShortText(model), tokens, "input_ids", "embedding", {0: "n", 1: "length"})
    tokens = torch.ones((2, model.context_length), dtype=torch.int64)
    return _graph(_Text(model), tokens, "input_ids", "embedding", {0: "n"})


def _picture(encoder: OpenClipEncoder) -> Tensor:
    side = encoder.preprocess.size
    return torch.zeros((2, side, side, 3), dtype=torch.uint8)


def _graph(module: nn.Module, example: Tensor, given: str, made: str, free: dict[int, str]) -> onnx.ModelProto:
    file = io.BytesIO()
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its fused operator has no counterpart in ONNX
    axes: dict[str, Any] = {given: free, made: {0: "n"}}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter's: on constants that are constants, and on its age
            torch.onnx.export(
                module.eval().cpu(),
                (example,),
                file,
                input_names=[given],
                output_names=[made],
                dynamic_axes=axes,
                opset_version=OPSET,
                **_DYNAMO,
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
    model = onnx.load_model_from_string(file.getvalue())
    model.producer_name = "wordsight"
    return model
