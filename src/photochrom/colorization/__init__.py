"""Colorization methods, from lightness to ab: one file per paper, and a catalogue."""
