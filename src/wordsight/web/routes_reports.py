"""Routes of comparison reports: the HTML files of one folder, each in a sandbox."""

from __future__ import annotations

import html
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from wordsight.web.answers import PROBLEMS, Ascii, Served
from wordsight.web.gallery import NotServed
from wordsight.web.guard import REPORT_POLICY
from wordsight.web.models import Name
from wordsight.web.models_library import ReportsAnswer
from wordsight.web.service import Service

router = APIRouter(tags=["reports"], responses=PROBLEMS)

_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_HEAD = 4_096
_MOST = 200_000_000


@router.get("/api/reports", response_model=ReportsAnswer)
async def reports(service: Served) -> Response:
    """List the reports, the latest first."""
    return Ascii({"reports": await service.slow.run(_reports, service)})


@router.get("/reports/{name}", response_class=Response, responses={200: {"content": {"text/html": {}}}})
async def report(service: Served, name: Name) -> Response:
    """Return a report; its own scripts run in a sandbox that can ask nobody for anything."""
    data = await service.slow.run(_read, service, name)
    return HTMLResponse(data, headers={"content-security-policy": REPORT_POLICY})


def _files(service: Service) -> dict[str, Path]:
    """Return the reports by name: an HTML file, or a folder with a ``report.html`` or ``index.html``."""
    folder = service.config.reports
    if folder is None or not folder.is_dir():
        return {}
    found = {}
    for entry in sorted(folder.iterdir()):
        inner = [entry / name for name in ("report.html", "index.html")] if entry.is_dir() else [entry]
        file = next((file for file in inner if file.is_file() and file.suffix == ".html"), None)
        if file is not None and not entry.is_symlink() and not file.is_symlink() and not entry.name.startswith("."):
            found[entry.name] = file
    return found


def _reports(service: Service) -> list[dict[str, Any]]:
    rows = [(name, file, file.stat()) for name, file in _files(service).items()]
    rows.sort(key=lambda row: (-row[2].st_mtime, row[0]))
    return [
        {
            "name": name,
            "title": _title(file) or name,
            "bytes": status.st_size,
            "modified": datetime.fromtimestamp(status.st_mtime).astimezone().isoformat(timespec="seconds"),
        }
        for name, file, status in rows
    ]


def _title(file: Path) -> str:
    with file.open("rb") as stream:
        found = _TITLE.search(stream.read(_HEAD).decode("utf-8", "replace"))
    return " ".join(html.unescape(found[1]).split()) if found else ""


def _read(service: Service, name: str) -> bytes:
    file = _files(service).get(name)  # a name is looked up among those that are there, not made into a path
    if file is None:
        raise NotServed(f"there is no report {name!r}")
    with file.open("rb") as stream:
        return stream.read(_MOST)
