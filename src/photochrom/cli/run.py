"""What `photochrom FILE` does, once its words have been read.

Nothing of the command's library is imported here, so that one photograph need not wait for it.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photochrom.cli.pipe import PIPE
from photochrom.errors import InvalidValueError, UnwritablePhotoError

if TYPE_CHECKING:
    from photochrom.cli.reading import ReadOptions
    from photochrom.cli.wishes import WishOptions
    from photochrom.engine.batch import Outcome, Task
    from photochrom.engine.colorize import Colorizer
    from photochrom.engine.wishes import Wishes

METHOD = "photochrom"


def run(
    sources: list[Path],
    *,
    output: Path | None = None,
    recursive: bool = False,
    resume: bool = False,
    watch: bool = False,
    method: str = METHOD,
    vividness: float | None = None,
    saturation: float = 1.0,
    working_px: int | None = None,
    restore: bool = False,
    format: str | None = None,
    quality: int | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    max_megapixels: float = 1000.0,
    float_range: tuple[float, float] | None = None,
    json_lines: bool = False,
    read: "ReadOptions | None" = None,
    wished: "WishOptions | None" = None,
) -> int:
    """Colour photographs and say what became of them; see `cli.colorize` for the options.

    Returns
    -------
    int
        The exit code.
    """
    from photochrom.methods.catalogue import begin_loading
    from photochrom.methods.network import cores

    if not sources:
        raise InvalidValueError("Name a photograph: photochrom old-photo.jpg.")
    piped = PIPE in sources or output == PIPE
    if piped and (len(sources) > 1 or watch):
        raise InvalidValueError("Standard input or output takes exactly one photograph.")
    if piped and (resume or json_lines or (wished and (wished.sidecar or wished.candidates > 1))):
        raise InvalidValueError(
            "Standard input or output gives one picture and nothing beside it: leave out "
            "--resume, --json, --sidecar and --candidates."
        )
    many = watch or len(sources) > 1 or sources[0].is_dir()
    jobs = jobs or (cores() if many else 1)
    threads = 1 if jobs > 1 else 0
    recipe = wished.read_recipe() if wished else None
    if recipe is None:
        begin_loading(method, device, threads)
    elif (method, vividness, saturation, working_px, restore) != (METHOD, None, 1.0, None, False):
        raise InvalidValueError(
            "--recipe decides everything: leave out --method, --vividness, --saturation, "
            "--working-px and --restore."
        )
    # Imported while the network opens.
    from photochrom.engine import batch
    from photochrom.engine.colorize import Colorizer

    colorizer = (
        recipe.colorizer(device=device, threads=threads)
        if recipe
        else Colorizer(
            method,
            vividness=vividness,
            saturation=saturation,
            short_side_px=working_px,
            restore=restore,
            device=device,
            threads=threads,
        )
    )
    note = recipe.note(colorizer) if recipe else None
    if note:
        print(f"photochrom: {note}", file=sys.stderr)
    if recipe and float_range is None:
        float_range = recipe.float_range
    options: dict[str, Any] = {"max_megapixels": max_megapixels, "float_range": float_range}
    opening = dict(options)
    if read is not None:
        options |= read.options()
        opening |= {name: options[name] for name in ("reading",) if name in options}
    if piped:
        source: Any = sys.stdin.buffer if sources[0] == PIPE else sources[0]
        wishes = _wishes(wished)
        if recipe:
            source = source.read() if sources[0] == PIPE else source  # its size is needed first
            wishes = recipe.fit(source, **opening)
        options["wishes"] = wishes
        return _pipe(colorizer, source, output, format, quality, options)
    sidecar = wished is not None and wished.sidecar
    names = batch.Names(sidecar)

    def fitted(tasks: "list[Task]") -> "list[Task]":
        return wished.tasks(tasks, recipe, opening) if wished else tasks

    def named(tasks: "list[Task]") -> "list[Task]":
        return names.apart(fitted(tasks))

    tasks: Iterable[Task]
    if watch:
        tasks = _watched(sources, output, recursive, format, wished, named)
        count = None
    else:
        tasks = _planned(sources, output, recursive, format, many, wished, fitted, named)
        count = len(tasks)
    outcomes = batch.colorize_many(
        colorizer,
        tasks,
        jobs=1 if watch else jobs,
        resume=resume or watch,
        prompt=watch,
        sidecar=sidecar,
        format=format,
        quality=quality,
        options=options,
    )
    return _report(outcomes, json_lines, many or (count or 0) > 1, count)


def _pipe(
    colorizer: "Colorizer",
    source: Any,
    output: Path | None,
    format: str | None,
    quality: int | None,
    options: dict[str, Any],
) -> int:
    """Colour standard input, or to standard output."""
    to_stdout = output is None or output == PIPE
    if to_stdout and sys.stdout.isatty():
        raise InvalidValueError("Not writing a picture to a terminal: name a file with -o.")
    coloured = colorizer.colorize_file(
        source,
        None if to_stdout else output,
        format=format,
        quality=quality,
        **options,
    )
    if coloured.content is not None:
        try:
            sys.stdout.buffer.write(coloured.content)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            # What is left in the buffer would fail once more at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise UnwritablePhotoError(
                f"standard output: cannot be written ({error.strerror})."
            ) from error
    for note in coloured.notes:
        print(note, file=sys.stderr)
    return 0


def _wishes(wished: "WishOptions | None") -> "Wishes":
    from photochrom.engine.wishes import Wishes

    return Wishes() if wished is None else wished.wishes()


def _planned(
    sources: list[Path],
    output: Path | None,
    recursive: bool,
    format: str | None,
    many: bool,
    wished: "WishOptions | None",
    fitted: "Callable[[list[Task]], list[Task]]",
    named: "Callable[[list[Task]], list[Task]]",
) -> "list[Task]":
    """Decide what is coloured, and where it goes."""
    from photochrom.engine import batch

    wishes = _wishes(wished)
    if not many and output is not None and _names_a_file(output):
        return fitted([batch.Task(sources[0], output, wishes)])
    return named(
        batch.plan(sources, output=output, recursive=recursive, format=format, wishes=wishes)
    )


def _names_a_file(output: Path) -> bool:
    return not output.is_dir() and (output.suffix != "" or output.exists())


def _watched(
    sources: list[Path],
    output: Path | None,
    recursive: bool,
    format: str | None,
    wished: "WishOptions | None",
    named: "Callable[[list[Task]], list[Task]]",
) -> "Iterator[Task]":
    from photochrom.engine import batch
    from photochrom.engine.names import is_own

    folder = sources[0]
    if len(sources) > 1 or not folder.is_dir():
        raise InvalidValueError("--watch takes exactly one folder.")
    wishes = _wishes(wished)
    print(f"Watching {folder}; stop with Ctrl-C.", file=sys.stderr)

    def plan_one(photo: Path) -> "list[Task]":
        below = output / photo.parent.relative_to(folder) if output else None
        if is_own(photo):
            return []
        return named(batch.plan([photo], output=below, format=format, wishes=wishes))

    return batch.watch(folder, plan_one, recursive=recursive)


def _report(outcomes: "Iterator[Outcome]", json_lines: bool, many: bool, count: int | None) -> int:
    """Print what became of each photograph; give the exit code."""
    coloured = skipped = failed = 0
    with _progress(many and not json_lines, count) as say:
        for outcome in outcomes:
            coloured += outcome.status == "coloured"
            skipped += outcome.status == "skipped"
            failed += outcome.status == "failed"
            if json_lines:
                print(json.dumps(_as_json(outcome)), flush=True)
            else:
                say(outcome)
    if many and not json_lines:
        rest = f", {skipped} skipped" * bool(skipped) + f", {failed} failed" * bool(failed)
        print(f"{coloured} coloured{rest}.", file=sys.stderr)
    return 1 if failed else 0


def _as_json(outcome: "Outcome") -> dict[str, object]:
    return {
        "source": str(outcome.source),
        "target": str(outcome.target),
        "status": outcome.status,
        "notes": list(outcome.notes),
        "seconds": round(outcome.seconds, 3),
    }


class _progress:  # noqa: N801 - used as a context manager
    """Says what became of each photograph, above a bar on stderr where there are many."""

    def __init__(self, bar: bool, count: int | None) -> None:
        self.bar = bar and sys.stderr.isatty()
        self.count = count

    def __enter__(self) -> "_progress":
        if self.bar:
            from rich.console import Console
            from rich.progress import Progress

            self.progress = Progress(console=Console(stderr=True))
            self.task = self.progress.add_task("Colouring", total=self.count)
            self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.progress.stop()

    def __call__(self, outcome: "Outcome") -> None:
        if self.bar:
            self.progress.advance(self.task)
        if outcome.status == "failed":
            lines = [f"photochrom: {outcome.notes[0]}"]
        else:
            lines = [
                f"{outcome.source} -> {outcome.target}"
                if outcome.status == "coloured"
                else f"{outcome.source}: {outcome.notes[0]}"
            ]
            lines += [f"  {note}" for note in outcome.notes if outcome.status == "coloured"]
        for line in lines:
            if self.bar:
                self.progress.console.print(line, markup=False, highlight=False)
            else:
                print(line, file=sys.stderr)
