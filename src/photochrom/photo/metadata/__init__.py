"""What each format carries beside its pixels, byte by byte."""
