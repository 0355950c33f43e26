"""Why a picture matches a text, for the routes: maps as pictures and numbers, boxes."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PILImage

from wordsight import images
from wordsight.drawing import veil
from wordsight.explain import ViewExplainer, best_threshold, explainer
from wordsight.images import Picture
from wordsight.web.models_pictures import ExplainParams, MapParams
from wordsight.web.pictures import check_served, content, photos
from wordsight.web.service import Service
from wordsight.why import Estimator, Explained, explain_picture, main_boxes, record

VALUES = "values"
"""The colour map that is none: grey pixels for programs."""

_SIDE = 600  # pixels on the shorter side that no view looks beyond


def explain(service: Service, sha256: str, asked: ExplainParams) -> dict[str, Any]:
    """Return the object of ``wordsight explain --json``; raises what ``content`` and the explainer raise."""
    one, maker = _explained(service, sha256, asked)
    members = record(one, maker, _threshold(maker, asked))
    if asked.values:
        members["map"]["values"] = np.round(one.saliency.values.astype(np.float64), 4).tolist()
    return members


def map_png(service: Service, sha256: str, asked: MapParams) -> bytes:
    """Return the map as a PNG over the whole picture: coloured and half transparent, or its values as grey."""
    one, _ = _explained(service, sha256, asked)
    if asked.colours == VALUES:
        picture = PILImage.fromarray((one.saliency.values * 255).round().astype(np.uint8))
    else:
        picture = veil(one.saliency.values, colours=asked.colours)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _explained(service: Service, sha256: str, asked: ExplainParams) -> tuple[Explained, ViewExplainer]:
    """Explain, or remember: the map and the object are asked for one after the other."""
    encoder = service.encoder(asked.encoder)
    maker = explainer(encoder, asked.method or "auto")
    key = encoder.fingerprint, maker.method, sha256, asked.text, asked.boxes, asked.threshold

    def make() -> Explained:
        make_boxes = partial(main_boxes, most=asked.boxes, threshold=_threshold(maker, asked))
        picture, path = _picture(service, sha256)
        judge = service.vectors.get(("estimator", encoder.fingerprint), lambda: Estimator(encoder))
        return explain_picture(picture, path, asked.text, maker, make_boxes=make_boxes, estimator=judge)

    check_served(service, sha256)  # however well it is remembered
    return service.explained.get(key, make), maker


def _threshold(maker: ViewExplainer, asked: ExplainParams) -> float:
    return best_threshold(maker.encoder, maker.method) if asked.threshold is None else asked.threshold


def _picture(service: Service, sha256: str) -> tuple[Picture, Path]:
    upload = service.uploads.find(sha256)
    if upload is not None:
        return Picture(upload.image, upload.info), Path(f"/{sha256}")
    data = content(service, sha256)
    return images.read(data, side=_SIDE), photos(service, sha256)[0].path
