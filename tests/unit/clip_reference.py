"""CLIP's forward pass written from the paper and OpenAI's checkpoints alone, to check the encoders against.

Radford et al. 2021. Plain tensor operations on a state dict; nothing of open_clip.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as f

State = Mapping[str, Tensor]


def encode_image(state: State, pixels: Tensor) -> Tensor:
    return _vision_transformer(state, pixels) if "visual.proj" in state else _resnet(state, pixels)


def encode_text(state: State, tokens: Tensor) -> Tensor:
    x = state["token_embedding.weight"][tokens] + state["positional_embedding"]
    causal = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu(1)
    x = _blocks(state, "transformer", x, causal)
    x = _norm(state, "ln_final", x)
    return x[torch.arange(len(x)), tokens.argmax(dim=1)] @ state["text_projection"]  # the end of text is the largest


def _vision_transformer(state: State, pixels: Tensor) -> Tensor:
    kernel = state["visual.conv1.weight"]
    x = f.conv2d(pixels, kernel, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
    x = (
        torch.cat([state["visual.class_embedding"].expand(len(x), 1, -1), x], dim=1)
        + state["visual.positional_embedding"]
    )
    x = _blocks(state, "visual.transformer", _norm(state, "visual.ln_pre", x), None)
    return _norm(state, "visual.ln_post", x[:, 0]) @ state["visual.proj"]


def _blocks(state: State, name: str, x: Tensor, mask: Tensor | None) -> Tensor:
    for number in range(
        len({key.split(".resblocks.")[1].split(".")[0] for key in state if key.startswith(f"{name}.")})
    ):
        at = f"{name}.resblocks.{number}"
        x = x + _attention(state, at, _norm(state, f"{at}.ln_1", x), mask)
        wide = _linear(state, f"{at}.mlp.c_fc", _norm(state, f"{at}.ln_2", x))
        x = x + _linear(state, f"{at}.mlp.c_proj", wide * torch.sigmoid(1.702 * wide))  # QuickGELU
    return x


def _attention(state: State, at: str, x: Tensor, mask: Tensor | None) -> Tensor:
    weight, bias = state[f"{at}.attn.in_proj_weight"], state[f"{at}.attn.in_proj_bias"]
    heads = x.shape[-1] // 64
    q, k, v = (part.unflatten(-1, (heads, 64)).transpose(1, 2) for part in (x @ weight.T + bias).chunk(3, dim=-1))
    scores = q @ k.transpose(-1, -2) / 8
    mixed = (scores if mask is None else scores + mask).softmax(-1) @ v
    return _linear(state, f"{at}.attn.out_proj", mixed.transpose(1, 2).flatten(2))


def _resnet(state: State, x: Tensor) -> Tensor:
    for number, stride in ((1, 2), (2, 1), (3, 1)):
        x = f.conv2d(x, state[f"visual.conv{number}.weight"], stride=stride, padding=1)
        x = _batch_norm(state, f"visual.bn{number}", x).relu()
    x = f.avg_pool2d(x, 2)
    for stage in range(1, 5):
        blocks = {key.split(".")[2] for key in state if key.startswith(f"visual.layer{stage}.")}
        for block in range(len(blocks)):
            x = _bottleneck(state, f"visual.layer{stage}.{block}", x, 2 if stage > 1 and block == 0 else 1)
    return _attention_pool(state, x)


def _bottleneck(state: State, at: str, x: Tensor, stride: int) -> Tensor:
    y = _batch_norm(state, f"{at}.bn1", f.conv2d(x, state[f"{at}.conv1.weight"])).relu()
    y = _batch_norm(state, f"{at}.bn2", f.conv2d(y, state[f"{at}.conv2.weight"], padding=1)).relu()
    y = f.avg_pool2d(y, stride)
    y = _batch_norm(state, f"{at}.bn3", f.conv2d(y, state[f"{at}.conv3.weight"]))
    if f"{at}.downsample.0.weight" in state:
        x = f.conv2d(f.avg_pool2d(x, stride), state[f"{at}.downsample.0.weight"])
        x = _batch_norm(state, f"{at}.downsample.1", x)
    return (x + y).relu()


def _attention_pool(state: State, x: Tensor) -> Tensor:
    at = "visual.attnpool"
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1) + state[f"{at}.positional_embedding"]
    width = x.shape[-1]
    heads = width // 64
    q = _linear(state, f"{at}.q_proj", x[:, :1])
    q, k, v = (
        part.unflatten(-1, (heads, 64)).transpose(1, 2)
        for part in (q, _linear(state, f"{at}.k_proj", x), _linear(state, f"{at}.v_proj", x))
    )
    mixed = (q @ k.transpose(-1, -2) / 8).softmax(-1) @ v
    return _linear(state, f"{at}.c_proj", mixed.transpose(1, 2).flatten(2))[:, 0]


def _linear(state: State, at: str, x: Tensor) -> Tensor:
    return x @ state[f"{at}.weight"].T + state[f"{at}.bias"]


def _norm(state: State, at: str, x: Tensor) -> Tensor:
    mean, deviation = x.mean(-1, keepdim=True), (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    return (x - mean) / deviation * state[f"{at}.weight"] + state[f"{at}.bias"]


def _batch_norm(state: State, at: str, x: Tensor) -> Tensor:
    mean, var, weight, bias = (
        state[f"{at}.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias
