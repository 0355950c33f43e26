"""Dual encoders that are a folder of ONNX files. The shipped model is one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wordsight.encoders.folder import ModelFolder
from wordsight.encoders.preprocess import to_pixels
from wordsight.encoders.runtime import BATCHES, Plan, Tower, open_tower, usual_plan, wanted_runtime
from wordsight.protocols import LinearHead
from wordsight.types import Embeddings, Metric

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from wordsight.encoders.trial import Measured
    from wordsight.protocols import Image

_TEXTS_PER_RUN = 32
_STRIDE = 32  # of a model.json that names none: that of the first shipped model


class OnnxEncoder:
    """A dual encoder read from a model folder of any known layout; files are verified and loaded when first needed.

    Both towers run on one thread a call, and calls may overlap: a job that wants all cores calls from several threads.
    ``runtime``: one of ``runtime.RUNTIMES``; with "auto" the image tower runs where a trial (``tune``) was fastest, and
    texts always in onnxruntime, which starts at once. Raises ``ModelError`` for a folder that is incomplete or damaged.
    """

    metric = Metric.COSINE
    vocabulary: tuple[str, ...] | None = None

    def __init__(self, folder: Path, *, name: str | None = None, runtime: str | None = None) -> None:
        self._folder = _open_folder(folder)
        self._preprocess = self._folder.preprocess
        self._lock = threading.Lock()
        self._towers: dict[tuple[str, str, str], Tower] = {}
        self._tokens: Tokenizer | None = None
        self._runtime = wanted_runtime(runtime)
        self._plan: Plan | None = None
        self.name = name or self._folder.name
        self.dim = self._folder.dim
        self.fingerprint = self._folder.fingerprint
        self.image_side: int | None = self._preprocess.size
        self.label_prompts = self._folder.label_prompts
        self.max_tokens = int(self._folder.describe["text"]["max_tokens"])

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Return (n, dim) float32 vectors of unit length."""
        return self._run_images(images, "embedding", "file").reshape(-1, self.dim)

    @property
    def runtime(self) -> str:
        """What runs the image tower."""
        return self._image_plan().runtime

    def tune(self) -> None:
        """Find the fastest runtime for the image tower by a trial, unless one was chosen or a trial is remembered."""
        from wordsight.encoders import trial

        if self._runtime == "auto" and trial.known(self.fingerprint) is None:
            self.measure()
            self._plan = None
            with self._lock:
                self._towers.pop(("image", "file", "embedding"), None)

    def measure(self) -> list[Measured]:
        """Try all runtimes that are here on the image tower, remember and return what was found, fastest first."""
        from wordsight.encoders import trial

        pixels = trial.pictures_of(self._preprocess.size)
        return trial.measure(self.fingerprint, lambda name: self._open("image", "file", "embedding", name), pixels)

    @property
    def stride(self) -> int | None:
        """Pixels that make one place of a feature map; ``None`` for a folder without a graph for maps of any size."""
        image = self._folder.describe["image"]
        any_size = "map_file" in image and image.get("map_any_size", True)
        return int(image.get("stride", _STRIDE)) if any_size else None

    def feature_maps(self, images: Sequence[Image], *, as_is: bool = False) -> NDArray[np.float32]:
        """Return (n, dim, h, w): the last features at every place, projected as the embedding's are.

        Where ``pools_by_mean`` (the shipped model), the mean over the places is the embedding before it is made unit
        length. So the dot product of a place with a text's embedding is what that place adds to the score, up to one
        positive factor for the whole picture: places may be compared within a picture, not between pictures. It is no
        probability, and may be negative. A place covers ``stride`` pixels a side of what was fed but sees far more
        around it. Pictures are fed at full size, or ``as_is``: at their own, one for all, with sides that are multiples
        of ``stride``.
        """
        return self._run_images(images, "feature_map", "map_file", resize=None if as_is else "full")

    @property
    def pools_by_mean(self) -> bool:
        """Whether the mean of a map is the embedding before normalisation; so it is unless ``model.json`` says no."""
        return bool(self._folder.describe["image"].get("pools_by_mean", True))

    @property
    def gives_features(self) -> bool:
        """Whether the folder has a graph of the features before the projection."""
        return "features_file" in self._folder.describe["image"]

    def head(self) -> LinearHead:
        """Return how the last features are projected."""
        tower = self._tower("image", "features_file", "head", runtime="onnxruntime")
        head = tower({"pixels": np.zeros((1, _STRIDE, _STRIDE, 3), np.uint8)})  # a constant, whatever the pixels
        return LinearHead(head[:, :-1], head[:, -1])

    def last_features(self, images: Sequence[Image], *, as_is: bool = False) -> NDArray[np.float32]:
        """Return (n, c, h, w): what ``head`` projects to ``feature_maps``; pictures are fed as for those."""
        return self._run_images(images, "features", "features_file", resize=None if as_is else "full")

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return (m, dim) float32 vectors of unit length; texts longer than ``max_tokens`` are cut."""
        tower = self._tower("text", "file", "embedding", runtime="onnxruntime")  # its start is what a search waits for
        self._tokenizer()  # also where there is no text: nothing is left to load then
        tokens = [self._filled(_cut(self._token_ids(text), self.max_tokens)) for text in texts]
        masked = bool(self._folder.describe["text"].get("attention_mask", True))
        out = np.empty((len(texts), self.dim), np.float32)
        # Only texts of one length share a run: padding costs time, and could move the vectors of a quantised tower.
        by_length = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        for _, group in groupby(by_length, key=lambda row: len(tokens[row])):
            rows = list(group)
            for start in range(0, len(rows), _TEXTS_PER_RUN):
                part = rows[start : start + _TEXTS_PER_RUN]
                ids = np.asarray([tokens[row] for row in part], np.int64)
                out[part] = tower({"input_ids": ids} | ({"attention_mask": np.ones_like(ids)} if masked else {}))
        return out

    def remarks(self, text: str) -> tuple[str, ...]:
        """Return notices when ``text`` is longer than the text tower takes, or in a language that it does not read."""
        notices = []
        tokens = len(self._token_ids(text))
        if tokens > self.max_tokens:
            cut = f"the query was cut: it has {tokens} tokens and {self.name} reads the first {self.max_tokens}"
            notices.append(cut)
        if self._folder.describe.get("language") == "en":
            from wordsight.encoders import english

            foreign, unknown = english.looks_foreign(text)
            if foreign:
                of_these = f" ({', '.join(dict.fromkeys(unknown))})" if unknown else ""
                notices.append(f"most of {text!r} is unknown to {self.name}, which reads English only{of_these}")
        return tuple(notices)

    def _run_images(
        self, images: Sequence[Image], output: str, file_key: str, *, resize: Literal["full", "usual"] | None = "usual"
    ) -> NDArray[np.float32]:
        plan = self._image_plan()
        tower = self._tower("image", file_key, output, runtime=plan.runtime)
        if resize is None:
            pixels = [np.asarray(image, np.uint8) for image in images]
        else:
            pixels = [to_pixels(image, self._preprocess, full_size=resize == "full") for image in images]
        most = plan.batch
        parts = []
        start = 0
        while start < len(pixels):
            stop = start + 1  # pictures of one size share a run
            while stop < min(len(pixels), start + most) and pixels[stop].shape == pixels[start].shape:
                stop += 1
            parts.append(tower({"pixels": np.stack(pixels[start:stop])}))
            start = stop
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def _filled(self, ids: list[int]) -> list[int]:
        """Fill up to ``max_tokens`` where the model was trained so and looks at what fills."""
        pad = self._folder.describe["text"].get("pad")
        return ids if pad is None else ids + [int(pad)] * (self.max_tokens - len(ids))

    def _token_ids(self, text: str) -> list[int]:
        # Half characters, as file names on a command line may hold, are no text to the tokenizer.
        ids: list[int] = self._tokenizer().encode(text.encode("utf-8", "replace").decode("utf-8")).ids
        return ids

    @property
    def _is_int8(self) -> bool:
        made, file = self._folder.describe.get("made_from", {}), str(self._folder.describe["image"]["file"])
        return made.get("precision") == "int8" or "int8" in file or "quantized" in file

    def _image_plan(self) -> Plan:
        if self._plan is None:
            if self._runtime == "auto":
                from wordsight.encoders import trial

                self._plan = trial.best(trial.known(self.fingerprint) or []) or usual_plan(int8=self._is_int8)
            else:
                self._plan = Plan(self._runtime, BATCHES[self._runtime])
        return self._plan

    def _tower(self, side: str, key: str, output: str, *, runtime: str) -> Tower:
        with self._lock:
            if (side, key, output) not in self._towers:
                self._towers[side, key, output] = self._open(side, key, output, runtime)
            return self._towers[side, key, output]

    def _open(self, side: str, key: str, output: str, runtime: str) -> Tower:
        describe = self._folder.describe[side]
        file, optimize = describe.get(key, describe["file"]), describe.get("graph_optimization", "all")
        foreign = "input" in describe  # a graph with another interface than ours
        with ThreadPoolExecutor(1) as pool:  # a search waits for both: the digest and the runtime's start
            check = pool.submit(self._check_weights, side)
            try:
                asked = describe["output"] if foreign else output
                graph, weights = self._folder.file(file), self._folder.shared_weights(side)
                tower = open_tower(graph, asked, runtime=runtime, optimize=optimize, weights=weights)
            finally:
                check.result()  # its error says more than the runtime's
        if not foreign:
            return tower
        from wordsight.encoders.interface import adapted

        return adapted(tower, describe, pictures=side == "image")

    def _check_weights(self, side: str) -> None:
        """Verify the file of weights that the graphs of one side may share; it is named by the side."""
        if f"{side}.weights" in self._folder.describe["files"]:
            self._folder.file(f"{side}.weights")

    def _tokenizer(self) -> Tokenizer:
        with self._lock:
            if self._tokens is None:
                from wordsight.encoders.vocabulary import read_tokenizer

                text = self._folder.describe["text"]
                self._tokens = read_tokenizer(self._folder.file(text["tokenizer"]), text.get("clean"))
            return self._tokens


def _cut(ids: list[int], limit: int) -> list[int]:
    """Keep the last token, which closes the sequence."""
    return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]


def _open_folder(path: Path) -> ModelFolder:
    if (path / "model.json").is_file():
        return ModelFolder.open(path)
    from wordsight.encoders.layouts import open_model  # a search with a model of ours need not wait for it

    return open_model(path)
