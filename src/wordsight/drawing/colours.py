"""Colour maps: from a value in [0, 1] to a colour.

``inferno``, ``magma`` and ``viridis`` are perceptually even: equal steps of the value look like equal steps, lightness
never falls, and they survive grey printing and the common colour blindnesses (by Nathaniel J. Smith and Stefan van der
Walt for matplotlib, CC0: public domain). ``jet`` is what older papers used; it shows edges that the map does not have.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput

DEFAULT = "inferno"

# Every eighth of matplotlib's 256 entries; what is interpolated between them is at most 2 of 255 off.
_TABLES = {
    "inferno": """
        000004 040312 0b0724 150b37 210c4a 2e0a5a 3c0965 4a0c6b 57106d 63146e 70196e 7d1e6d 89226a 962766 a32b61 af315c
        bb3755 c63e4d d14644 db4f3b e35932 eb6528 f1711e f67f14 f98d0a fb9c06 fcab0f fbba1f f9ca32 f5d949 f2e865 f3f586
        fcffa4""",
    "magma": """
        000004 030311 0a0822 130d33 1d1146 28115a 36106a 430f76 50127c 5d177f 691c81 762181 822681 8f2a81 9c2e7f a9327d
        b63779 c33b75 cf4170 db486a e65163 ee5c5e f5695c f9785d fb8761 fd9668 fea571 feb47b fec387 fed194 fde0a2 fceeb0
        fcfdbf""",
    "viridis": """
        440154 470d60 48186a 482374 472d7b 453681 424086 3f4989 3b528b 375a8d 33638d 2f6a8e 2c728e 297a8e 26818e 23898e
        21908c 1f988b 1f9f88 21a685 28ae80 31b57b 3ebc74 4cc26c 5dc963 6ece58 82d34c 96d83f abdc32 c0df24 d5e21a eae51a
        fde725""",
    "grey": "000000 ffffff",
    "jet": "000080 0000ff 0080ff 00ffff 80ff80 ffff00 ff8000 ff0000 800000",
}
NAMES = tuple(_TABLES)


def table(name: str = DEFAULT) -> NDArray[np.uint8]:
    """Return the 256 colours of a map, (256, 3) uint8, from value 0 to value 1.

    Raises ``BadInput`` for a name that is none of ``NAMES``.
    """
    if name not in _TABLES:
        raise BadInput(f"no colour map is called {name!r}: expected one of {', '.join(NAMES)}")
    given = np.asarray([list(bytes.fromhex(entry)) for entry in _TABLES[name].split()], np.float64)
    places = np.linspace(0, 1, len(given))
    channels = [np.interp(np.linspace(0, 1, 256), places, channel) for channel in given.T]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def coloured(values: NDArray[np.float32], name: str = DEFAULT) -> NDArray[np.uint8]:
    """Return the colour of each value, (..., 3) uint8; values beyond [0, 1] get the colour of the nearer end."""
    return table(name)[(np.clip(np.nan_to_num(values), 0, 1) * 255).round().astype(np.uint8)]
