"""The catalogue of a photo folder on disk: scan, sync, store, search."""
