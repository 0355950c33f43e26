"""What is known of the image towers' architectures: features of each place, layers for gradients, attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from timm.layers import Format
from timm.models import VisionTransformer as TimmTransformer
from torch import Tensor, nn
from torch.nn import functional

from wordsight.errors import ModelError


@dataclass(frozen=True, slots=True)
class BlockTrace:
    """What happened in one transformer block, all part of the graph of gradients.

    L tokens, the first ``prefix`` of which stand for no place; H heads of width C / H.
    """

    queries: Tensor
    """(n, H, L, C / H), like ``keys`` and ``values``."""
    keys: Tensor
    values: Tensor
    attention: Tensor
    """(n, H, L, L): each row sums to one."""
    mixed: Tensor
    """(n, L, C): what attention gathered, before its output projection."""
    tokens: Tensor
    """(n, L, C): what the block passes on."""


@dataclass(frozen=True, slots=True)
class TorchTower:
    """An image tower as a torch module, and all that gradient methods need to know of its architecture.

    ``module``: pixels (n, 3, side, side) -> embeddings (n, dim) before normalisation, float32, in evaluation mode.
    ``layers``: modules whose output a CAM method may weigh, shallow to deep; the last one but for reasons.
    ``to_map``: the output of any of ``layers`` -> (n, channels, h, w); a token that stands for no place is dropped.
    ``prefix``: how many tokens stand for no place.
    ``trace``: pixels -> a ``BlockTrace`` for each block, first to last; ``None`` where there is no attention to see.
    ``pool``: tokens (n, L, C) of any block -> embeddings (n, dim) before normalisation; ``None`` like ``trace``.
    """

    module: nn.Module
    layers: tuple[nn.Module, ...]
    to_map: Callable[[Tensor], Tensor]
    prefix: int = 0
    trace: Callable[[Tensor], tuple[BlockTrace, ...]] | None = None
    pool: Callable[[Tensor], Tensor] | None = None


def torch_tower(visual: nn.Module, name: str) -> TorchTower:
    """Return the view of ``visual`` that gradient methods use; raises ``ModelError`` for an unknown architecture."""
    if isinstance(visual, ModifiedResNet):
        layers = (visual.layer1, visual.layer2, visual.layer3, visual.layer4)
        return TorchTower(visual, layers, lambda features: features)
    if isinstance(visual, VisionTransformer):
        blocks = list(visual.transformer.resblocks)
        plain = _is_plain(visual)
        return TorchTower(
            visual,
            tuple(
                block.ln_1 for block in blocks
            ),  # the last block's own output reaches the embedding by one token only
            lambda tokens: _to_grid(tokens, 1),
            prefix=1,
            trace=(lambda pixels: _trace(visual, pixels)) if plain else None,
            pool=(lambda tokens: visual._pool(tokens)[0] @ visual.proj) if plain else None,
        )
    if isinstance(visual, TimmModel):
        return _timm_tower(visual, name)
    raise ModelError(f"{name}: the architecture {type(visual).__name__} is not known to gradient methods")


def embeddings(visual: nn.Module, pixels: Tensor) -> Tensor:
    """Return what ``visual`` does, (n, dim), without what nobody reads: most of the last block of a transformer.

    Where the class token alone becomes the embedding, the last block need not compute the others: 6 % of ViT-B.
    """
    if not isinstance(visual, VisionTransformer) or visual.pool_type != "tok" or not _is_plain(visual):
        whole: Tensor = visual(pixels)
        return whole
    tokens = visual._embeds(pixels)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        tokens = run_block(block, tokens).tokens
    return visual._pool(run_block(last, tokens, first=1).tokens)[0] @ visual.proj


def feature_maps(visual: nn.Module, pixels: Tensor, name: str) -> Tensor:
    """Return (n, dim, h, w): for each place, features in the space of the embeddings.

    - ResNets: what the attention pool would return if it attended to that place alone, which is its value projection
      (Zhou et al., "Extract Free Dense Labels from CLIP", 2022, section 3.2).
    - Transformers of open_clip: the last block with attention between equal queries, without the residual and the
      perceptron, which carry what is common to all places (Lan et al., "ClearCLIP", 2024, equation 5).
    - Towers of timm: the pooling applied to each place alone; for mean pooling and a linear head the mean over places
      is the embedding.
    """
    if isinstance(visual, ModifiedResNet):
        pool = visual.attnpool
        features = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(pixels)))))
        return _per_place(features, lambda places: pool.c_proj(pool.v_proj(places)))
    if isinstance(visual, VisionTransformer):
        return _clear_map(visual, pixels)
    if isinstance(visual, TimmModel):
        return _timm_map(visual, pixels, name)
    raise ModelError(f"{name}: feature maps of the architecture {type(visual).__name__} are not known")


def stride(visual: nn.Module) -> int:
    """Return how many pixels along each side make one place of ``feature_maps``."""
    if isinstance(visual, ModifiedResNet):
        return 32
    if isinstance(visual, VisionTransformer):
        return int(visual.patch_size[0])
    patches = getattr(visual.trunk, "patch_embed", None)
    if patches is not None and hasattr(patches, "patch_size"):
        return int(patches.patch_size[0])
    return int(visual.trunk.feature_info[-1]["reduction"])


def _per_place(features: Tensor, project: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply ``project``, (places, channels) -> (places, dim), to (n, channels, h, w)."""
    n, channels, h, w = features.shape
    places = features.permute(0, 2, 3, 1).reshape(n * h * w, channels)
    return project(places).reshape(n, h, w, -1).permute(0, 3, 1, 2)


