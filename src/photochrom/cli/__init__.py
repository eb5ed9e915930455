"""The `photochrom` command."""

import sys

from cyclopts import App

from photochrom.errors import PhotochromError

app = App(name="photochrom", help="Colour black-and-white photographs.")
app.command("photochrom.cli.train:train")


def main() -> None:
    """Run the command; a PhotochromError becomes one line and exit code 1."""
    try:
        app()
    except PhotochromError as error:
        print(f"photochrom: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
