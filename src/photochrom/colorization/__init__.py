"""Colorization methods, from lightness to ab: one file a paper, and one catalogue."""
