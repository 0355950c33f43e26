"""The exceptions of wordsight. Each message says what was expected, what came, and what to do.

::

    WordsightError                 everything below; the command line turns it into exit status 2
    |-- BadInput                   an argument or a file of the user's is not what it should be
    |   |-- QuerySyntaxError       a query that cannot be parsed; knows the place
    |   |-- UnknownQuery           a text that a closed encoder was not fitted on; knows near labels
    |   |-- UnknownEncoder         a name that stands for no encoder
    |   `-- DatasetNotFound        a data set that is not where it was looked for
    |-- ImageError                 one picture cannot be read; jobs skip it and record ``reason``
    |-- ModelError                 a model folder that is incomplete, damaged or not understood
    |-- CatalogueError             the catalogue cannot be used
    |   |-- CatalogueBusy          another process is writing to it
    |   |-- CatalogueVersionError  it was written by a newer wordsight
    |   |-- EncoderMismatch        it holds vectors of another encoder
    |   `-- StoreError             a store (Lance tables) or the job that fills it cannot go on
    `-- MissingExtra               an optional dependency is not installed; carries the install command
"""

from __future__ import annotations

from collections.abc import Sequence


class WordsightError(Exception):
    """Base of all errors that wordsight raises on purpose."""


class BadInput(WordsightError):  # noqa: N818  # named for what it is, like the rest of the tree
    """An argument or a file of the user's is not what it should be."""


class QuerySyntaxError(BadInput):
    """A query that cannot be parsed; ``str()`` shows the query with a caret under ``position`` (0-based)."""

    def __init__(self, message: str, source: str, position: int) -> None:
        super().__init__(f"{message}\n  {source}\n  {' ' * position}^")
        self.source = source
        self.position = position


class UnknownQuery(BadInput):
    """A text that a closed encoder was not fitted on; ``near`` holds similar labels, best first, ``known`` all."""

    def __init__(self, text: str, near: Sequence[str], known: Sequence[str] = ()) -> None:
        hint = f"did you mean {', '.join(near)}?" if near else f"it has no similar label{_listed(known)}"
        super().__init__(f"this encoder knows only the labels it was fitted on, and {text!r} is none of them; {hint}")
        self.text = text
        self.near = tuple(near)


def _listed(labels: Sequence[str]) -> str:
    most = 20
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"; it knows {', '.join(labels[:most])}{more}" if labels else ""


class UnknownEncoder(BadInput):
    """A name that stands for no encoder."""


class DatasetNotFound(BadInput):
    """A data set that is not where it was looked for."""


class ImageError(WordsightError):
    """One picture cannot be read; ``reason`` is one line for the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ModelError(WordsightError):
    """A model folder that is incomplete, damaged or not understood."""


class CatalogueError(WordsightError):
    """The catalogue cannot be used."""


class CatalogueBusy(CatalogueError):  # noqa: N818
    """Another process is writing to the catalogue."""


class CatalogueVersionError(CatalogueError):
    """The catalogue was written by a newer wordsight."""


class EncoderMismatch(CatalogueError):  # noqa: N818
    """The catalogue holds vectors of another encoder than the one asked for."""


class StoreError(CatalogueError):
    """A store (Lance tables, in a folder or an object storage) or the job that fills it cannot go on."""


class MissingExtra(WordsightError):  # noqa: N818
    """An optional dependency is not installed; the message carries the install command."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs an optional part: pip install "wordsight[{extra}]"')
        self.extra = extra
