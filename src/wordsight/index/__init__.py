"""Vector indexes behind one protocol (``wordsight.protocols.VectorIndex``).

- ``ExactIndex``: scans every row; always right, and fast to some two million rows.
- ``GraphIndex``: an HNSW graph (usearch); sub-linear beyond that, approximate.
- ``ListIndex``: inverted lists; approximate, too, and built in one pass.
- ``LayeredIndex``: a large read-only base, the rows added since, and the rows removed since.

``RegionIndex`` puts two of them together: pictures ranked by the whole and by their best region.
"""

from wordsight.index.exact import ExactIndex
from wordsight.index.layered import LayeredIndex
from wordsight.index.regions import RegionIndex

# GraphIndex and ListIndex are imported from their modules: usearch costs a tenth of a second.
__all__ = ["ExactIndex", "LayeredIndex", "RegionIndex"]
