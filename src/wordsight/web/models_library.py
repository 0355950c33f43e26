"""The library, what people say about it, and its reports, as the OpenAPI document tells it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from wordsight.web.models import Digits, Name, Strict, Words


class AheadAnswer(BaseModel):
    """Thumbnails that are made before they are asked for. ``ready``: how many of the ``photos`` have theirs.

    ``failed``: files that have changed since they were indexed, or are gone. ``full``: the cache has no more room.
    """

    running: bool
    photos: int
    ready: int
    failed: int
    full: bool


class StatusAnswer(BaseModel):
    """What is served. ``indexed``: whether searches can be answered. ``photos`` counts the catalogue's files.

    ``store``: that ``catalogue`` is the place of a store, which cannot be brought up to date from here.
    """

    version: str
    catalogue: str
    store: bool
    folders: list[str]
    indexed: bool
    photos: int
    encoders: list[str]
    syncing: bool
    thumbnails: AheadAnswer
    reports: bool


class EncoderAnswer(BaseModel):
    """An encoder. ``vocabulary``: how many labels it knows; ``null``: any text. ``methods`` explain, the best first."""

    name: str
    fingerprint: str
    dim: int
    metric: str
    vocabulary: int | None
    methods: list[str]
    indexed: bool


class MarkBody(Strict):
    """Whether a photo is right (1) or wrong (0) for a query."""

    query: Annotated[str, Field(min_length=1, max_length=4_000)]
    sha256: Digits
    grade: Literal[0, 1]


class MarkAnswer(BaseModel):
    """A mark, with the files that hold the photo."""

    query: str
    sha256: Digits
    grade: int
    paths: list[str]


class MarksAnswer(BaseModel):
    """Marks."""

    marks: list[MarkAnswer]


class SavedBody(Strict):
    """A query to save."""

    q: Words = ""
    encoder: str | None = Field(None, max_length=1_000)
    liked: list[Digits] = Field([], max_length=200)
    disliked: list[Digits] = Field([], max_length=200)


class SavedMember(BaseModel):
    """A saved query."""

    name: str
    q: str
    encoder: str | None
    liked: list[Digits]
    disliked: list[Digits]


class SavedAnswer(BaseModel):
    """Saved queries."""

    saved: list[SavedMember]


class SkipAnswer(BaseModel):
    """A file that could not be read."""

    path: str
    reason: str


class HealthAnswer(BaseModel):
    """A folder compared with the catalogue: the object of ``wordsight status --json``."""

    folder: str
    well: bool
    synced_at: str | None
    indexed: int
    new: int
    changed: int
    moved: int
    missing: int
    unencoded: int
    skipped: int
    skips: list[SkipAnswer]
    problems: list[str]


class StoredAnswer(BaseModel):
    """An encoder the catalogue holds vectors of; ``served``: it can be asked here."""

    name: str
    fingerprint: str
    vectors: int
    served: bool


class LibraryAnswer(BaseModel):
    """How the library is."""

    folders: list[HealthAnswer]
    encoders: list[StoredAnswer]


class CopiesAnswer(BaseModel):
    """Files that hold the same."""

    sha256: Digits
    paths: list[str]


class NearPhoto(BaseModel):
    """A photo of a group."""

    sha256: Digits
    path: str


class NearAnswer(BaseModel):
    """Photos that look alike."""

    similarity: float
    photos: list[NearPhoto]


class DuplicatesAnswer(BaseModel):
    """Duplicates and near-duplicates; ``compared`` photos were looked at for these."""

    exact: list[CopiesAnswer]
    near: list[NearAnswer]
    threshold: float
    compared: int


class ClusterAnswer(BaseModel):
    """A cluster, and the photos closest to its centre."""

    id: int
    name: str | None
    count: int
    closest: list[Digits]


class ClustersAnswer(BaseModel):
    """Clusters, the largest first."""

    clusters: list[ClusterAnswer]
    photos: int


class ClusterName(Strict):
    """A name for a cluster."""

    name: Name


class SyncBody(Strict):
    """What to sync: all folders with the default encoder unless told."""

    folder: Annotated[str, Field(max_length=4_096)] | None = None
    encoder: Annotated[str, Field(max_length=1_000)] | None = None
    retry_skipped: bool = False


class SyncReportAnswer(BaseModel):
    """What a sync did, in files."""

    unchanged: int
    added: int
    changed: int
    moved: int
    removed: int
    skipped: int
    encoded: int
    seconds: float
    problems: list[str]


class SyncAnswer(BaseModel):
    """How a sync stands; ``latest``: files it could not read."""

    running: bool
    folder: str | None
    encoder: str | None
    done: int
    total: int
    encoded: int
    skipped: int
    latest: list[SkipAnswer]
    report: SyncReportAnswer | None
    error: str | None


class ReportAnswer(BaseModel):
    """A report of ``wordsight compare``."""

    name: str
    title: str
    bytes: int
    modified: str


class ReportsAnswer(BaseModel):
    """The reports."""

    reports: list[ReportAnswer]
