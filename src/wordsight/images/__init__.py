"""Pictures on disk: find them, decode them upright to RGB, read their metadata."""
