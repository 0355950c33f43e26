"""What goes in and out, as the OpenAPI document tells it. A hit is the object that ``search --json`` prints."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

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
    row: int | None = Field(
        None, ge=1, le=2_560, description="How high photos will be shown: the thumbnail of the first hit is begun."
    )


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


class TermAnswer(BaseModel):
    """A part of a query: a text, or a picture by the first digits of its SHA-256."""

    text: str | None
    picture: str | None
    weight: float


class SearchAnswer(BaseModel):
    """One page of hits. ``terms``: how the query was read. ``cursor`` leads to the next; ``null``: that was all."""

    query: str
    terms: list[TermAnswer]
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
