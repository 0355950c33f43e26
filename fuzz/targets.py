"""All targets, by name."""

from __future__ import annotations

from fuzz import targets_data, targets_files, targets_text
from fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target for module in (targets_text, targets_files, targets_data) for target in module.TARGETS
}
