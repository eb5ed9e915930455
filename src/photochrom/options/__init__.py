"""Options of photochrom, and their ranges."""
