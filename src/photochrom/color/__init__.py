"""Colour science on arrays, for NumPy and torch."""
