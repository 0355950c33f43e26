"""What ``search --explain`` adds to the contact sheet: a heat map and boxes over each photo, and a switch for them.

Everything is HTML, CSS and SVG: no script runs.
"""

from __future__ import annotations

from html import escape

from wordsight.cli.data_uri import data_uri
from wordsight.cli.text import place, printable
from wordsight.drawing import veil
from wordsight.drawing.colours import table
from wordsight.types import Box
from wordsight.why import Explained

_VIEWS = (
    ("both", "Heat maps and boxes", " checked"),
    ("map", "Heat maps", ""),
    ("boxes", "Boxes", ""),
    ("photo", "Photos only", ""),
)


def switch() -> str:
    """Return the choice of what is shown, with the colour bar."""
    choices = "".join(
        f'<label><input type="radio" name="view" id="view-{name}"{mark}>{shown}</label>\n'
        for name, shown, mark in _VIEWS
    )
    return (
        f'<fieldset class="views">\n<legend>Why these photos</legend>\n{choices}'
        '<span class="scale">In each photo: least <span class="ramp" aria-hidden="true"></span> most</span>\n'
        "</fieldset>\n"
    )


def layer(one: Explained) -> str:
    """Return what lies over a photo in its frame: the heat map, and the boxes, the best on top."""
    width, height = one.size
    boxes = "".join(f"{_outline(box, 'dark')}{_outline(box, 'light')}" for box in reversed(one.boxes))
    return (
        f'<svg class="why" viewBox="0 0 {width} {height}" preserveAspectRatio="xMidYMid meet" aria-hidden="true">'
        f'<image class="map" width="{width}" height="{height}" preserveAspectRatio="none" '
        f'href="{data_uri(veil(one.saliency.values))}"/><g class="boxes">{boxes}</g></svg>'
    )


def spoken(one: Explained) -> str:
    """Return in words where the text is seen, for those who do not see the map; escaped."""
    text = escape(printable(one.saliency.text))
    if not one.boxes:
        return f"No place of the photo speaks for {text}."
    more = f", and {len(one.boxes) - 1} more" if len(one.boxes) > 1 else ""
    return f"{text}: {_where(one.boxes[0], one.size)}{more}."


def _where(box: Box, size: tuple[int, int]) -> str:
    """Return a place in words, such as "upper left, 12 % of the photo"."""
    area = (box.right - box.left) * (box.bottom - box.top) / (size[0] * size[1])
    return f"{place(box, *size)}, {100 * area:.0f} % of the photo"


def _outline(box: Box, kind: str) -> str:
    size = f'width="{box.right - box.left}" height="{box.bottom - box.top}"'
    return f'<rect class="{kind}" x="{box.left}" y="{box.top}" {size}/>'


_RAMP = ", ".join(f"rgb({r} {g} {b})" for r, g, b in table()[::15].tolist())
STYLE = f"""
.views {{
  display: flex; flex-wrap: wrap; align-items: center; gap: .35rem 1.1rem;
  margin-top: .9rem; padding: .55rem .9rem .7rem;
  border: 1px solid var(--line); border-radius: 12px; background: var(--card); font-size: .88rem;
}}
.views legend {{ padding: 0 .4rem; color: var(--soft); font-size: .8rem; }}
.views label {{ display: inline-flex; align-items: center; gap: .4rem; padding: .1rem 0; cursor: pointer; }}
.views input {{ width: 1rem; height: 1rem; margin: 0; accent-color: var(--link); }}
.views input:focus-visible {{ outline: 3px solid var(--link); outline-offset: 2px; }}
.scale {{ display: inline-flex; align-items: center; gap: .5rem; margin-left: auto; color: var(--soft); }}
.ramp {{
  width: 110px; height: 10px; border: 1px solid var(--line); border-radius: 3px; print-color-adjust: exact;
  background: linear-gradient(90deg, {_RAMP});
}}
.why {{
  position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; transition: opacity .15s;
}}
.why rect {{ fill: none; vector-effect: non-scaling-stroke; }}
.why .dark {{ stroke: #101014; stroke-width: 4px; }}
.why .light {{ stroke: #fff; stroke-width: 2px; }}
.photo {{ overflow: hidden; }}
.photo img {{ object-fit: contain; }}
.photo:hover .why, .photo:focus-visible .why {{ opacity: 0; }}
.nothing .why {{ opacity: .6; }}
body:has(#view-photo:checked) .why, body:has(#view-map:checked) .boxes, body:has(#view-boxes:checked) .map {{
  display: none;
}}
.where {{ white-space: normal; }}
@media (prefers-reduced-motion: reduce) {{ .why {{ transition: none; }} }}
@media print {{ .views {{ display: none; }} }}
"""
