"""Writes the list of English words by which the package tells queries in other languages.

python -m training.words --data ../shared/data --out src/wordsight/encoders/english.bloom
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from training import data, texts
from wordsight.encoders.english import Bloom

# Usual words of photo libraries that are younger than WordNet 3.0.
YOUNG = "selfie selfies smartphone smartphones macbook iphone ipad emoji emojis nyc volkswagen img dsc screenshot meme"


def words_of(texts_: list[str]) -> set[str]:
    return {word for text in texts_ for word in re.findall(r"[a-z]+", text.lower())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--out", type=Path, default=Path("src/wordsight/encoders/english.bloom"))
    arguments = parser.parse_args()
    captions = [text for group in data.read_captions(arguments.data, "train").texts for text in group]
    words = words_of(texts.wordnet_words(arguments.wordnet)) | words_of(captions) | set(YOUNG.split())
    arguments.out.write_bytes(bytes(Bloom.of(sorted(words)).bits))
    print(f"{len(words)} words, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