def _to_grid(tokens: Tensor, prefix: int, h: int | None = None, w: int | None = None) -> Tensor:
    """Return (n, channels, h, w); a square unless said."""
    n, length, channels = tokens.shape
    if h is None or w is None:
        h = w = round((length - prefix) ** 0.5)
    return tokens[:, prefix:].transpose(1, 2).reshape(n, channels, h, w)


def _heads(attention: nn.MultiheadAttention, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values, (n, H, L, C / H) each."""
    n, length, _ = tokens.shape
    wide = functional.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = wide.reshape(n, length, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    return query, key, value


def _attend(query: Tensor, key: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    return (scores if mask is None else scores + mask).softmax(dim=-1)


def _together(heads: Tensor) -> Tensor:
    return heads.transpose(1, 2).flatten(2)


def _is_plain(visual: VisionTransformer) -> bool:
    blocks = visual.transformer.resblocks
    return visual.attn_pool is None and all(isinstance(block, ResidualAttentionBlock) for block in blocks)


def run_block(
    block: ResidualAttentionBlock, tokens: Tensor, mask: Tensor | None = None, *, first: int | None = None
) -> BlockTrace:
    """Run one block of open_clip's in steps that can be seen; ``mask`` (L, L) is added to the attention's scores.

    ``first``: only so many tokens ask and are passed on; they may look at all.
    """
    query, key, value = _heads(block.attn, block.ln_1(tokens))
    query, tokens = query[:, :, :first], tokens[:, :first]
    weights = _attend(query, key, mask)
    mixed = _together(weights @ value)
    tokens = tokens + block.ls_1(block.attn.out_proj(mixed))
    tokens = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
    return BlockTrace(query, key, value, weights, mixed, tokens)


def _trace(visual: VisionTransformer, pixels: Tensor) -> tuple[BlockTrace, ...]:
    tokens, traces = visual._embeds(pixels), []
    for block in visual.transformer.resblocks:
        traces.append(run_block(block, tokens))
        tokens = traces[-1].tokens
    return tuple(traces)


def _clear_map(visual: VisionTransformer, pixels: Tensor) -> Tensor:
    features = visual.conv1(pixels)
    n, _, h, w = features.shape
    first = visual.class_embedding.expand(n, 1, -1)
    tokens = torch.cat([first, features.flatten(2).transpose(1, 2)], dim=1)
    tokens = visual.ln_pre(tokens + _positions(visual, h, w))
    *blocks, last = visual.transformer.resblocks
    for block in blocks:  # step by step where possible: torch's own attention exports with a fixed number of places
        tokens = run_block(block, tokens).tokens if isinstance(block, ResidualAttentionBlock) else block(tokens)
    if isinstance(last, ResidualAttentionBlock) and visual.attn_pool is None:
        query, _, value = _heads(last.attn, last.ln_1(tokens))
        mixed = last.ls_1(last.attn.out_proj(_together(_attend(query, query) @ value)))
        return _to_grid(visual.ln_post(mixed) @ visual.proj, 1, h, w)
    return _per_place(_to_grid(last(tokens), 1, h, w), lambda places: visual._pool(places[:, None])[0] @ visual.proj)


def _positions(visual: VisionTransformer, h: int, w: int) -> Tensor:
    """Return the embeddings of positions for a class token and a grid of ``h`` x ``w``."""
    learnt: Tensor = visual.positional_embedding
    return torch.cat([learnt[:1], _resized(learnt[1:], tuple(visual.grid_size), h, w)])


def _resized(learnt: Tensor, grid_size: tuple[int, ...], h: int, w: int) -> Tensor:
    """Return (h w, channels): embeddings between those that were trained, (places of the grid, channels)."""
    if not torch.jit.is_tracing() and (h, w) == grid_size:  # an exported graph takes any size
        return learnt
    grid = learnt.reshape(1, *grid_size, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(h, w), mode="bicubic", align_corners=False)
    return grid.flatten(2).transpose(1, 2)[0]


def _timm_tower(visual: TimmModel, name: str) -> TorchTower:
    blocks = getattr(visual.trunk, "blocks", None)
    if isinstance(blocks, nn.Sequential | nn.ModuleList) and hasattr(blocks[-1], "norm1"):
        prefix = int(getattr(visual.trunk, "num_prefix_tokens", 0))
        return TorchTower(
            visual, tuple(block.norm1 for block in blocks), lambda tokens: _to_grid(tokens, prefix), prefix
        )
    stages = getattr(visual.trunk, "stages", None)
    if isinstance(stages, nn.Sequential | nn.ModuleList):
        last = getattr(visual.trunk, "final_conv", None)
        return TorchTower(visual, (*stages, last) if isinstance(last, nn.Module) else tuple(stages), lambda maps: maps)
    raise ModelError(f"{name}: the layers of {type(visual.trunk).__name__} are not known to gradient methods")


def _timm_map(visual: TimmModel, pixels: Tensor, name: str) -> Tensor:
    trunk = visual.trunk
    if _has_only_places(trunk):
        grid = _timm_grid(trunk, pixels)
        return _per_place(grid, lambda places: _timm_head(visual, places[:, None]))
    if isinstance(trunk, TimmTransformer):
        _take_any_size(trunk)
    try:
        features = trunk.forward_features(pixels)
    except AssertionError as error:
        raise ModelError(f"{name} takes pictures of its own size only: {error}") from error
    if features.ndim == 4:
        return _per_place(features, lambda places: _timm_head(visual, places[:, :, None, None]))
    cells = tuple(side // stride(visual) for side in pixels.shape[2:])
    grid = _to_grid(features, int(trunk.num_prefix_tokens), *cells)
    return _per_place(grid, lambda places: _timm_head(visual, _padded(places, trunk)))


def _has_only_places(trunk: nn.Module) -> bool:
    """Say whether this is a transformer of timm's whose tokens all stand for places, as SigLIP's do."""
    return (
        isinstance(trunk, TimmTransformer)
        and not trunk.num_prefix_tokens
        and isinstance(trunk.pos_embed, nn.Parameter)
        and isinstance(trunk.patch_embed.norm, nn.Identity)
    )


def _timm_grid(trunk: TimmTransformer, pixels: Tensor) -> Tensor:
    """Return the last features, (n, channels, h, w); step by step, for timm's own way exports one size only."""
    patches = trunk.patch_embed.proj(pixels)
    h, w = patches.shape[2:]
    positions = _resized(trunk.pos_embed[0], tuple(trunk.patch_embed.grid_size), h, w)
    tokens = trunk.norm_pre(patches.flatten(2).transpose(1, 2) + positions)
    return _to_grid(trunk.norm(trunk.blocks(tokens)), 0, h, w)


def takes_any_size(visual: nn.Module) -> bool:
    """Say whether an exported graph of ``feature_maps`` can take any height and width."""
    return (
        not isinstance(visual, TimmModel) or not hasattr(visual.trunk, "patch_embed") or _has_only_places(visual.trunk)
    )


def _take_any_size(trunk: TimmTransformer) -> None:
    """Let a transformer of timm's interpolate its positions, as ``dynamic_img_size`` does where it is made."""
    if not trunk.dynamic_img_size:
        trunk.dynamic_img_size = True
        patches = trunk.patch_embed
        patches.strict_img_size, patches.flatten, patches.output_fmt = False, False, Format.NHWC


def _padded(places: Tensor, trunk: nn.Module) -> Tensor:
    """Put before each place the tokens that a mean over places skips."""
    skipped = int(getattr(trunk, "num_prefix_tokens", 0)) if getattr(trunk, "global_pool", "") == "avg" else 0
    return torch.cat([places.new_zeros(len(places), skipped, places.shape[1]), places[:, None]], dim=1)


def _timm_head(visual: TimmModel, features: Tensor) -> Tensor:
    embeddings: Tensor = visual.head(visual.trunk.forward_head(features))
    return embeddings
