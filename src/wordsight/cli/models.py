"""``wordsight models``: encoders as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli import models_store
from wordsight.cli.options import JsonOption, QuietOption, notice
from wordsight.errors import BadInput, ImageError

if TYPE_CHECKING:
    from wordsight.protocols import Image

models = typer.Typer(help="Models: what is here and can be had; pull, check, export, remove.")

_PHOTOS = 200


@models.callback(invoke_without_command=True)
def _group(context: typer.Context, as_json: JsonOption = False) -> None:
    if context.invoked_subcommand is None:
        models_store.show(as_json)


models.command()(models_store.pull)
models.command()(models_store.check)
models.command()(models_store.remove)


@models.command()
def export(
    encoder: Annotated[str, typer.Argument(help="An OpenCLIP encoder: openclip:ARCHITECTURE/TAG and the like.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write; it must not exist.")],
    precision: Annotated[
        str, typer.Option(help="How weights are stored: bf16, fp16, fp32; or int8, judged on your photos.")
    ] = "bf16",
    photos: Annotated[
        Path | None, typer.Option(help="Photos to prove the export on; synthetic pictures unless told.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; that of the folder unless told.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Write an OpenCLIP model as a folder that needs no torch; kept only if it gives the same vectors and maps.

    The folder is complete or not there at all; parity.json in it says how close it is.
    """
    from wordsight.registry import load_encoder

    if not encoder.startswith("openclip:"):
        raise BadInput(f"expected an encoder to export such as openclip:RN50/openai, got {encoder!r}")
    pictures = _read_photos(photos, quiet) if photos is not None else []
    loaded = load_encoder(encoder)
    from wordsight.encoders.export import export as write
    from wordsight.encoders.open_clip import OpenClipEncoder

    assert isinstance(loaded, OpenClipEncoder)
    parity = write(loaded, output, precision=precision, photos=pictures, name=name or "")
    size = sum(file.stat().st_size for file in output.iterdir())
    notice(
        f"{output}: {size / 1e6:,.0f} MB, {precision}; on {parity.pictures} pictures ({parity.source}) cosine at least "
        f"{parity.image_cosine:.5f}, {parity.image_centred:.5f} after subtracting the mean; maps "
        f"{parity.map_cosine:.5f}, texts {parity.text_cosine:.5f}; {parity.overlap:.1%} of the nearest ten stay",
        quiet=quiet,
    )


def _read_photos(folder: Path, quiet: bool) -> list[Image]:
    """Return up to 200 photos, spread evenly over the folder; what cannot be read is skipped and told."""
    from wordsight import images

    found = [
        part.path / file.name
        for part in images.walk(folder)
        for file in part.files
        if Path(file.name).suffix.lower() in images.SUFFIXES
    ]
    step = max(1, len(found) // _PHOTOS)
    pictures = []
    for file in found[::step][:_PHOTOS]:
        try:
            pictures.append(images.open_image(file, side=1024))
        except ImageError as error:
            notice(f"skipped {error.reason}", quiet=quiet)
    if not pictures:
        raise BadInput(f"no photo could be read in {str(folder)!r}")
    return pictures
