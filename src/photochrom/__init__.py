"""Colour black-and-white photographs."""
