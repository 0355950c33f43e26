"""Write docs/licences.md: the licence of every package that an installation brings along, direct or not.

``python -m supply.licences`` reads the metadata of what is installed (``make licences`` installs all extras but those
with torch) and follows the requirements of the base install and of each extra.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).parent.parent / "docs" / "licences.md"
EXTRAS = ("heic", "raw", "fast", "classical", "web", "compare", "demo", "bench", "openclip", "explain")
_HEAD = """# Licences of the dependencies
Written by `make licences` from the metadata of the packages that were installed then; "with": the extra that first
brings a package along. wordsight itself is Apache-2.0; what is bundled with it stands in [NOTICE](../NOTICE).

| package | version | licence | with |
|---|---|---|---|
"""
# Of packages whose metadata give a whole text, or nothing that is short.
_LONG = 60


def main() -> None:
    """Write the page."""
    found: dict[str, tuple[Distribution, str]] = {}
    missing: dict[str, str] = {}
    for extra in ("", *EXTRAS):
        follow("wordsight", {extra}, extra or "base install", found, missing)
    found.pop("wordsight")
    rows = [
        f"| {d.metadata['Name']} | {d.version} | {licence(d)} | {extra} |" for _, (d, extra) in sorted(found.items())
    ]
    told = ""
    if missing:
        listed = ", ".join(f"{name} ({extra})" for name, extra in sorted(missing.items()))
        told = f"\nNot installed when this was written, so not listed with what they bring: {listed}.\n"
    PAGE.write_text(_HEAD + "\n".join(rows) + "\n" + told)
    print(f"{len(rows)} packages, {len(missing)} not installed")


def follow(
    name: str, extras: Iterable[str], asked: str, found: dict[str, tuple[Distribution, str]], missing: dict[str, str]
) -> None:
    """Add a package and all that it requires here, with the given extras of it."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    try:
        package = distribution(name)
    except PackageNotFoundError:
        missing.setdefault(key, asked)
        return
    known = key in found
    found.setdefault(key, (package, asked))
    for text in package.requires or ():
        needed = Requirement(text)
        alone = needed.marker is None or needed.marker.evaluate({"extra": ""})
        for extra in extras:
            wanted = needed.marker is None or needed.marker.evaluate({"extra": extra})
            if wanted and not (known and alone):
                follow(needed.name, needed.extras or {""}, asked, found, missing)


def licence(package: Distribution) -> str:
    """Return the licence by its SPDX expression, its classifiers, or the first words of its text."""
    data = package.metadata
    if expression := data.get("License-Expression"):
        return str(expression)
    classifiers = [line.split(" :: ")[-1] for line in data.get_all("Classifier") or () if line.startswith("License ::")]
    classifiers = [name for name in classifiers if name != "OSI Approved"]
    text = (data.get("License") or "").strip()
    if text and len(text) < _LONG and "\n" not in text:
        return text
    if classifiers:
        return ", ".join(classifiers)
    first = text.splitlines()[0][:_LONG] if text else ""
    return first or "not told in its metadata"


if __name__ == "__main__":
    main()
