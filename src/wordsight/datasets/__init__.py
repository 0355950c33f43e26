"""Known data sets, read into retrieval tasks."""
