"""What goes in and out, as the OpenAPI document tells it. A hit is the object that ``search --json`` prints."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Digits = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""The SHA-256 of a picture's content: what every picture is asked for by."""
Words = Annotated[str, Field(max_length=4_000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Sort(StrEnum):
    """The order of hits."""

    RELEVANCE = "relevance"
    DATE = "date"


class FuseBy(StrEnum):
    """How rankings of several encoders become one."""

    RRF = "rrf"
    ZSCORE = "zscore"
    MINMAX = "minmax"


class Strict(BaseModel):
    """What a client sends: a member that is not known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class FilterParams(Strict):
    """Conditions a photo must meet, all of them; as the options of ``wordsight search``."""

    folder: list[Annotated[str, Field(max_length=4_096)]] = Field([], max_length=50)
    since: str | None = Field(None, max_length=40, description="Taken then or later: 2021, 2021-06-15, 30d.")
    until: str | None = Field(None, max_length=40, description="Taken then or earlier; the whole period counts.")
    camera: str | None = Field(None, max_length=200, description="Part of the camera's name.")
    type: list[Annotated[str, Field(max_length=20)]] = Field([], max_length=50)
    min_size: str | None = Field(None, max_length=20)
    max_size: str | None = Field(None, max_length=20)
    min_side: int | None = Field(None, ge=0, le=1_000_000)


class SearchParams(FilterParams):
    """A search."""

    q: Words = Field("", description="The query language; `picture:SHA256` stands for a photo or an upload.")
    encoder: str | None = Field(None, max_length=1_000)
    fuse: list[Annotated[str, Field(max_length=1_000)]] = Field([], max_length=8)
    fuse_by: FuseBy = FuseBy.RRF
    liked: list[Digits] = Field([], max_length=200)
    disliked: list[Digits] = Field([], max_length=200)
    sort: Sort = Sort.RELEVANCE
    depth: int = Field(500, ge=1, le=5_000, description="How many of the closest photos `sort=date` looks at.")
    matches_only: bool = False
    regions: bool = Field(True, description="Rank by parts of photos, too, where the catalogue has them.")
    limit: int = Field(60, ge=1, le=500)
    cursor: str | None = Field(None, max_length=8_000)


class SearchBody(SearchParams):
    """A search that is posted: it may also give the vector."""

    vector: list[float] | None = Field(None, max_length=100_000, description="Instead of `q`.")


class Region(BaseModel):
    """A rectangle in pixels of the upright original."""

    left: int
    top: int
    right: int
    bottom: int


class Hit(BaseModel):
    """One photo that was found."""

    query: str
    rank: int
    score: float
    match: float | None
    path: str
    width: int
    height: int
    bytes: int
    sha256: Digits
    format: str
    captured_at: str | None
    camera: str | None
    latitude: float | None
    longitude: float | None
    region: Region | None
    ranks: dict[str, int | None] | None = None


class Cost(BaseModel):
    """Milliseconds of an answer."""

    encode: float
    search: float
    total: float


class SearchAnswer(BaseModel):
    """One page of hits. ``cursor`` leads to the next; ``null``: that was all."""

    query: str
    hits: list[Hit]
    searched: int
    calibrated: bool
    likely: int
    nothing_matches: bool
    notices: list[str]
    encoders: list[str]
    cursor: str | None
    ms: Cost


class Problem(BaseModel):
    """What went wrong, in words; ``position``: where in the query; ``near``: labels like an unknown one."""

    detail: str
    position: int | None = None
    near: list[str] | None = None


class UploadAnswer(BaseModel):
    """A picture that was sent: its id, and the size in pixels of the upright original."""

    sha256: Digits
    width: int
    height: int
    format: str


class StatusAnswer(BaseModel):
    """What is served. ``indexed``: whether searches can be answered. ``photos`` counts the catalogue's files."""

    version: str
    catalogue: str
    folders: list[str]
    indexed: bool
    photos: int
    encoders: list[str]
    syncing: bool
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


class ExplainParams(Strict):
    """What is to be explained, and how."""

    text: Annotated[str, Field(min_length=1, max_length=1_000)]
    encoder: str | None = Field(None, max_length=1_000)
    method: str | None = Field(None, max_length=100, description="One of the encoder's `methods`.")
    boxes: int = Field(3, ge=0, le=20, description="How many boxes at most.")
    threshold: float | None = Field(None, gt=0, le=1, description="Share of the highest value that boxes hold.")
    values: bool = Field(False, description="Give the map's numbers, too.")


class MapParams(ExplainParams):
    """How a map is drawn."""

    colours: Literal["inferno", "magma", "viridis", "grey", "jet", "values"] = "inferno"


class ScoredBox(BaseModel):
    """A box in pixels of the upright original."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


class MapAnswer(BaseModel):
    """What is known of a map; ``values``: rows of numbers in [0, 1]."""

    width: int
    height: int
    peak: list[float] | None
    entropy: float
    above: float
    threshold: float
    values: list[list[float]] | None = None


class ExplainAnswer(BaseModel):
    """Why: the object of ``wordsight explain --json``."""

    path: str
    text: str
    score: float
    match: float | None
    width: int
    height: int
    encoder: str
    method: str
    boxes: list[ScoredBox]
    map: MapAnswer


class PictureFile(BaseModel):
    """A file that holds a picture."""

    path: str
    bytes: int


class PictureAnswer(BaseModel):
    """A picture by its content."""

    sha256: Digits
    width: int
    height: int
    format: str
    files: list[PictureFile]
    upload: bool


class CompareParams(FilterParams):
    """A query for several encoders side by side."""

    q: Annotated[str, Field(min_length=1, max_length=4_000)]
    encoder: list[Annotated[str, Field(max_length=1_000)]] = Field([], max_length=8, description="All unless told.")
    fuse_by: FuseBy = FuseBy.RRF
    matches_only: bool = False
    regions: bool = True
    limit: int = Field(60, ge=1, le=500)


class CompareAnswer(BaseModel):
    """One answer for each encoder, and all fused; what an encoder could not answer is in ``problems``."""

    query: str
    answers: dict[str, SearchAnswer]
    fused: SearchAnswer | None
    problems: dict[str, Problem]


class FacetAnswer(BaseModel):
    """A value to filter by."""

    value: str
    label: str
    count: int


class FacetsAnswer(BaseModel):
    """What there is to filter by."""

    photos: int
    folders: list[FacetAnswer]
    cameras: list[FacetAnswer]
    years: list[FacetAnswer]
    types: list[FacetAnswer]


class SuggestionsAnswer(BaseModel):
    """What might be meant."""

    recent: list[str]
    labels: list[str]
    saved: list[str]


class RecentBody(Strict):
    """A query to remember."""

    q: Annotated[str, Field(min_length=1, max_length=4_000)]


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
