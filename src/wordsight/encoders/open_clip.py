"""Any dual encoder that open_clip knows, run by torch (extra ``openclip``)."""

from __future__ import annotations

import copy
import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from wordsight.encoders import open_clip_weights
from wordsight.encoders.open_clip_names import parse
from wordsight.encoders.open_clip_texts import TextReader, text_reader
from wordsight.encoders.open_clip_towers import TorchTower, feature_maps, stride, torch_tower
from wordsight.encoders.preprocess import to_pixels
from wordsight.errors import BadInput
from wordsight.machine import cores
from wordsight.types import Embeddings, Metric

if TYPE_CHECKING:
    from wordsight.protocols import Image

PRECISION = "WORDSIGHT_PRECISION"
_PRECISIONS = ("auto", "fp32", "bf16")
_WORTH = 1.2
_IMAGES_PER_RUN = 16
_TEXTS_PER_RUN = 64
_TRIED_AFTER = 16  # pictures


class OpenClipEncoder:
    """A dual encoder of open_clip's; see ``open_clip_names`` for what ``name`` may be.

    Calls from several threads take turns, and each uses all of torch's threads. The image tower runs in bfloat16 where
    that measured at least 1.2 times as fast as float32 here, from the 17th picture on (fewer are not worth the trial);
    ``$WORDSIGHT_PRECISION`` (auto, fp32, bf16) overrides it. Texts, feature maps and gradients are always float32.

    Raises ``BadInput`` for a name of nothing and ``ModelError`` for weights that are missing or do not fit.
    """

    metric = Metric.COSINE
    vocabulary: tuple[str, ...] | None = None
    pools_by_mean = False
    label_prompts: tuple[str, ...] = ("a photo of a {}.",)

    def __init__(self, name: str) -> None:
        source = parse(name)
        self.name = name
        if torch.get_num_threads() > cores():  # torch knows nothing of a container's quota
            torch.set_num_threads(cores())
        self.model: nn.Module = open_clip_weights.build(source).to("cuda" if torch.cuda.is_available() else "cpu")
        self.preprocess = open_clip_weights.preprocessing(self.model, name)
        self.image_side: int | None = self.preprocess.size
        self._source = source
        if source.seed is None:
            _ = self.tokens  # told now, not at the first query; a random network may do without its vocabulary
        self._lock = threading.Lock()
        self._encoded = 0
        self._precision = os.environ.get(PRECISION, "auto")
        if self._precision not in _PRECISIONS:
            raise BadInput(f"{PRECISION}={self._precision}: expected one of {', '.join(_PRECISIONS)}")
        settings = self.model.visual.preprocess_cfg
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(settings["mean"], device=self._device).reshape(shape)
        self._deviation = torch.tensor(settings["std"], device=self._device).reshape(shape)

    @cached_property
    def tokens(self) -> TextReader:
        """What turns texts into the tokens that the model was trained with."""
        return text_reader(self._source, self.model.context_length)

    @cached_property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.encode_texts(["a"]).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the weights in float32 and of how pictures and texts are prepared; the precision does not count."""
        digest = hashlib.sha256(repr((self.preprocess, sorted(self.model.visual.preprocess_cfg.items()))).encode())
        digest.update(repr((self.tokens.content, _activations(self.model))).encode())
        for key, values in sorted(self.model.state_dict().items()):
            digest.update(key.encode())
            digest.update(values.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Return (n, dim) float32 vectors of unit length."""
        with self._lock, torch.inference_mode():
            self._encoded += len(images)
            parts = [functional.normalize(self._tower(pixels).float(), dim=-1) for pixels in self._batches(images)]
        return np.concatenate([part.cpu().numpy() for part in parts]) if parts else np.empty((0, self.dim), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return (m, dim) float32 vectors of unit length; texts longer than the context are cut."""
        parts = []
        with self._lock, torch.inference_mode():
            for start in range(0, len(texts), _TEXTS_PER_RUN):
                parts.append(self.text_features(texts[start : start + _TEXTS_PER_RUN]).cpu().numpy())
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    @property
    def stride(self) -> int | None:
        """Pixels along each side of the input that make one place of a map."""
        return stride(self.model.visual)

    def feature_maps(self, images: Sequence[Image], *, as_is: bool = False) -> NDArray[np.float32]:
        """Return (n, dim, h, w): features of each place in the space of the embeddings; see ``open_clip_towers``.

        ``as_is``: pictures of one size with sides that are multiples of ``stride`` are taken whole.
        """
        with self._lock, torch.inference_mode():
            batches = self._batches(images, as_is=as_is)
            parts = [feature_maps(self.model.visual, pixels, self.name).cpu().numpy() for pixels in batches]
        return np.concatenate(parts) if parts else np.empty((0, self.dim, 1, 1), np.float32)

    def remarks(self, text: str) -> tuple[str, ...]:
        """Return a notice when ``text`` is longer than the text tower takes."""
        count, most = self.tokens.length(text), self.tokens.context
        if count <= most:
            return ()
        return (f"the query was cut: it has {count} tokens and {self.name} reads the first {most}",)

    def in_float32(self) -> OpenClipEncoder:
        """Return this encoder with an image tower that computes in float32, whatever was chosen; weights are shared."""
        plain = copy.copy(self)
        plain._precision = "fp32"
        plain.__dict__.pop("_fast", None)
        return plain

    def gradients(self) -> TorchTower:
        """Return the image tower in float32 with what gradient methods need to know of its architecture."""
        return torch_tower(self.model.visual, self.name)

    def pixels(self, images: Sequence[Image], *, as_is: bool = False) -> Tensor:
        """Return the tower's normalised input of at least one picture, (n, 3, side, side) float32.

        ``as_is``: pictures of one size are taken whole.
        """
        stacked = np.stack([np.array(image) if as_is else to_pixels(image, self.preprocess) for image in images])
        # Made contiguous: with channels last, torch 2.14 overwrites memory in gradients of depthwise convolutions.
        unit = torch.from_numpy(stacked).to(self._device).permute(0, 3, 1, 2).contiguous().float() / 255
        return (unit - self._mean) / self._deviation

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Return (m, dim) float32 of unit length as a tensor that gradients may pass through."""
        rows = torch.from_numpy(self.tokens(texts)).to(self._device)
        return _text_features(self.model, rows)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _batches(self, images: Sequence[Image], *, as_is: bool = False) -> Iterator[Tensor]:
        for start in range(0, len(images), _IMAGES_PER_RUN):
            yield self.pixels(images[start : start + _IMAGES_PER_RUN], as_is=as_is)

    def _tower(self, pixels: Tensor) -> Tensor:
        few = self._precision == "auto" and self._encoded <= _TRIED_AFTER
        tower = self.model.visual if few else self._fast
        embeddings: Tensor = tower(pixels.to(next(tower.parameters()).dtype))
        return embeddings

    @cached_property
    def _fast(self) -> nn.Module:
        """The image tower in the precision that is faster here."""
        visual: nn.Module = self.model.visual
        if self._precision == "fp32":
            return visual
        half = copy.deepcopy(visual).to(torch.bfloat16)
        if self._precision == "bf16":
            return half
        picture = torch.zeros((2, 3, self.preprocess.size, self.preprocess.size), device=self._device)
        return half if _seconds(visual, picture) > _WORTH * _seconds(half, picture.bfloat16()) else visual


def _text_features(model: nn.Module, rows: Tensor) -> Tensor:
    """Return what the model says of rows of tokens, (m, dim) of unit length.

    CLIP's own text tower reads from left to right and is asked at the closing token, the one with the highest number.
    What follows changes nothing, and for short texts it is nine tenths of the work: it is cut off.
    """
    own = getattr(model, "text_pool_type", None) == "argmax"  # a tower that came from elsewhere is a module of its own
    if not own or model.attn_mask is None:
        features: Tensor = model.encode_text(rows, normalize=True)
        return features
    used = int(rows.argmax(dim=-1).max()) + 1
    cut = {"positional_embedding": model.positional_embedding[:used], "attn_mask": model.attn_mask[:used, :used]}
    asked = {"image": None, "text": rows[:, :used]}
    found = torch.func.functional_call(model, cut, kwargs=asked)  # of pictures, texts, and the scale
    shorter: Tensor = found["text_features"] if isinstance(found, dict) else found[1]
    return shorter


def _seconds(tower: nn.Module, pixels: Tensor) -> float:
    """Return the time of one run after a first one that warms up."""
    tower(pixels)
    start = time.perf_counter()
    tower(pixels)
    if pixels.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _activations(model: nn.Module) -> list[str]:
    """Return the kinds of modules in order: the same weights with another activation are another model."""
    return [type(module).__name__ for module in model.modules()]
