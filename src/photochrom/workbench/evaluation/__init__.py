"""Is it good? Metrics, reference rows, curves, intervals, reports."""
