"""Builds the model that ships inside the package; see README.md."""
