"""Shape as moments of brightness: Hu's and Zernike's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, factorial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wordsight.features.base import Described, Vectors
from wordsight.features.pixels import frozen, grey_framed, in_chunks
from wordsight.protocols import Image

_FLOOR = 1e-20
_HIGHEST_DEGREE = 24


@dataclass(frozen=True)
class Hu(Described):
    """Hu's seven moments of luma (Hu, IRE Transactions 1962): the same wherever a shape lies and however it is turned.

    The picture keeps its proportions, on black. Each moment h is given as sign(h) (log10 |h| + 20), and 0 below 1e-20,
    because they span many powers of ten; values lie in [-22, 22].
    """

    name: ClassVar[str] = "hu"
    side: int = 128

    def __post_init__(self) -> None:
        self._require(self.side >= 1, "a side of at least 1")

    @property
    def dim(self) -> int:
        """Length of a row: 7."""
        return 7

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, 7) float32."""
        return in_chunks(images, grey_framed, self.side, self.dim, self._rows)

    def _rows(self, levels: NDArray[np.uint8]) -> NDArray[np.float64]:
        moments = hu_moments(levels)
        size = np.log10(np.maximum(np.abs(moments), _FLOOR)) - np.log10(_FLOOR)
        signed: NDArray[np.float64] = np.copysign(size, moments)
        return signed


def hu_moments(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the seven moments (n, 7) of (n, h, w) pictures, levels read as [0, 1]; zeros for a black one."""
    eta = _scaled_moments(levels)
    e20, e11, e02 = eta[:, 2, 0], eta[:, 1, 1], eta[:, 0, 2]
    e30, e21, e12, e03 = eta[:, 3, 0], eta[:, 2, 1], eta[:, 1, 2], eta[:, 0, 3]
    p, q = e30 + e12, e21 + e03
    u, v = e30 - 3 * e12, 3 * e21 - e03
    p_wins, q_wins = p * (p**2 - 3 * q**2), q * (3 * p**2 - q**2)
    found = [
        e20 + e02,
        (e20 - e02) ** 2 + 4 * e11**2,
        u**2 + v**2,
        p**2 + q**2,
        u * p_wins + v * q_wins,
        (e20 - e02) * (p**2 - q**2) + 4 * e11 * p * q,
        v * p_wins - u * q_wins,
    ]
    return np.stack(found, axis=-1)


def _scaled_moments(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return (n, 4, 4): central moments by powers of x and of y, made independent of scale."""
    height, width = levels.shape[1:]
    down = np.vander(np.arange(height) - (height - 1) / 2, 4, increasing=True)
    right = np.vander(np.arange(width) - (width - 1) / 2, 4, increasing=True)
    raw = np.matmul(np.matmul(down.T, levels.astype(np.float64)), right).transpose(0, 2, 1) / 255
    mass = np.where(raw[:, 0, 0] > 0, raw[:, 0, 0], 1.0)
    central = _moved(raw[:, 1, 0] / mass) @ raw @ _moved(raw[:, 0, 1] / mass).transpose(0, 2, 1)
    order = np.add.outer(np.arange(4), np.arange(4))
    scaled: NDArray[np.float64] = central / mass[:, None, None] ** (1 + order / 2)
    return scaled


def _moved(centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 4, 4): takes powers of x to powers of (x - centre)."""
    table = np.zeros((len(centre), 4, 4))
    for power in range(4):
        for part in range(power + 1):
            table[:, power, part] = comb(power, part) * (-centre) ** (power - part)
    return table


@dataclass(frozen=True)
class Zernike(Described):
    """Magnitudes of Zernike moments of luma (Teague 1980; Khotanzad and Hong, PAMI 1990): the same when turned.

    Over the disc inscribed in the picture, which keeps its proportions, on black; divided by its mass, so brightness
    does not count. All orders up to ``degree``; numbered and scaled as in mahotas. Zeros for a black disc.
    """

    name: ClassVar[str] = "zernike"
    side: int = 64
    degree: int = 12

    def __post_init__(self) -> None:
        self._require(0 <= self.degree <= _HIGHEST_DEGREE, f"a degree of 0 to {_HIGHEST_DEGREE}")
        self._require(self.side >= 2, "a side of at least 2")

    @property
    def dim(self) -> int:
        """Length of a row: (degree + 2)^2 / 4, rounded down."""
        return (self.degree + 2) * (self.degree + 2) // 4

    def __call__(self, images: Sequence[Image]) -> Vectors:
        """Return (n, dim) float32, none negative."""
        return in_chunks(images, grey_framed, self.side, self.dim, self._rows)

    def _rows(self, levels: NDArray[np.uint8]) -> NDArray[np.float32]:
        inside, basis = _zernike_basis(self.side, self.degree)
        disc = levels.reshape(len(levels), -1).take(inside, axis=1).astype(np.float32)
        disc /= np.maximum(disc.sum(axis=1, keepdims=True), 1)
        # one product a picture, not of BLAS: products of a batch would round differently in another batch
        parts = [np.einsum("mp,p->m", basis, row) for row in disc]
        lengths: NDArray[np.float32] = np.hypot(*np.stack(parts).reshape(len(disc), 2, -1).transpose(1, 0, 2))
        return lengths


@lru_cache(maxsize=8)
def _zernike_basis(side: int, degree: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the places of the disc's pixels (p,), and (2 x moments, p): real, then imaginary parts."""
    line = (np.arange(side) - (side - 1) / 2) / (side / 2)
    plane = line[None, :] + 1j * line[:, None]
    inside = np.flatnonzero(np.abs(plane) <= 1)
    places = plane.ravel()[inside]
    radius, angle = np.abs(places), np.angle(places)
    orders = [(n, m) for n in range(degree + 1) for m in range(n % 2, n + 1, 2)]
    rows = np.stack([(n + 1) / np.pi * _radial(n, m, radius) * np.exp(-1j * m * angle) for n, m in orders])
    return frozen(inside), frozen(np.concatenate([rows.real, rows.imag]).astype(np.float32))


def _radial(n: int, m: int, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros_like(radius)
    for k in range((n - m) // 2 + 1):
        ways = factorial(n - k) // (factorial(k) * factorial((n + m) // 2 - k) * factorial((n - m) // 2 - k))
        total += (-1) ** k * ways * radius ** (n - 2 * k)
    return total
