"""Data sets of training pictures."""
