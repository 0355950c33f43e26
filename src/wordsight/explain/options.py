"""What can be set when pictures are explained."""

from __future__ import annotations

from dataclasses import dataclass

from wordsight.errors import BadInput


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """How a map is made.

    Where is looked: ``sides``: sizes at which the picture is fed, each as the side in pixels of the square with as many
    pixels (the aspect is kept; empty: the encoder's own size); ``crops``: sizes of sliding windows as shares of the
    picture, 1 being the whole; ``flip``: the mirror image too. The maps of all these views are averaged.

    What is asked: the similarity to the text, minus ``contrast_weight`` times the mean similarity to the ``contrast``
    texts (those equal to the text are left out), minus that to the ``negative`` texts. With ``temperature`` above 0:
    the logarithm of the text's share in a softmax of similarities / temperature over itself and all those.
    ``prompts``: short texts ("dog", "a red car") are put into the encoder's label prompts; scores stay those of the
    bare texts.

    How: ``eigen_smooth``: only the first principal component of the weighted features (gradient methods);
    ``channels``: how many gScoreCAM asks; ``window`` and ``samples``: the size of what occlusion covers as a share of a
    view's side, and the number of RISE's masks; ``seed`` of these.
    """

    sides: tuple[int, ...] = ()
    crops: tuple[float, ...] = (1.0,)
    flip: bool = False
    contrast: tuple[str, ...] = ()
    contrast_weight: float = 1.0
    negative: tuple[str, ...] = ()
    temperature: float = 0.0
    prompts: bool = False
    eigen_smooth: bool = False
    channels: int = 300
    window: float = 0.25
    samples: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        if any(side < 1 for side in self.sides):
            raise BadInput(f"expected sides of at least 1 pixel, got {self.sides}")
        if not self.crops or any(not 0.05 <= crop <= 1 for crop in self.crops):
            raise BadInput(f"expected crops from 0.05 to 1 (the whole picture), got {self.crops}")
        if self.contrast_weight < 0:
            raise BadInput(f"expected a contrast weight of at least 0, got {self.contrast_weight}")
        if self.temperature < 0:
            raise BadInput(f"expected a temperature of at least 0, got {self.temperature}")
        if self.temperature > 0 and not (self.contrast or self.negative):
            raise BadInput("a softmax needs contrast or negative texts to compare the text with")
        if min(self.channels, self.samples) < 1 or not 0 < self.window <= 1:
            raise BadInput(f"expected at least one channel and sample and a window in (0, 1], got {self}")
