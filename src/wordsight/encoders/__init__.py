"""Engines that put images and texts into one vector space."""
