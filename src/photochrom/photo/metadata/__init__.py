"""Read and write the metadata of each format, byte by byte."""
