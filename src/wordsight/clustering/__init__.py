"""Two-stage clustering: exemplars -> per-label centroids -> joint refinement -> prototypes. Works on vectors only."""

from wordsight.clustering.kmeans import Clusters, kmeans, kmeans_large, nearest
from wordsight.clustering.prototypes import Drift, Prototypes
from wordsight.clustering.silhouette import best_count, silhouette
from wordsight.clustering.two_stage import TwoStageConfig, fit_prototypes, recounted, unsupervised_prototypes

__all__ = [
    "Clusters",
    "Drift",
    "Prototypes",
    "TwoStageConfig",
    "best_count",
    "fit_prototypes",
    "kmeans",
    "kmeans_large",
    "nearest",
    "recounted",
    "silhouette",
    "unsupervised_prototypes",
]
