"""What `-` stands for on the command line: standard input, or standard output."""

from pathlib import Path

PIPE = Path("/dev/stdin")
