"""Write docs/cli.md from the parser; with --check, fail when the file is not what the parser says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from wordsight.cli.app import build

FILE = Path(__file__).with_name("cli.md")


def reference() -> str:
    """Return the reference of all commands as Markdown."""
    root = typer.main.get_command(build())
    lines = ["# Commands", "", "Made from the parser by `make docs`.", ""]
    for name, command in _commands(root, ""):
        lines += [f"## wordsight {name}", "", (command.help or "").strip(), "", "| argument | what |", "|---|---|"]
        lines += [row for parameter in command.params if (row := _row(parameter)) is not None]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: object, before: str) -> Iterator[tuple[str, Any]]:
    """Yield the commands of a group and of the groups in it, by their full names."""
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def _row(parameter: object) -> str | None:
    names = [*getattr(parameter, "opts", []), *getattr(parameter, "secondary_opts", [])]
    if "--help" in names:
        return None
    spelled = " ".join(f"`{name}`" for name in names)
    if getattr(parameter, "param_type_name", "") == "argument":
        spelled = f"`{names[0].upper()}`"
    text = (getattr(parameter, "help", "") or "").replace("|", "\\|")
    default = getattr(parameter, "default", None)
    told = f" Default: {default}." if isinstance(default, str | int) and not isinstance(default, bool) else ""
    return f"| {spelled} | {text}{told} |"


if __name__ == "__main__":
    text = reference()
    if "--check" in sys.argv:
        sys.exit(0 if FILE.read_text("utf-8") == text else "docs/cli.md is stale: run `make docs`")
    FILE.write_text(text, "utf-8")
