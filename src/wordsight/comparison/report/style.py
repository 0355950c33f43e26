"""The look of the page, light and dark; colours after Okabe and Ito, which colour-blind people can tell apart."""

from __future__ import annotations

CSS = """
:root { --paper: #fff; --ink: #1c1f23; --soft: #5a626b; --line: #d5d9de; --panel: #f4f6f8;
  --c1: #0072b2; --c2: #d55e00; --c3: #00805c; --c4: #a6437b; --c5: #8a6d00; --c6: #2f7fb5; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181b; --ink: #e8eaed; --soft: #a3abb4; --line: #3a4148;
  --panel: #1e2226; --c1: #56b4e9; --c2: #f28c3a; --c3: #2fc59a; --c4: #dd8fbb; --c5: #e8cf3f; --c6: #9cc9ee; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { margin: 0 0 .5rem; font-size: 1.7rem; } h2 { margin: 2.5rem 0 .75rem; font-size: 1.3rem; }
h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; } h4 { margin: .75rem 0 .25rem; font-size: .9rem; color: var(--soft); }
a { color: var(--c1); } p { max-width: 62rem; margin: .4rem 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0; padding: 0; list-style: none; font-size: .9rem; }
.summary { margin-top: 1.25rem; padding: .75rem 1.25rem; border-left: .3rem solid var(--c1); background: var(--panel); }
.note, figcaption, footer { color: var(--soft); font-size: .85rem; } footer { margin-top: 3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th[scope=row], thead th:first-child { text-align: left; } th { font-weight: 600; }
th[scope=row] { white-space: normal; min-width: 9rem; }
figure { margin: 1rem 0; max-width: 40rem; } figure svg { width: 100%; height: auto; display: block; }
svg text { font-family: system-ui, sans-serif; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 1rem; }
article { min-width: 0; padding: .5rem 1rem; border: 1px solid var(--line); border-radius: .4rem; }
article table { font-size: .8rem; } article th, article td { padding: .2rem .4rem; white-space: normal; }
article th[scope=row] { min-width: 0; }
article h3 { margin: .25rem 0; min-height: 3em; } details { margin: .5rem 0; } summary { cursor: pointer; }
.confusion th[scope=col] { padding: .2rem; height: 7rem; vertical-align: bottom; }
.confusion th[scope=col] span { writing-mode: vertical-rl; transform: rotate(180deg); }
.confusion td { padding: .2rem .35rem; min-width: 2rem; text-align: center;
  background: color-mix(in srgb, var(--c1) calc(var(--v, 0) * 60%), transparent); }
.queries { margin: 0; padding: 0; list-style: none; } .queries li { margin: .4rem 0; font-size: .9rem;
  overflow-wrap: anywhere; }
.strip { display: flex; flex-wrap: wrap; gap: .35rem; margin-top: .25rem; }
img { height: 5.5rem; margin-right: .5rem; border: 3px solid var(--c3); border-radius: .2rem; vertical-align: middle; }
img.wrong { border-style: dashed; border-color: var(--c2); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; font-size: .88rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { padding: .6rem .9rem; overflow-x: auto; border: 1px solid var(--line); border-radius: .3rem; }
@media (max-width: 40rem) { body { padding: 1rem; } dl { grid-template-columns: 1fr; } }
@media print { details > * { display: block; } }
"""
