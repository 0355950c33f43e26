"""The report as Markdown, and its tables as LaTeX."""

from __future__ import annotations

import re

from wordsight.comparison.report.table import Table
from wordsight.comparison.report.tables import facts, tables
from wordsight.comparison.results import Comparison

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def markdown(found: Comparison) -> str:
    """Return the report as Markdown."""
    lines = [f"# Old-fashioned or deep: {found.task.name}", "", *(f"- {_cell(line)}" for line in found.summary), ""]
    if found.choice is not None:
        commands = ["```sh", *found.choice.commands, "```"]
        lines += ["## For this folder", "", _cell(found.choice.sentence), "", *commands, ""]
    for table in tables(found):
        lines += [
            f"## {table.title}",
            "",
            *_markdown_table(table),
            "",
            *([_cell(table.note), ""] if table.note else []),
        ]
    if found.notes or found.skipped:
        lines += ["## Notes", "", *(f"- {_cell(note)}" for note in found.notes)]
        lines += [f"- skipped {_cell(name)}: {_cell(reason)}" for name, reason in found.skipped.items()] + [""]
    lines += ["## To make it again", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in facts(found)]
    return "\n".join(lines) + "\n"


def latex(found: Comparison) -> str:
    """Return all tables as LaTeX, to be included; they need the package booktabs."""
    return "\n\n".join(_latex_table(table) for table in tables(found)) + "\n"


def _markdown_table(table: Table) -> list[str]:
    rows = [table.header, ("---", *["---:"] * (len(table.header) - 1)), *table.rows]
    return ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]


def _cell(text: str) -> str:
    """Return text that a cell of a table can hold."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _latex_table(table: Table) -> str:
    columns = "l" + "r" * (len(table.header) - 1)
    body = [" & ".join(map(_escaped, row)) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}",
            f"\\caption{{{_escaped(table.title)}}}\\label{{tab:{table.name}}}",
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_escaped, table.header)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _escaped(text: str) -> str:
    return re.sub(r"[\\~^&%$#_{}]", lambda match: _LATEX[match.group()], text)
