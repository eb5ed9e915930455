"""Evaluate colourings: metrics, reference rows, curves, intervals, reports."""
