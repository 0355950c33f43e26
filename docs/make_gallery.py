"""Make the pictures of docs/gallery.md: explanations of photographs that may be redistributed, good and bad alike.

Needs the extra ``demo``, whose packages carry the photographs; takes a few minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from wordsight.cli.explained import to_view
from wordsight.drawing import View, encode, figure
from wordsight.explain import ViewExplainer, best_threshold, explainer, methods_of
from wordsight.registry import load_encoder
from wordsight.why import Estimator, Explained, main_boxes, with_options

TARGET = Path(__file__).parent / "images"
FOOTER = "0: least, 1: most, in each map · several boxes: with their share of what stands out"
ENCODER = load_encoder()
ESTIMATOR = Estimator(ENCODER)


def main() -> None:
    """Write all pictures."""
    default = explainer(ENCODER)
    camera, coffee, cat = (
        photo("skimage", "camera.png"),
        photo("skimage", "coffee.png"),
        photo("skimage", "chelsea.png"),
    )
    astronaut, china = photo("skimage", "astronaut.png"), photo("sklearn", "china.jpg")
    four = collage([cat, coffee, photo("skimage", "rocket.jpg"), photo("sklearn", "flower.jpg")])
    small = china.copy()
    small.paste(cat.resize((90, 60)), (500, 40))

    save("explain", [*views(camera, "camera.png", ["a camera"]), *views(coffee, "coffee.png", ["a cup of coffee"])])
    save("explain-four", views(four, "four photos", ["a cat", "a cup of coffee", "a flower", "a rocket"]))
    others = with_options(default, contrast=("a cat", "a cup of coffee", "a flower"))
    against = [
        replace(view, title=f"{view.title}, against the others") for view in views(four, "", ["a rocket"], others)
    ]
    save("explain-against", [*views(four, "four photos", ["a rocket"]), *shared(against, four)])
    save("explain-methods", shared(methods(camera, "a camera"), camera, "camera.png"))
    save("explain-parts", views(cat, "chelsea.png", ["a cat", "an ear", "a dog"]))
    save("explain-scene", views(china, "china.jpg", ["a pagoda", "a lake", "the sky"]))
    save("explain-absent", views(astronaut, "astronaut.png", ["a helmet", "a smiling face", "a cat"]))
    save("explain-small", views(small, "a cat of 90 pixels", ["a cat", "a pagoda"]))
    one = views(coffee, "coffee.png", ["a cup of coffee"])[0]
    for name in ("inferno", "jet"):
        save(f"explain-{name}", [replace(one, title=f"{one.title}, in {name}")], colours=name)


def photo(package: str, name: str) -> Image.Image:
    """Return a photograph that a package of the extra ``demo`` carries."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, 'pip install "wordsight[demo]"'  # noqa: PT018
    folder = {"skimage": "data", "sklearn": "datasets/images"}[package]
    return Image.open(Path(spec.origin).parent / folder / name).convert("RGB")


def collage(photos: Sequence[Image.Image], size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return four photographs as one picture of two by two."""
    whole = Image.new("RGB", (2 * size[0], 2 * size[1]))
    for place, one in enumerate(photos):
        whole.paste(one.resize(size), (place % 2 * size[0], place // 2 * size[1]))
    return whole


def views(image: Image.Image, name: str, texts: Sequence[str], how: ViewExplainer | None = None) -> list[View]:
    """Return a view for each text, captioned with score and match estimate."""
    how = how or explainer(ENCODER)
    threshold = best_threshold(ENCODER, how.method)
    maps = how.explain([image], texts)[0]
    estimates = ESTIMATOR(ENCODER.encode_images([image]), texts)
    assert estimates is not None
    found = []
    for saliency, match in zip(maps, estimates[0].tolist(), strict=True):
        around = main_boxes(saliency, image.size, threshold=threshold)
        found.append(to_view(image, Explained(Path(name), image.size, saliency, tuple(around), match)))
    return found


def methods(image: Image.Image, text: str) -> Iterator[View]:
    """Yield a view for each method that can explain the encoder."""
    for method in methods_of(ENCODER):
        yield replace(views(image, "", [text], explainer(ENCODER, method))[0], title=method)


def shared(made: Iterator[View] | Sequence[View], image: Image.Image, name: str = "") -> list[View]:
    """Return the views as views of one picture, which is shown once."""
    return [replace(view, image=image, name=name or view.name) for view in made]


def save(name: str, made: Sequence[View], *, colours: str = "inferno") -> None:
    """Write a figure to docs/images."""
    scene = figure(made, footer=FOOTER, side=330, colours=colours)
    file = TARGET / f"{name}.webp"
    file.write_bytes(encode(scene, file.suffix))
    print(file)


if __name__ == "__main__":
    main()
