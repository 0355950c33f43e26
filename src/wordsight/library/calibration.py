"""The match estimate: how likely a hit shows what was asked, learned from how unrelated queries score there.

A catalogue remembers the mean of its vectors, the vectors of a bank of background queries (``background``), and mean
and deviation of the bank's scores over all photos, which follow from the vectors' mean and covariance without a scan;
where it holds regions, the same of the scores by region, which are counted over a sample. A
hit is described by four numbers without a unit (``FEATURES``), and a logistic model with fixed weights makes them a
probability: for one query it never falls when the score rises. docs/matches.md tells the method and what it reaches;
``python -m benchmarks.matches --fit`` prints the weights anew.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordsight.index.regions import blend_all
from wordsight.library import background, region_table
from wordsight.library.bank import encode_bank
from wordsight.library.blobs import unpack
from wordsight.library.catalogue import Catalogue, StoredEncoder, now
from wordsight.protocols import Encoder
from wordsight.types import Embeddings, Metric

FEATURES = ("score", "mean", "photos", "words")
"""score: the hit's score, in deviations of the bank's scores from their mean over all photos. mean: the same of the
query's mean score (high where most photos show it). photos: log of their number (the best of many chance scores is
higher). words: where the text lies between nonsense (-0.5) and the bank's things (0.5)."""

WEIGHTS = (1.498, 0.357, -0.527, 1.535)
BIAS = -3.682
REGION_BIAS = -0.5
"""Added by region: a photo has as many chances to look like what was asked as it has regions (docs/regions.md)."""

