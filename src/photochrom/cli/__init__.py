"""The `photochrom` command: its words, its exit codes, and nothing of its own."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from photochrom._version import __version__
from photochrom.cli.messages import say
from photochrom.cli.standard_streams import PIPE
from photochrom.errors import PhotochromError

if TYPE_CHECKING:
    from cyclopts import App

USAGE, FAILED, INTERRUPTED = 2, 1, 130
# What each is for stands here, so that the list of them imports none of them.
COMMANDS = {
    "colorize": ("cli.colorize", "Colour photographs; the word may be left out."),
    "serve": ("cli.serve", "Serve the page and the HTTP service on this machine."),
    "suggest": ("cli.inspect", "List the likely colours of a spot."),
    "confidence": ("cli.inspect", "Write a map of where the method is guessing."),
    "methods": ("cli.list_methods", "List the methods that can colour a photograph."),
    "evaluate": (
        "workbench.commands.evaluate_command",
        "Measure methods on colour photographs, honestly.",
    ),
    "recipes": ("workbench.commands.train_command", "List the recipes that can be trained."),
    "train": ("workbench.commands.train_command", "Train a network as a recipe says."),
    "export": (
        "workbench.commands.train_command",
        "Turn a checkpoint into a network that colours.",
    ),
}
# Groups of commands: what the group is for, and its commands as (room, function, help).
GROUPS = {
    "data": (
        "Prepare, split, study and gather training pictures.",
        {
            "prepare": (
                "workbench.commands.datasets_command",
                "prepare",
                "Bring pictures into Parquet shards to train on.",
            ),
            "split": (
                "workbench.commands.datasets_command",
                "split",
                "Split pictures into training, validation and test.",
            ),
            "study": (
                "workbench.commands.data_report_command",
                "study",
                "Study pictures: PCA, palettes, groups; an HTML page.",
            ),
            "crawl": (
                "workbench.commands.data_report_command",
                "crawl",
                "Gather openly licensed pictures, politely.",
            ),
        },
    ),
    "study": (
        "Ask people which of two pictures is real, or which they prefer.",
        {
            "prepare": (
                "workbench.commands.perception_command",
                "prepare",
                "Make the folder of a study.",
            ),
            "serve": (
                "workbench.commands.perception_command",
                "serve",
                "Serve a study's page on this machine.",
            ),
            "results": (
                "workbench.commands.perception_command",
                "results",
                "Count a study's votes, with intervals.",
            ),
        },
    ),
    "report": (
        "Keep the table of results in step with its records.",
        {
            "collect": (
                "workbench.commands.results_table_command",
                "collect",
                "Make records of runs.",
            ),
            "build": (
                "workbench.commands.results_table_command",
                "build",
                "Write the table; --check compares it.",
            ),
        },
    ),
}
DEFAULTS = {"report": "build"}  # of a group: what its bare word means
OTHER_NETWORK = {"--method", "-m", "--recipe", "--device", "--jobs", "-j", "--help", "-h"}


def build_app() -> "App":
    """Return the command with all its words."""
    from cyclopts import App, Parameter

    from photochrom.cli.colorize import colorize
    from photochrom.cli.numbers import convert

    app = App(
        name="photochrom",
        help="Colour black-and-white photographs: offline, at full size, lightness untouched.\n\n"
        "    photochrom old-photo.jpg            writes old-photo-color.jpg",
        version=__version__,
        help_format="markdown",
        default_parameter=Parameter(converter=convert),
        suppress_keyboard_interrupt=False,  # it would end without a word
    )
    app.default(colorize)
    app.register_install_completion_command(help="Install completion for this shell.")
    for name, (where, help) in COMMANDS.items():
        app.command(f"photochrom.{where}:{name}", name=name, help=help)
    for name, (help, commands) in GROUPS.items():
        group = App(name=name, help=help)
        for word, (where, function, what) in commands.items():
            group.command(f"photochrom.{where}:{function}", name=word, help=what)
        app.command(group)
    return app


def _begin_early(words: list[str]) -> None:
    """Let the network open, if it is clear which, while the words are still being read."""
    names = {word.partition("=")[0] for word in words}
    # Unlike Path.is_file, this is false for what can be no path. Several have processes instead.
    is_one = sum(map(os.path.exists, words)) == 1
    if is_one and os.path.isfile(words[0]) and not OTHER_NETWORK & names:  # noqa: PTH113
        # Threads of OpenBLAS, which has nothing to do here, would wait on a core of ours.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # What computes without the interpreter waits so long for it each time; 5 ms otherwise.
        sys.setswitchinterval(0.0005)
        from photochrom.colorization.catalogue import begin_loading
        from photochrom.colorization.network import runtime

        runtime()  # a thread would wait long to import it, beside ours that imports the rest
        begin_loading("photochrom")


def _run_words(words: list[str]) -> int:
    """Do what the words say; give the exit code."""
    photo, *options = words
    to_file = len(options) == 2 and options[0] in ("-o", "--output") and options[1][:1] != "-"
    if (not options or to_file) and os.path.isfile(photo):  # noqa: PTH113 - see _begin_early
        # The plainest of all commands needs no library to read it, which takes a while to import.
        from photochrom.cli.run import run
        from photochrom.cli.run_options import RunOptions

        return run([Path(photo)], RunOptions(output=Path(options[1]) if to_file else None))
    from cyclopts import CycloptsError

    try:
        code = build_app()(
            words, exit_on_error=False, print_error=True, result_action="return_value"
        )
    except CycloptsError:
        return USAGE
    if sys.stdout is not None:  # it is closed
        sys.stdout.flush()  # here, where a failure still finds its words
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command; a PhotochromError becomes one line and exit code 1, misuse 2."""
    # A lone hyphen would be read as an option.
    words = [str(PIPE) if word == "-" else word for word in sys.argv[1:]] or ["--help"]
    if words[0] in DEFAULTS and words[1:2] and words[1].startswith("--") and words[1] != "--help":
        words.insert(1, DEFAULTS[words[0]])
    _begin_early(words)
    if sys.stdout is not None:
        with suppress(OSError, ValueError):  # who starts us may have left it not to wait for a pipe
            os.set_blocking(sys.stdout.fileno(), True)
    try:
        sys.exit(_run_words(words))
    except PhotochromError as error:
        say(f"photochrom: {error}")
        sys.exit(FAILED)
    except KeyboardInterrupt as stop:
        say("photochrom: stopped. What was written is whole.")
        # As shells say it: 128 and the signal's number.
        sys.exit(INTERRUPTED - signal.SIGINT + getattr(stop, "number", signal.SIGINT))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except OSError as error:
        what = os.fsdecode(error.filename) if error.filename else "standard output"
        print(f"photochrom: {what}: {error.strerror or error}.", file=sys.stderr)
        if not error.filename and sys.stdout is not None:  # or Python would try once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
