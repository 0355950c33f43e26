"""Put what ``python -m faults.store`` found into docs/faults-store.md; run by it, or ``python -m faults.store_doc``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_PAGE = ROOT / "docs" / "faults-store.md"
_RESULTS = ROOT / "benchmarks" / "results" / "faults_store.json"
_BEGIN, _END = "<!-- begin faults_store: written by `python -m faults.store` -->", "<!-- end faults_store -->"


def write(document: dict[str, Any], page: Path = _PAGE) -> None:
    """Put the table of the results between the page's two markers."""
    before, rest = page.read_text().split(_BEGIN, 1)
    page.write_text(f"{before}{_BEGIN}\n{_table(document)}\n{_END}{rest.split(_END, 1)[1]}")


def _table(document: dict[str, Any]) -> str:
    setting, about = document["setting"], document["machine"]
    lines = ["| fault | came of it | left behind | time |", "|---|---|---|---:|"]
    lines += [_line(name, found) for name, found in document["scenarios"].items()]
    versions = ", ".join(f"{name} {setting[name]}" for name in ("ray", "pylance", "moto") if name in setting)
    lines += [
        "",
        f"`{document['command']}`: {setting['pictures']} pictures and {setting['unreadable']} that cannot be read, "
        f"{setting['nodes']}; {about['processor']}, {about['cores']} cores that other work shared, "
        f"{versions}, {document['date'][:10]}.",
    ]
    return "\n".join(lines)


def _line(name: str, found: dict[str, Any]) -> str:
    if found.get("passed") is None:
        return f"| {name} | not run: {found['skipped']} | | |"
    if not found["passed"]:
        return f"| {name} | **failed**: {found['error'][:200]} | | |"
    after = f"{found['seconds']:.0f} s"
    if "calls" in found:
        return (
            f"| {name} | {found['unanswered_after_60_s']} of {found['calls']} calls unanswered after 60 s | | {after} |"
        )
    there = found["found"]
    did = [f"{there['photos']} once each, {there['listed']} listed", *_more(found)]
    left = there["files_no_version_named_before_tidying"]
    return f"| {name} | {'; '.join(did)} | {left} files, none after `compact` | {after} |"


def _more(found: dict[str, Any]) -> list[str]:
    """Return what a scenario tells of itself."""
    told = []
    if "killed" in found:
        told.append(f"{found['killed']} killed, done {found['end_after_last_kill_s']:.0f} s after the last")
    if "rows_at_each_kill" in found:
        told.append(f"killed at {', '.join(map(str, found['rows_at_each_kill']))} rows")
    if "server" in found:
        server = found["server"]
        told.append(f"{server['failed']} of {server['reads']} reads failed, {server['cut']} broke off")
    return told


if __name__ == "__main__":
    write(json.loads(_RESULTS.read_text()))