_BOUNDS = ((-1e3, 1e3), (-3.0, 3.0), (0.0, 11.5), (-1.0, 1.0))  # not far beyond what the weights were fitted on
_FORMAT = 1
_MAGIC = b"wordsight calibration\n"
_SAMPLE = 20_000
_BATCH = 1_024
_IS_SAMPLED = "(v.id * 2654435761) % 4294967296 < ?"
_LEAST_SCALE = 5e-3  # below, the bank's texts are one to this encoder, and rounding would count as evidence
_DUE_FROM = 0.15


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is remembered of a catalogue and an encoder to judge a score.

    ``images`` pictures were there, the newest with the id ``last``. ``mean`` (dim,) is that of their vectors.
    ``bank_mean`` and ``bank_scale`` are mean and deviation of the bank's scores over all photos. ``words`` (dim,) and
    ``words_offset`` tell things from nonsense. ``bank`` (texts, dim) are the background queries, kept for next time.
    ``regions`` pictures had regions; ``region_mean`` and ``region_scale`` are like ``bank_mean`` and ``bank_scale`` for
    scores by region.
    """

    images: int
    last: int
    bank_mean: float
    bank_scale: float
    words_offset: float
    mean: NDArray[np.float32]
    words: NDArray[np.float32]
    bank: NDArray[np.float16]
    regions: int = 0
    region_mean: float = 0.0
    region_scale: float = 1.0

    def match(
        self, query: NDArray[np.float32], scores: NDArray[np.float32], *, by_region: bool = False
    ) -> NDArray[np.float32]:
        """Return the probability in [0, 1] that a photo with that score shows what was asked, one per score.

        ``query`` (dim,) of unit length, ``scores`` (n,) its cosines with photos, or ``by_region`` those with photos and
        their best regions.
        """
        logits = self.features(query, scores, by_region=by_region) @ np.asarray(WEIGHTS) + BIAS
        logits += REGION_BIAS if by_region else 0.0
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)

    def features(
        self, query: NDArray[np.float32], scores: NDArray[np.float32], *, by_region: bool = False
    ) -> NDArray[np.float64]:
        """Return the ``FEATURES`` of each score, (n, 4)."""
        middle, scale = (self.region_mean, self.region_scale) if by_region else (self.bank_mean, self.bank_scale)
        of_query = (
            (float(query @ self.mean) - self.bank_mean) / self.bank_scale,
            np.log(self.images),
            float(query @ self.words) - self.words_offset,
        )
        rows = np.empty((len(scores), len(FEATURES)))
        rows[:, 0] = (scores.astype(np.float64) - middle) / scale
        rows[:, 1:] = of_query
        low, high = np.asarray(_BOUNDS).T
        return np.clip(rows, low, high)


def load(catalogue: Catalogue, encoder: StoredEncoder) -> Calibration | None:
    """Return the stored calibration, or ``None`` where there is none that can be read."""
    row = catalogue.db.execute("SELECT payload FROM calibrations WHERE encoder_id = ?", [encoder.id]).fetchone()
    calibration = None if row is None else unpack_payload(row[0])
    return None if calibration is None or len(calibration.mean) != encoder.dim else calibration


def calibrate_if_due(catalogue: Catalogue, stored: StoredEncoder, encoder: Encoder) -> bool:
    """Learn and store the calibration when there is none or the catalogue changed much; return whether it was.

    Encoders with a closed vocabulary or Euclidean scores get none: their labels are no sample of what one may ask, and
    the model reads cosines. Call it inside ``catalogue.writing()``.
    """
    if not can_estimate(encoder):
        return False
    images = catalogue.vector_count(stored)
    old = load(catalogue, stored)
    if not images or (old is not None and not _is_due(catalogue, stored, old, images)):
        return False
    bank = encode_bank(encoder) if old is None else old.bank.astype(np.float32)
    mean, covariance = moments(_sample(catalogue, stored, images), stored.dim)
    last = catalogue.db.execute("SELECT max(id) FROM vectors WHERE encoder_id = ?", [stored.id]).fetchone()[0]
    learned = learn(mean, covariance, bank, images=images, last=last)
    if stored.regions is not None:
        region_mean, region_scale = region_moments(_sample_with_regions(catalogue, stored, images), bank)
        count = region_table.count(catalogue, stored)
        learned = replace(learned, regions=count, region_mean=region_mean, region_scale=region_scale)
    payload = pack_payload(learned)
    with catalogue.transaction():
        catalogue.db.execute(
            "INSERT OR REPLACE INTO calibrations (encoder_id, made_at, images, payload) VALUES (?, ?, ?, ?)",
            [stored.id, now(), images, payload],
        )
    return True


def learn(
    mean: NDArray[np.float64], covariance: NDArray[np.float64], bank: Embeddings, *, images: int, last: int = 0
) -> Calibration:
    """Return the calibration of photos with that mean (dim,) and covariance (dim, dim).

    ``bank``: vectors of ``background.THINGS`` and then ``background.NONSENSE``.
    """
    texts = bank.astype(np.float64)
    means = texts @ mean
    variances = np.maximum(((texts @ covariance) * texts).sum(axis=1), 0)
    pooled = float(np.mean(variances + (means - means.mean()) ** 2))
    words, offset = _between(texts[: len(background.THINGS)], texts[len(background.THINGS) :])
    return Calibration(
        images=images,
        last=last,
        bank_mean=float(means.mean()),
        bank_scale=max(pooled**0.5, _LEAST_SCALE),
        words_offset=offset,
        mean=mean.astype(np.float32),
        words=words,
        bank=bank.astype(np.float16),
    )


def can_estimate(encoder: Encoder) -> bool:
    """Return whether there can be match estimates: any text is a query, and scores are cosines."""
    return encoder.vocabulary is None and encoder.metric is Metric.COSINE


def alone(photo: NDArray[np.float32], bank: Embeddings) -> Calibration:
    """Return the calibration of a photo (dim,) by itself: how the bank's texts score there, as in a folder of one."""
    return learn(photo.astype(np.float64), np.zeros((len(photo), len(photo))), bank, images=1)


def pack_payload(calibration: Calibration) -> bytes:
    """Return what is stored: a magic word, checksum, JSON header with numbers and shapes, and the arrays' bytes."""
    fields = {name: getattr(calibration, name) for name in Calibration.__dataclass_fields__}
    arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
    header: dict[str, Any] = {"format": _FORMAT, "background": background.VERSION}
    header["numbers"] = {name: value for name, value in fields.items() if name not in arrays}
    header["arrays"] = [[name, array.dtype.newbyteorder("<").str, array.shape] for name, array in arrays.items()]
    head = json.dumps(header).encode()
    raw = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays.values())
    body = struct.pack("<I", len(head)) + head + raw
    return _MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def unpack_payload(payload: bytes) -> Calibration | None:
    """Return the calibration, or ``None`` for damaged bytes, another format or another bank of background queries."""
    try:
        start = len(_MAGIC)
        checksum, length = struct.unpack_from("<II", payload, start)
        if payload[:start] != _MAGIC or zlib.crc32(payload[start + 4 :]) != checksum:
            return None
        header = json.loads(payload[start + 8 : start + 8 + length])
        if (header["format"], header["background"]) != (_FORMAT, background.VERSION):
            return None
        fields, place = dict(header["numbers"]), start + 8 + length
        for name, dtype, shape in header["arrays"]:
            count = int(np.prod(shape))
            array = np.frombuffer(payload, np.dtype(dtype), count, place)
            fields[name], place = array.reshape(shape), place + array.nbytes
        return Calibration(**fields)
    except (ValueError, TypeError, KeyError, struct.error):
        return None


