"""The verbs: what every engine, index and rule can be asked. Read this with ``types`` first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wordsight.types import Embeddings, Metric, Neighbours, RowIds, SaliencyMap, Scores

if TYPE_CHECKING:
    from PIL import Image as PILImage

Image: TypeAlias = "PILImage.Image"
"""A decoded picture: upright, mode RGB, 8 bits a channel."""


@runtime_checkable
class Encoder(Protocol):
    """Puts images and texts into one vector space.

    Engines differ in data, not in type: ``metric`` says how closeness is read, ``vocabulary`` which texts are
    understood (``None``: any), ``image_side`` how many pixels of a picture matter. Both ``encode`` methods may be
    called from several threads at once.
    """

    @property
    def name(self) -> str:
        """Short name, as given on the command line."""

    @property
    def fingerprint(self) -> str:
        """Hex digest that changes whenever the same picture would get another vector."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def metric(self) -> Metric:
        """How closeness is read in this space."""

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The labels a closed encoder was fitted on; ``None`` where any text is a query."""

    @property
    def image_side(self) -> int | None:
        """Longest side the encoder looks at, in pixels; decoders may shrink to twice that. ``None``: no limit."""

    @property
    def label_prompts(self) -> tuple[str, ...]:
        """Templates that turn a label into texts, ``{}`` standing for it; their mean vector stands for the label."""

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Return one vector per picture, (n, dim) float32; unit length where the metric is cosine."""

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return one vector per text, (m, dim) float32; unit length where the metric is cosine.

        Raises ``UnknownQuery`` when a closed encoder does not know a text.
        """

    def remarks(self, text: str) -> tuple[str, ...]:
        """Return what a user should know about how ``text`` is read (that it is cut, say), one line each."""


@runtime_checkable
class FittedEncoder(Encoder, Protocol):
    """An encoder that was fitted on exemplars and tells which, so that nobody measures it on them."""

    @property
    def exemplars(self) -> frozenset[bytes]:
        """The ``datasets.exemplars.content_key`` of each."""


@runtime_checkable
class SpatialEncoder(Encoder, Protocol):
    """An encoder that can also say where in the picture its vector comes from."""

    @property
    def stride(self) -> int | None:
        """Pixels along each side of the input that make one place of a map; ``None``: this model gives no maps."""

    @property
    def pools_by_mean(self) -> bool:
        """Whether the mean of a map over its places is the embedding before normalisation: global pooling does that.

        Where attention pools, a map is still in the space of the embeddings, but its mean is another vector.
        """

    def feature_maps(self, images: Sequence[Image], *, as_is: bool = False) -> NDArray[np.float32]:
        """Return (n, dim, h, w): features of each place, whose dot product with a text's vector speaks for the place.

        ``as_is``: pictures of one size with sides that are multiples of ``stride`` are taken whole, not resized or cut.
        """


class LinearHead(NamedTuple):
    """How features become an embedding: their mean over places, times ``weight``, plus ``bias``, then normalised.

    ``weight`` (dim, c) and ``bias`` (dim,) float32.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@runtime_checkable
class LinearHeadEncoder(SpatialEncoder, Protocol):
    """An encoder whose maps are linear in its last features: gradients for these are closed formulas."""

    @property
    def gives_features(self) -> bool:
        """Whether this model has ``head`` and ``last_features``: not every file of a kind holds them."""

    def head(self) -> LinearHead:
        """Return what the last features are projected with."""

    def last_features(self, images: Sequence[Image], *, as_is: bool = False) -> NDArray[np.float32]:
        """Return (n, c, h, w): what ``head`` projects to ``feature_maps``."""


class WordVotes(NamedTuple):
    """What one codebook of visual words sees in a picture, and what the picture would be without each word.

    ``positions`` (n, 2): x and y of the descriptors as shares of width and height; ``shares`` (n, k): how much each is
    of each word; ``without`` (k, dim): the embeddings of the picture when a word is taken out of its statistics.
    """

    positions: NDArray[np.float32]
    shares: NDArray[np.float32]
    without: Embeddings


@runtime_checkable
class VotingEncoder(Encoder, Protocol):
    """An encoder that looks at whole pictures of any aspect, through statistics some of which count visual words."""

    @property
    def codebooks(self) -> tuple[str, ...]:
        """Names of the statistics that count visual words."""

    def word_votes(self, image: Image) -> list[WordVotes]:
        """Return what each of the ``codebooks`` sees."""


@runtime_checkable
class DifferentiableEncoder(SpatialEncoder, Protocol):
    """An encoder whose image tower is a torch module that gradients pass through."""

    def gradients(self) -> Any:
        """Return the tower and what must be known of its architecture: ``encoders.open_clip_towers.TorchTower``."""

    def pixels(self, images: Sequence[Image]) -> Any:
        """Return the tower's input, a tensor (n, 3, side, side) float32."""

    def text_features(self, texts: Sequence[str]) -> Any:
        """Return the texts' vectors, a tensor (m, dim) float32 of unit length."""


@runtime_checkable
class TunableEncoder(Encoder, Protocol):
    """An encoder that can find out what runs it fastest on this machine; its vectors stay what they are."""

    @property
    def runtime(self) -> str:
        """What runs its image tower."""

    def tune(self) -> None:
        """Find out, unless it is known; takes seconds, so jobs of ``MANY`` pictures alone call it."""


MANY = 1_000
"""Pictures from which a job gains by tuning first."""


class VectorIndex(Protocol):
    """Finds the vectors closest to a query."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def metric(self) -> Metric:
        """How closeness is read."""

    def __len__(self) -> int: ...

    def add(self, ids: RowIds, vectors: Embeddings) -> None:
        """Add rows; an id that is there already is replaced."""

    def remove(self, ids: RowIds) -> None:
        """Remove rows; unknown ids are ignored."""

    def search(self, queries: Embeddings, k: int, allowed: RowIds | None = None) -> Neighbours:
        """Return the ``min(k, len(self), len(allowed))`` closest rows of each query, best first.

        ``allowed``: only these ids may be returned (a filter).
        """


class ScannableIndex(VectorIndex, Protocol):
    """A vector index that can score every row, for answers that are put together from several rows."""

    def scan(self, queries: Embeddings, allowed: RowIds | None = None) -> tuple[RowIds, Scores]:
        """Return the ids of all rows allowed, (n,), and their scores, (m, n)."""


class Selection(Protocol):
    """A decision rule: which of the scored images are the answer."""

    def select(self, scores: Scores) -> NDArray[np.bool_]:
        """Return a mask of the same shape (queries, images)."""


class Explainer(Protocol):
    """Says which places of pictures speak for texts."""

    @property
    def method(self) -> str:
        """Name of the method, such as "gradcam"."""

    def explain(self, images: Sequence[Image], texts: Sequence[str]) -> list[list[SaliencyMap]]:
        """Return a map for each picture and text: n lists of m, also where n or m is 1 or 0."""
