"""Run `photochrom SOURCE` where sources or results are at addresses, in archives or manifests."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from photochrom.cli.interrupts import endings
from photochrom.cli.messages import say
from photochrom.cli.outcome_report import report
from photochrom.cli.run import (
    begin,
    guidance_of,
    opening_of,
    read_recipe,
    weights_note,
)
from photochrom.cli.run_options import RunOptions
from photochrom.cli.standard_streams import PIPE
from photochrom.errors import InvalidValueError
from photochrom.photo.addresses import cleaned, name_of
from photochrom.photo.film_names import is_film

if TYPE_CHECKING:
    from photochrom.cli.film import FilmOptions
    from photochrom.cli.guidance_options import GuidanceOptions
    from photochrom.cli.reading_options import ReadOptions
    from photochrom.engine.batch import WriteOptions
    from photochrom.engine.sidecar import Sidecar
    from photochrom.engine.stored_run import Wishes

MOST_BYTES_PER_PIXEL = 16  # four floating-point channels
COPIES_PER_JOB = 2  # files are copied while others are coloured


def run_stored(
    sources: Sequence[Path | str],
    options: RunOptions,
    reading: "ReadOptions | None" = None,
    guidance: "GuidanceOptions | None" = None,
    film: "FilmOptions | None" = None,
) -> int:
    """Colour photographs at addresses; see `photochrom.cli.run.run`.

    Returns
    -------
    int
        The exit code.
    """
    from photochrom.engine.stored import recipe_of
    from photochrom.engine.stored_run import StoredRun, colorize_all, recorded
    from photochrom.photo.cores import cores

    check_words(sources, options, film)
    recipe, wishes, written, output = asked_for(options, reading, guidance)
    with endings(), StoredRun(list(map(str, sources)), output, wishes, report=tell) as run:
        jobs = (options.jobs or cores()) if run.many else 1
        executor = begin(options, recipe, jobs, run.many)
        try:
            if note := executor.call(weights_note, recipe):
                tell(note)
            items = run.items(
                lambda guidance: executor.call(recipe_of, guidance, written, wishes.sidecar)
            )
            outcomes = colorize_all(
                executor,
                items,
                jobs=jobs * COPIES_PER_JOB,
                resume=wishes.resume,
                sidecar=wishes.sidecar,
                options=written,
                # A larger file has more pixels than allowed.
                most_bytes=int(options.max_megapixels * 1e6 * MOST_BYTES_PER_PIXEL),
            )
            return report(
                recorded(outcomes, run.table),
                options.json_lines,
                run.many or wishes.candidates > 1,
                lambda: run.count,
            )
        finally:
            executor.stop()


def tell(line: str) -> None:
    """Say a line to the person at the terminal."""
    say(f"photochrom: {line}")


def check_words(
    sources: Sequence[Path | str], options: RunOptions, film: "FilmOptions | None"
) -> None:
    """Reject what works with local files only."""
    if PIPE in sources or options.output == PIPE:
        raise InvalidValueError(
            "Standard input and output cannot be combined with addresses, archives and manifests."
        )
    if options.watch:
        raise InvalidValueError("--watch takes exactly one folder of this machine.")
    films = [name for source in sources if is_film(Path(name_of(name := str(source))))]
    if films or (film is not None and any(vars(film).values())):
        raise InvalidValueError(
            "Films are coloured from and to files of this machine, in a run of their own. Copy "
            f"{cleaned(films[0]) if films else 'the film'} here first."
        )


class Asked(NamedTuple):
    """What is asked for: how to colour, what to write, how to read and write, and where."""

    recipe: "Sidecar | None"
    wishes: "Wishes"
    written: "WriteOptions"
    output: str | None


def asked_for(
    options: RunOptions, reading: "ReadOptions | None", guidance: "GuidanceOptions | None"
) -> Asked:
    """Return what the options ask for, for every photograph."""
    from photochrom.engine.stored_run import Wishes
    from photochrom.photo.formats import FORMATS

    recipe, format = read_recipe(options, guidance), options.target_format
    wishes = Wishes(
        guidance_of(guidance),
        1 if guidance is None else guidance.candidates,
        recipe,
        FORMATS[format].suffixes[0] if format else None,
        guidance is not None and guidance.sidecar,
        options.resume,
        options.recursive,
    )
    opening = opening_of(options, reading, recipe)
    given = {**opening, "format": format, "quality": options.quality}
    output = None if options.output is None else str(options.output)
    return Asked(recipe, wishes, cast("WriteOptions", given), output)