def _is_due(catalogue: Catalogue, stored: StoredEncoder, old: Calibration, images: int) -> bool:
    """Whether pictures added and removed since are more than a share of those that were there."""
    added = catalogue.db.execute(
        "SELECT count(*) FROM vectors WHERE encoder_id = ? AND id > ?", [stored.id, old.last]
    ).fetchone()[0]
    removed = old.images + added - images
    with_regions = old.regions if stored.regions is None else region_table.count(catalogue, stored)
    return bool(
        added + abs(removed) > _DUE_FROM * old.images or abs(with_regions - old.regions) > _DUE_FROM * old.regions
    )


def _sample(catalogue: Catalogue, stored: StoredEncoder, images: int) -> Iterator[Embeddings]:
    """Yield batches of some ``_SAMPLE`` vectors, the same at each call; ids are hashed, so no folder is favoured."""
    rows = catalogue.db.execute(
        f"SELECT vector FROM vectors v WHERE encoder_id = ? AND {_IS_SAMPLED}", [stored.id, _sampled_below(images)]
    )
    while batch := rows.fetchmany(_BATCH):
        yield unpack((row[0] for row in batch), stored.dim)


def _sample_with_regions(
    catalogue: Catalogue, stored: StoredEncoder, images: int
) -> Iterator[tuple[Embeddings, Embeddings, NDArray[np.intp]]]:
    """Yield the same batches with the regions' vectors and how many of these each picture has."""
    rows = catalogue.db.execute(
        "SELECT v.vector, coalesce(r.vectors, x'') FROM vectors v LEFT JOIN regions r ON r.vector_id = v.id "
        f"WHERE v.encoder_id = ? AND {_IS_SAMPLED}",
        [stored.id, _sampled_below(images)],
    )
    while batch := rows.fetchmany(_BATCH // 4):
        counts = np.asarray([len(row[1]) // (2 * stored.dim) for row in batch], np.intp)
        whole = unpack((row[0] for row in batch), stored.dim)
        yield whole, unpack((row[1] for row in batch), stored.dim, int(counts.sum())), counts


def _sampled_below(images: int) -> int:
    return (1 << 32) if images <= _SAMPLE else (_SAMPLE << 32) // images


def region_moments(
    batches: Iterable[tuple[Embeddings, Embeddings, NDArray[np.intp]]], bank: Embeddings
) -> tuple[float, float]:
    """Return mean and deviation of the scores by region of the bank's texts over photos.

    Each batch: vectors of n photos, (n, dim), those of all their regions, (r, dim), and how many each has, (n,).
    """
    total, squares, count = 0.0, 0.0, 0
    for whole, regions, counts in batches:
        scores = blend_all(whole @ bank.T, regions @ bank.T, counts).astype(np.float64)
        total, squares, count = total + scores.sum(), squares + (scores**2).sum(), count + scores.size
    mean = total / max(count, 1)
    return float(mean), max(float(squares / max(count, 1) - mean**2) ** 0.5, _LEAST_SCALE)


def moments(batches: Iterator[Embeddings], dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean (dim,) and covariance (dim, dim)."""
    count, total, squares = 0, np.zeros(dim), np.zeros((dim, dim))
    for rows in batches:
        count += len(rows)
        total += rows.sum(axis=0, dtype=np.float64)
        squares += rows.T @ rows
    mean = total / max(count, 1)
    return mean, squares / max(count, 1) - np.outer(mean, mean)


def _between(things: NDArray[np.float64], nonsense: NDArray[np.float64]) -> tuple[NDArray[np.float32], float]:
    """Return the direction that tells the two apart, (dim,), scaled so that their means lie 1 apart, and its middle.

    Fisher's linear discriminant; the covariance is shrunk half way to a sphere, for there are about as many texts as
    dimensions.
    """
    difference = things.mean(axis=0) - nonsense.mean(axis=0)
    within = (np.cov(things.T) + np.cov(nonsense.T)) / 2
    within += np.eye(len(within)) * max(float(np.trace(within)) / len(within), 1e-6)
    direction = np.linalg.solve(within, difference)
    gap = float(direction @ difference)
    if gap < 1e-6:  # an encoder to which all texts are one
        return np.zeros(len(direction), np.float32), 0.0
    middle = float(direction @ (things.mean(axis=0) + nonsense.mean(axis=0))) / 2
    return (direction / gap).astype(np.float32), middle / gap
