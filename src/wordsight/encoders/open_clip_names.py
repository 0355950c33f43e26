"""What ``openclip:...`` names: which architecture, whose weights, and where these lie on this machine.

::

    openclip:ViT-B-32/laion2b_s34b_b79k        an architecture and a tag that open_clip knows, from the hub's cache
    openclip:ViT-L/14@336px/openai             OpenAI's way to write architectures is understood, too
    openclip:ViT-B-32/openai=/data/ViT-B-32.pt the weights of a tag in a file of one's own
    openclip:RN50/checkpoint.pt                an architecture and a checkpoint
    openclip:/data/RN50.pt                     a checkpoint of OpenAI's, which tells its architecture
    openclip:hf-hub:org/repo                   a repository in the hub's cache
    openclip:local-dir:/data/model             a folder with open_clip_config.json and weights
    openclip:ViT-B-32/random:7                 random weights from a seed, to try the mechanics

Nothing here touches the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
from huggingface_hub import try_to_load_from_cache
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

from wordsight.errors import BadInput, ModelError

PREFIX = "openclip:"
_OPENAI_CACHE = Path("~/.cache/clip")  # where OpenAI's and open_clip's own code put the files of ``url``


@dataclass(frozen=True, slots=True)
class Source:
    """What a name stands for.

    ``architecture``: as open_clip writes it; ``None`` where the checkpoint or the folder tells. ``published``: what
    open_clip knows of the tag (preprocessing, QuickGELU, where the weights come from). One of ``file``, ``folder`` and
    ``seed`` says where the weights are.
    """

    name: str
    architecture: str | None = None
    published: dict[str, Any] | None = None
    file: Path | None = None
    folder: Path | None = None
    seed: int | None = None


def parse(name: str) -> Source:
    """Return what ``name`` stands for, its files found; raises ``BadInput`` or ``ModelError`` that say what to do."""
    rest = name.removeprefix(PREFIX)
    if rest.startswith("local-dir:"):
        return Source(name, folder=_existing_folder(Path(rest.removeprefix("local-dir:")).expanduser()))
    if rest.startswith("hf-hub:"):
        return Source(name, folder=_cached_repository(rest.removeprefix("hf-hub:")))
    architecture, which = _split(rest)
    if architecture is None:
        file = Path(rest).expanduser()
        if not file.is_file():
            raise BadInput(
                f"{name}: no architecture of open_clip's and no file; expected openclip:ARCHITECTURE/TAG such as "
                "openclip:ViT-B-32/openai, a checkpoint, hf-hub:ORG/REPO or local-dir:FOLDER"
            )
        return Source(name, file=file)
    if which.startswith("random"):
        seed = which.removeprefix("random").removeprefix(":") or "0"
        if not seed.isdecimal():
            raise BadInput(f"{name}: expected a whole number as the seed, got {seed!r}")
        return Source(name, architecture, seed=int(seed))
    tag, equals, given = which.partition("=")
    published = open_clip.get_pretrained_cfg(architecture, tag)
    if published:
        file = _existing_file(name, Path(given).expanduser()) if equals else _cached_weights(name, published)
        return Source(name, architecture, published, file)
    file = Path(which).expanduser()
    if not file.is_file():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none: give a checkpoint"
        raise BadInput(f"{name}: {which!r} is neither a file nor published weights of {architecture}: {tags}")
    return Source(name, architecture, file=file)


def hub_files(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the repository on the hub and the names of which one holds the weights of ``name``, best first."""
    architecture, tag = _split(name.removeprefix(PREFIX))
    published = open_clip.get_pretrained_cfg(architecture, tag) if architecture else None
    return _hub_files(published) if published else None


def _split(text: str) -> tuple[str | None, str]:
    """Take the architecture from the front, with "-", or "/" as OpenAI writes it."""
    known = {architecture.lower(): architecture for architecture in open_clip.list_models()}
    words = text.split("/")
    for count in range(len(words), 0, -1):  # the longest that fits: ViT-B/32 is no ViT-B with the tag 32
        written = "-".join(words[:count]).lower()
        written = written.removesuffix("px").replace("@", "-") if "@" in written else written
        if written in known and count < len(words):
            return known[written], "/".join(words[count:])
    return None, text


def _hub_files(published: dict[str, Any]) -> tuple[str, tuple[str, ...]] | None:
    organisation, _, rest = published.get("hf_hub", "").partition("/")
    repository, _, file = rest.partition("/")
    if not repository:
        return None
    if file:
        return f"{organisation}/{repository}", tuple(dict.fromkeys((Path(file).stem + ".safetensors", file)))
    return f"{organisation}/{repository}", (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME)


def _cached_weights(name: str, published: dict[str, Any]) -> Path:
    hub = _hub_files(published)
    if hub:
        for file in hub[1]:
            found = try_to_load_from_cache(hub[0], file)
            if isinstance(found, str):
                return Path(found)
    url = published.get("url", "")
    if url and (kept := Path(_OPENAI_CACHE.expanduser(), url.rsplit("/", 1)[1])).is_file():
        return kept
    places = ([f"https://huggingface.co/{hub[0]} ({' or '.join(hub[1])})"] if hub else []) + ([url] if url else [])
    raise ModelError(
        f"the weights of {name} are not on this machine, and are not fetched unasked: run `wordsight models pull "
        f"{name}`, or get them by hand from {' or '.join(places)} and use {name}=FILE"
    )


def _cached_repository(repository: str) -> Path:
    config = try_to_load_from_cache(repository, "open_clip_config.json")
    if isinstance(config, str):
        return Path(config).parent
    name = f"{PREFIX}hf-hub:{repository}"
    raise ModelError(
        f"{repository} is not in the hub's cache on this machine, and is not fetched unasked: run `wordsight models "
        f"pull {name}`, or get its files by hand from https://huggingface.co/{repository} and use "
        f"{PREFIX}local-dir:FOLDER"
    )


def _existing_file(name: str, file: Path) -> Path:
    if not file.is_file():
        raise BadInput(f"{name}: expected a checkpoint, but {file} is no file")
    return file


def _existing_folder(folder: Path) -> Path:
    if not (folder / "open_clip_config.json").is_file():
        raise BadInput(f"{folder} is no folder of an OpenCLIP model: it has no open_clip_config.json")
    return folder
