"""The `photochrom` command: its subcommands and exit codes."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from photochrom._version import __version__
from photochrom.cli.messages import say, shown
from photochrom.cli.standard_streams import PIPE
from photochrom.errors import PhotochromError

if TYPE_CHECKING:
    from cyclopts import App
    from rich.panel import Panel

USAGE, FAILED, INTERRUPTED = 2, 1, 130
# The help texts are declared here, so that `--help` imports no command's module.
COMMANDS = {
    "colorize": ("cli.colorize_command", "Colour photographs; `colorize` may be omitted."),
    "frames": ("cli.film", "Write a picture of each shot of a film."),
    "serve": ("cli.serve", "Serve the page and the HTTP service on this machine."),
    "page": (
        "cli.page",
        "Write the page as a folder that colours in the browser, without a service.",
    ),
    "suggest": ("cli.inspect", "List the likely colours at a point."),
    "confidence": ("cli.inspect", "Write a map of the method's confidence."),
    "methods": ("cli.list_methods", "List the methods that can colour a photograph."),
    "evaluate": ("workbench.commands.evaluate_command", "Measure methods on colour photographs."),
    "recipes": ("workbench.commands.train_command", "List the recipes that can be trained."),
    "train": ("workbench.commands.train_command", "Train a network from a recipe."),
    "export": ("workbench.commands.train_command", "Export a checkpoint as an ONNX network."),
}
# Groups of commands: the group's help, and its commands as (module of workbench.commands, help).
GROUPS = {
    "data": (
        "Prepare, split, study and collect training pictures.",
        {
            "prepare": ("datasets_command", "Convert pictures to Parquet shards for training."),
            "split": ("datasets_command", "Split pictures into training, validation and test."),
            "study": (
                "data_report_command",
                "Analyse pictures (PCA, palettes, clusters); writes an HTML page.",
            ),
            "crawl": (
                "data_report_command",
                "Download openly licensed pictures, with rate limits.",
            ),
        },
    ),
    "study": (
        "Ask people which of two pictures is real, or which they prefer.",
        {
            "prepare": ("perception_command", "Create the folder of a study."),
            "serve": ("perception_command", "Serve the web page of a study on this machine."),
            "results": ("perception_command", "Count the votes of a study, with intervals."),
        },
    ),
    "report": (
        "Build the table of results from its records.",
        {
            "collect": ("results_table_command", "Create records from runs."),
            "build": ("results_table_command", "Write the table; --check only compares it."),
        },
    ),
}
DEFAULTS = {"report": "build"}  # the command that a group runs without a subcommand
OTHER_NETWORK = {"--method", "-m", "--recipe", "--device", "--jobs", "-j", "--help", "-h"}


def build_app() -> "App":
    """Return the command with all its subcommands."""
    from cyclopts import App, Parameter

    from photochrom.cli.colorize_command import colorize
    from photochrom.cli.numbers import convert

    app = App(
        name="photochrom",
        help="Colour black-and-white photographs: offline, at full size, lightness unchanged.\n\n"
        "    photochrom old-photo.jpg            writes old-photo-color.jpg",
        version=__version__,
        help_format="markdown",
        default_parameter=Parameter(converter=convert),
        suppress_keyboard_interrupt=False,  # it would exit without a message
    )
    app.default(colorize)
    app.register_install_completion_command(help="Install tab completion for this shell.")
    for name, (where, help) in COMMANDS.items():
        app.command(f"photochrom.{where}:{name}", name=name, help=help)
    for name, (help, commands) in GROUPS.items():
        group = App(name=name, help=help)
        for word, (where, what) in commands.items():
            function = f"photochrom.workbench.commands.{where}:{word}"
            group.command(function, name=word, help=what)
        app.command(group)
    return app


def _begin_early(words: list[str]) -> None:
    """Start loading the network, if it is known which, while the arguments are parsed."""
    names = {word.partition("=")[0] for word in words}
    # Unlike Path.is_file, this is false for an impossible path. Several photos go to processes.
    is_one = sum(map(os.path.exists, words)) == 1
    if is_one and os.path.isfile(words[0]) and not OTHER_NETWORK & names:  # noqa: PTH113
        # Idle OpenBLAS threads would spin on a core that is needed here.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # Code that runs without the GIL waits this long to get it back; the default is 5 ms.
        sys.setswitchinterval(0.0005)
        from photochrom.colorization.catalogue import begin_loading
        from photochrom.colorization.network import runtime

        runtime()  # importing it in a thread, beside the other imports, would be slow
        begin_loading("photochrom")


def _usage_error(error: Exception) -> "Panel":
    """Return cyclopts' message, in which the words of a command line cannot control a terminal."""
    from cyclopts import CycloptsPanel
    from rich.text import Text

    return CycloptsPanel(Text("\n".join(map(shown, str(error).split("\n")))))


def _run_words(words: list[str]) -> int:
    """Run the command line and return the exit code."""
    photo, *options = words
    to_file = len(options) == 2 and options[0] in ("-o", "--output") and options[1][:1] != "-"
    to_file = to_file and "://" not in options[1]
    if (not options or to_file) and os.path.isfile(photo):  # noqa: PTH113 - see _begin_early
        # The simplest command line needs no parser, which is slow to import.
        from photochrom.cli.run import run
        from photochrom.cli.run_options import RunOptions

        return run([Path(photo)], RunOptions(output=Path(options[1]) if to_file else None))
    from cyclopts import CycloptsError

    try:
        code = build_app()(
            words,
            exit_on_error=False,
            print_error=True,
            error_formatter=_usage_error,
            result_action="return_value",
        )
    except CycloptsError:
        return USAGE
    if sys.stdout is not None:  # it is closed
        sys.stdout.flush()  # here, where a failure is still reported
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command; a PhotochromError gives one line and exit code 1, a usage error 2."""
    # A lone hyphen would be parsed as an option.
    words = [str(PIPE) if word == "-" else word for word in sys.argv[1:]] or ["--help"]
    if words[0] in DEFAULTS and words[1:2] and words[1].startswith("--") and words[1] != "--help":
        words.insert(1, DEFAULTS[words[0]])
    _begin_early(words)
    if sys.stdout is not None:
        with suppress(OSError, ValueError):  # the parent may have left it non-blocking
            os.set_blocking(sys.stdout.fileno(), True)
    try:
        sys.exit(_run_words(words))
    except PhotochromError as error:
        say(f"photochrom: {error}")
        sys.exit(FAILED)
    except KeyboardInterrupt as stop:
        say("photochrom: stopped. The files that were written are complete.")
        # The shells' convention: 128 plus the signal number.
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
