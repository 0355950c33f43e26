"""Templates that turn a label into texts, by name: the field's own sets, so that published numbers can be repeated.

From "Learning Transferable Visual Models From Natural Language Supervision" (Radford et al. 2021), as OpenAI published
them with CLIP (data/prompts.md; the seven of ImageNet: their notebook on prompt engineering), MIT licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from wordsight.errors import BadInput

_QUALITIES = (
    "a photo of {} {{}}.",
    "a blurry photo of {} {{}}.",
    "a black and white photo of {} {{}}.",
    "a low contrast photo of {} {{}}.",
    "a high contrast photo of {} {{}}.",
    "a bad photo of {} {{}}.",
    "a good photo of {} {{}}.",
    "a photo of {} small {{}}.",
    "a photo of {} big {{}}.",
)


def _both(templates: Iterable[str]) -> tuple[str, ...]:
    return tuple(template.format(article) for article in ("a", "the") for template in templates)


SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "word": ("{}",),
        "photo": ("a photo of a {}.",),
        "this": ("This is a photo of a {}.",),
        "cifar": _both(_QUALITIES),
        "voc2007": ("a photo of a {}.",),
        "imagenet7": (
            "itap of a {}.",
            "a bad photo of the {}.",
            "a origami {}.",
            "a photo of the large {}.",
            "a {} in a video game.",
            "art of the {}.",
            "a photo of the small {}.",
        ),
    }
)
"""Name -> templates: bare words, one sentence, or an ensemble whose vectors are averaged."""


_ARTICLE = re.compile(r"\A\s*(?:an?|the)\s+(?=\S)", re.IGNORECASE)
_LONGEST_LABEL = 3  # words; longer texts are phrases that say themselves what they are


def without_article(text: str) -> str:
    """Return the text without an article at its start: what it names."""
    return _ARTICLE.sub("", text)


def prompted(text: str, template: str) -> str:
    """Return a short text, such as "dog" or "a red car", in the template; a phrase or a sentence stays as it is."""
    label = without_article(text)
    is_label = len(label.split()) <= _LONGEST_LABEL and not label.rstrip().endswith((".", "!", "?"))
    return template.replace("{}", label) if is_label else text


def templates(given: Iterable[str]) -> tuple[str, ...]:
    """Return templates for a mixture of templates, which hold ``{}``, and names of ``SETS``.

    Raises ``BadInput`` for what is neither.
    """
    found: list[str] = []
    for text in given:
        if "{}" not in text and text not in SETS:
            raise BadInput(
                f'expected a prompt such as "a photo of a {{}}.", with {{}} where the label goes, or one of '
                f"{', '.join(SETS)}; got {text!r}"
            )
        found += SETS.get(text, (text,))
    return tuple(found)
