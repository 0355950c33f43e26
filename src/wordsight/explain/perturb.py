"""Methods that ask an encoder about changed pictures, and so work with every one: occlusion and RISE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from wordsight.explain.masks import in_batches, mean_colour, seen_through
from wordsight.explain.method import Maps, embed
from wordsight.explain.objective import Objective
from wordsight.explain.options import ExplainOptions
from wordsight.protocols import Encoder, Image

_CELLS = 7  # of RISE's coarse masks along a side, as in the paper
_KEPT = 0.5


class Occlusion:
    """How much the objective falls when a patch in the picture's mean colour covers a place.

    Patches of ``window`` times the view's side move by half of it; a place gets the mean of the patches over it.
    Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks" (ECCV).
    """

    name = "occlusion"

    def __init__(self, encoder: Encoder, options: ExplainOptions, stride: int | None) -> None:
        self._encoder, self._window, self.stride = encoder, options.window, stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(view, objective) for view in views])

    def _one(self, view: Image, objective: Objective) -> Maps:
        covers = _covers(view.size, self._window)
        colour = mean_colour(view)

        def covered() -> Iterator[Image]:
            for cover in covers:
                image = view.copy()
                image.paste(colour, cover)
                yield image

        whole = objective.values(embed(self._encoder, [view], self.stride))[0]
        fall = whole - in_batches(covered(), lambda seen: objective.values(embed(self._encoder, seen, self.stride)))
        total = np.zeros((len(whole), view.height, view.width), np.float32)
        count = np.zeros((view.height, view.width), np.float32)
        for (left, top, right, bottom), lost in zip(covers, fall, strict=True):
            total[:, top:bottom, left:right] += lost[:, None, None]
            count[top:bottom, left:right] += 1
        return total / count


class Rise:
    """The mean of random masks, each weighted by the objective of the picture seen through it.

    Masks are coarse grids of 0 and 1, shifted and interpolated. Petsiuk, Das and Saenko 2018, "RISE: randomized input
    sampling for explanation of black-box models" (BMVC).
    """

    name = "rise"

    def __init__(self, encoder: Encoder, options: ExplainOptions, stride: int | None) -> None:
        self._encoder, self._samples, self._seed, self.stride = encoder, options.samples, options.seed, stride

    def __call__(self, views: Sequence[Image], objective: Objective) -> Maps:
        """Return the raw maps."""
        return np.stack([self._one(view, objective) for view in views])

    def _one(self, view: Image, objective: Objective) -> Maps:
        masks = random_masks(view.size, self._samples, self._seed)
        through = seen_through(view, masks)
        values = in_batches(through, lambda seen: objective.values(embed(self._encoder, seen, self.stride)))
        values -= values.mean(axis=0)  # the mean of the masks is not quite even: what all share must not count
        return np.asarray(np.tensordot(values.T, masks, axes=1) / len(masks) / _KEPT, np.float32)


def random_masks(size: tuple[int, int], samples: int, seed: int) -> NDArray[np.float32]:
    """Return (samples, h, w) masks in [0, 1] for views of ``size`` (width, height)."""
    rng = np.random.default_rng(seed)
    cell = (-(-size[0] // _CELLS), -(-size[1] // _CELLS))
    masks = np.empty((samples, size[1], size[0]), np.float32)
    for mask in masks:
        grid = (rng.random((_CELLS + 1, _CELLS + 1)) < _KEPT).astype(np.float32)
        large = PILImage.fromarray(grid).resize(
            (cell[0] * (_CELLS + 1), cell[1] * (_CELLS + 1)), PILImage.Resampling.BILINEAR
        )
        left, top = int(rng.integers(cell[0])), int(rng.integers(cell[1]))
        mask[:] = np.asarray(large)[top : top + size[1], left : left + size[0]]
    return masks


def _covers(size: tuple[int, int], window: float) -> list[tuple[int, int, int, int]]:
    across, down = (max(1, round(window * length)) for length in size)
    return [
        (left, top, left + across, top + down) for top in _starts(size[1], down) for left in _starts(size[0], across)
    ]


def _starts(length: int, window: int) -> list[int]:
    steps = -(-(length - window) // max(1, window // 2))
    return [round((length - window) * step / steps) for step in range(steps + 1)] if steps else [0]
