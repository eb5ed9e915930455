"""The `photochrom` command: its words, its exit codes, and nothing of its own."""

import os
import sys

from cyclopts import App, CycloptsError

from photochrom import __version__
from photochrom.cli.pipe import PIPE
from photochrom.errors import PhotochromError

USAGE, FAILED, INTERRUPTED = 2, 1, 130

app = App(
    name="photochrom",
    help="Colour black-and-white photographs: offline, at full size, lightness untouched.\n\n"
    "    photochrom old-photo.jpg            writes old-photo-color.jpg",
    version=__version__,
    help_format="markdown",
)


def _build() -> App:
    from photochrom.cli.colorize import colorize

    app.default(colorize)
    app.command("photochrom.cli.colorize:colorize", name="colorize")
    app.command("photochrom.cli.methods:methods", name="methods")
    app.command("photochrom.cli.evaluate:evaluate", name="evaluate")
    app.command("photochrom.cli.train:train", name="train")
    app.command("photochrom.cli.train:export", name="export")
    return app


def main() -> None:
    """Run the command; a PhotochromError becomes one line and exit code 1, misuse 2."""
    try:
        # A lone hyphen would be read as an option.
        words = [str(PIPE) if word == "-" else word for word in sys.argv[1:]]
        words = words or ["--help"]
        _build()(words, exit_on_error=False, print_error=True)
    except CycloptsError:
        sys.exit(USAGE)
    except PhotochromError as error:
        print(f"photochrom: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        print("photochrom: stopped. What was written is whole.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
