"""Old-fashioned or deep: engines compared on one task, with scenarios, costs and statistics.

``open_material`` reads the task, ``choose`` the scenarios, ``compare`` does the work and keeps every result in a
``Store``, and ``report`` writes what it found. docs/compare.md tells what is compared and how.
"""

from wordsight.comparison.cache import Store
from wordsight.comparison.material import Material, open_material
from wordsight.comparison.results import Comparison
from wordsight.comparison.run import Plan, compare
from wordsight.comparison.scenarios import SCENARIOS, Scenario, choose

__all__ = ["SCENARIOS", "Comparison", "Material", "Plan", "Scenario", "Store", "choose", "compare", "open_material"]
