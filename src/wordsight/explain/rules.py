"""Class activation maps: how activations and gradients of a layer become one map. Pure functions on arrays.

``activations`` a (c, h, w) and ``gradients`` g of the objective for them, (c, h, w) or (c, 1, 1) where all places have
the same. Each rule gives the weighted activations (c, h, w), which ``reduce`` sums over channels. A test holds every
rule against the library that backbones in torch use (grad-cam by J. Gildenblat); here they need no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rule = Callable[[Array, Array], Array]


def grad_cam(a: Array, g: Array) -> Array:
    """Return activations weighted by the mean gradient of their channel: Selvaraju et al. 2017 (ICCV)."""
    return np.asarray(a * g.mean(axis=(1, 2), keepdims=True), np.float32)


def grad_cam_plus_plus(a: Array, g: Array) -> Array:
    """Return activations weighted by their channel's positive gradients: Chattopadhay et al. 2018 (WACV), eq. 19."""
    g = np.broadcast_to(g, a.shape)
    square = g * g
    share = square / (2 * square + a.sum(axis=(1, 2), keepdims=True) * square * g + 1e-6)
    return np.asarray(a * (np.maximum(g, 0) * share).sum(axis=(1, 2), keepdims=True), np.float32)


def x_grad_cam(a: Array, g: Array) -> Array:
    """Return activations weighted by the activation-weighted mean gradient: Fu et al. 2020 (BMVC)."""
    weights = (g * a).sum(axis=(1, 2), keepdims=True) / (a.sum(axis=(1, 2), keepdims=True) + 1e-7)
    return np.asarray(a * weights, np.float32)


def layer_cam(a: Array, g: Array) -> Array:
    """Return activations weighted by the positive gradient of each place: Jiang et al. 2021 (IEEE TIP 30)."""
    return a * np.maximum(g, 0)


def eigen_cam(a: Array, g: Array) -> Array:  # noqa: ARG001  # it asks for no text
    """Return the activations: their first principal component is the map. Muhammad and Yeasin 2020 (IJCNN)."""
    return a


def eigen_grad_cam(a: Array, g: Array) -> Array:
    """Return activations times gradients, whose first principal component is the map: Eigen-CAM that asks for a text.

    Defined by the grad-cam library.
    """
    return a * g


RULES: Mapping[str, Rule] = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "xgradcam": x_grad_cam,
    "layercam": layer_cam,
    "eigencam": eigen_cam,
    "eigengradcam": eigen_grad_cam,
}
_EIGEN = {"eigencam", "eigengradcam"}


def cam(name: str, activations: Array, gradients: Array, *, eigen_smooth: bool = False) -> Array:
    """Return the map (h, w) of the rule called ``name``; negative values speak against the text."""
    weighted = RULES[name](activations, gradients)
    return principal(weighted) if eigen_smooth or name in _EIGEN else np.asarray(weighted.sum(axis=0), np.float32)


def principal(weighted: Array) -> Array:
    """Return each place's (h, w) part of the first principal component of its channels.

    Its sign, which a component does not have, is that of the side that reaches further from the mean: Chung and Ying
    2025, "Seg-Eigen-CAM" (Applied Sciences 15), eq. 13.
    """
    channels, height, width = weighted.shape
    rows = weighted.reshape(channels, -1).T.astype(np.float64)
    rows -= rows.mean(axis=0)
    if channels < len(rows):
        part = rows @ np.linalg.eigh(rows.T @ rows)[1][:, -1]
    else:
        values, vectors = np.linalg.eigh(rows @ rows.T)
        part = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))
    if -part.min() > part.max():
        part = -part
    return np.asarray(part.reshape(height, width), np.float32)
