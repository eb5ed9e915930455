"""The laboratory: where methods are trained, measured and compared."""
