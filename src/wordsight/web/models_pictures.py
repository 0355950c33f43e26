"""Pictures and why they match, as the OpenAPI document tells it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from wordsight.web.models import Digits, Strict


class UploadAnswer(BaseModel):
    """A picture that was sent: its id, and the size in pixels of the upright original."""

    sha256: Digits
    width: int
    height: int
    format: str


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
