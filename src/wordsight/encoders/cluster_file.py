"""The ``.wsc`` file: a fitted classical engine, without pickle.

A zip without compression that holds ``wordsight.json`` and arrays in numpy's own format (version 1 or 2, C order,
little-endian float32 or int64). Reading allocates nothing before the sizes that the file claims agree with its length,
and executes nothing. docs/classical.md describes the format.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from wordsight.clustering.prototypes import Prototypes
from wordsight.encoders.cluster_model import ClusterModel
from wordsight.errors import BadInput, ModelError
from wordsight.features.codebook_lists import arrays_of, from_parts
from wordsight.features.projection import Projection

FORMAT = "wordsight cluster encoder"
VERSION = 1
SUFFIX = ".wsc"
_MANIFEST = "wordsight.json"
_MOST_BYTES = 1 << 30
_MOST_JSON = 64 << 20
_MOST_MEMBERS = 1_000
_DTYPES = {"<f4", "<i8"}
_KEY = 16


def write(model: ClusterModel, file: Path) -> None:
    """Write ``model``; the file appears complete or not at all, and the same model gives the same bytes."""
    arrays: dict[str, NDArray[Any]] = {f"projection/{name}": array for name, array in model.projection.arrays().items()}
    for number, feature in enumerate(model.features):
        arrays |= {f"features/{number}/{name}": array for name, array in arrays_of(feature).items()}
    arrays |= {f"prototypes/{name}": getattr(model.prototypes, name) for name in _PROTOTYPES}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "labels": list(model.labels),
        "width": model.width,
        "features": [feature.describe() for feature in model.features],
        "projection": model.projection.describe(),
        "about": dict(model.about),
        "exemplars": sorted(key.hex() for key in model.exemplars),
    }
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        try:
            with zipfile.ZipFile(draft, "x", zipfile.ZIP_STORED) as archive:
                archive.writestr(_entry(_MANIFEST), json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False))
                for name, array in arrays.items():
                    archive.writestr(_entry(f"{name}.npy"), _npy_bytes(array))
            draft.replace(file)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        raise BadInput(f"cannot write {str(file)!r}: {error.strerror or error}; choose another place") from error


def read(file: Path) -> ClusterModel:
    """Read a model; raises ``ModelError`` for a file that is missing, foreign, damaged, or of a newer version."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ModelError(f"{file} is too large for a fitted encoder: {file.stat().st_size:,} bytes")
        with zipfile.ZipFile(file) as archive:
            manifest, arrays = _contents(archive)
        return _model(manifest, arrays)
    except zipfile.BadZipFile as error:
        raise ModelError(f"{file} is no {SUFFIX} file or is damaged ({error}): fit it again") from error
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from error
    except (
        BadInput,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        EOFError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ModelError(f"{file} is not a sound {SUFFIX} file: {error}; fit it again") from error


_PROTOTYPES = ("centroids", "owners", "counts", "spread")


def _contents(archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    entries = archive.infolist()
    total = sum(entry.file_size for entry in entries)
    if len(entries) > _MOST_MEMBERS or total > _MOST_BYTES or any(entry.compress_type for entry in entries):
        raise ValueError("it holds more than a fitted encoder has")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names) or _MANIFEST not in names:
        raise ValueError(f"it does not hold one {_MANIFEST}")
    if archive.getinfo(_MANIFEST).file_size > _MOST_JSON:
        raise ValueError(f"its {_MANIFEST} is too large")
    manifest = json.loads(archive.read(_MANIFEST).decode("utf-8"))
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"it does not say {FORMAT!r}")
    version = manifest.get("version")
    if version != VERSION:
        raise ValueError(f"it has version {version!r}, and this wordsight reads version {VERSION}: update wordsight")
    arrays = {name.removesuffix(".npy"): _array(archive.read(name)) for name in names if name != _MANIFEST}
    return manifest, arrays


def _model(manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> ClusterModel:
    labels = manifest["labels"]
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) and label for label in labels):
        raise ValueError("its labels are no list of texts")
    if not isinstance(manifest["features"], list) or not isinstance(manifest["about"], dict):
        raise ValueError("its manifest is not in order")
    if not all(isinstance(description, dict) for description in (*manifest["features"], manifest["projection"])):
        raise ValueError("its features and its projection are not described by objects")
    features = tuple(
        from_parts(description, _below(arrays, f"features/{number}/"))
        for number, description in enumerate(manifest["features"])
    )
    floats = _below(arrays, "prototypes/")
    owners, counts = _whole(floats.pop("owners")), _whole(floats.pop("counts"))
    prototypes = Prototypes(tuple(labels), _real(floats["centroids"]), owners, counts, _real(floats["spread"]))
    projection = Projection.from_parts(manifest["projection"], _below(arrays, "projection/"))
    keys = frozenset(bytes.fromhex(key) for key in manifest["exemplars"])
    if any(len(key) != _KEY for key in keys):
        raise ValueError("its content keys have another length")
    if type(manifest["width"]) not in (int, float):
        raise ValueError("its width is no number")
    return ClusterModel(features, projection, prototypes, float(manifest["width"]), keys, manifest["about"])


def _array(data: bytes) -> NDArray[Any]:
    """Return the array of a ``.npy``; raises ``ValueError`` unless its header accounts for every byte."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array of npy version {version}")
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, by_columns, dtype = header(stream)
    except (TokenError, SyntaxError) as error:  # numpy gives a header that it cannot read to Python's own parser
        raise ValueError(f"an array whose header makes no sense: {error}") from error
    count = 1
    for length in shape:
        count *= length
    if by_columns or dtype.str not in _DTYPES or count * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"an array of type {dtype.str} and shape {shape} in {len(data)} bytes")
    array: NDArray[Any] = np.frombuffer(data, dtype, count, stream.tell()).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError("an array with values that are no numbers")
    return array


def _npy_bytes(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    kind = "<i8" if np.issubdtype(array.dtype, np.integer) else "<f4"
    npy.write_array(stream, np.ascontiguousarray(array, kind), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def _below(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _whole(array: NDArray[Any]) -> NDArray[np.int64]:
    if array.dtype != np.int64:
        raise ValueError("owners and counts are whole numbers")
    return array


def _real(array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype != np.float32:
        raise ValueError("centroids and spread are float32")
    return array
