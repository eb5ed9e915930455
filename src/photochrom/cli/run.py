"""Run `photochrom FILE` once its arguments are parsed.

The command-line parser is not imported here, so that a single photograph does not wait for it.
"""

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from photochrom.cli.interrupts import endings
from photochrom.cli.messages import say
from photochrom.cli.outcome_report import report
from photochrom.cli.run_options import METHOD, RunOptions
from photochrom.cli.standard_streams import PIPE, standard_input, to_standard_output
from photochrom.engine.workers import Executor, InProcess, WorkerProcesses
from photochrom.errors import (
    InvalidValueError,
    PhotochromError,
    UnreadablePhotoError,
    WorkerDiedError,
)
from photochrom.photo.film_names import is_film

_is_folder = os.path.isdir  # unlike Path.is_dir, false for a name that is too long
STORED_ENDS = (".csv", ".csv.gz", ".parquet", ".tar", ".tar.gz", ".tgz", ".zip")

if TYPE_CHECKING:
    from photochrom.cli.film import FilmOptions
    from photochrom.cli.guidance_options import GuidanceOptions
    from photochrom.cli.reading_options import ReadOptions
    from photochrom.engine.batch import Outcome, Task
    from photochrom.engine.colorize import Colorizer
    from photochrom.engine.guidance import Guidance
    from photochrom.engine.picture_types import FileOptions, LookOptions
    from photochrom.engine.sidecar import Sidecar


def run(
    sources: Sequence[Path | str],
    options: RunOptions,
    reading: "ReadOptions | None" = None,
    guidance: "GuidanceOptions | None" = None,
    film: "FilmOptions | None" = None,
) -> int:
    """Colour photographs and films, and report the outcome of each.

    Parameters
    ----------
    sources : sequence of Path or str
        Photographs, folders, archives, manifests, addresses, or `-`.
    options : RunOptions
    reading : ReadOptions, optional
        How scans are read.
    guidance : GuidanceOptions, optional
        Guidance for the photographs.
    film : FilmOptions, optional
        How films are coloured.

    Returns
    -------
    int
        The exit code.
    """
    if not sources:
        raise InvalidValueError("Name a photograph: photochrom old-photo.jpg.")
    if options.cluster is not None:
        from photochrom.cli.cluster import run_on_cluster

        return run_on_cluster(sources, options, reading, guidance, film)
    if is_stored(sources, options):
        from photochrom.cli.run_stored import run_stored

        return run_stored(sources, options, reading, guidance, film)
    paths = list(map(Path, sources))
    films = [path for path in paths if is_film(path)]
    if not films:
        _check_no_film(paths, film)
        return _run_photos(paths, options, reading, guidance)
    from photochrom.cli.film import run_films

    photos = [path for path in paths if path not in films]
    failed = _run_photos(photos, options, reading, guidance) if photos else 0
    return max(failed, run_films(films, options, film, guidance, reading))


def is_stored(sources: Sequence[Path | str], options: RunOptions) -> bool:
    """Return whether a run has addresses, archives or manifests."""
    if isinstance(options.output, str) or any(isinstance(source, str) for source in sources):
        return True
    named = (Path(source) for source in sources)
    return any(path.name.lower().endswith(STORED_ENDS) and not _is_folder(path) for path in named)


def _check_no_film(sources: list[Path], film: "FilmOptions | None") -> None:
    """Reject the options of films where there are only photographs."""
    names = {"codec": "--codec", "crf": "--crf", "start": "--from", "stop": "--to"}
    given = [name for field, name in names.items() if getattr(film, field, None) is not None]
    if given:
        raise InvalidValueError(
            f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} for films; "
            f"{sources[0]} is not one. Films are named one by one, not as a folder."
        )


def _run_photos(
    sources: list[Path],
    options: RunOptions,
    reading: "ReadOptions | None",
    guidance: "GuidanceOptions | None",
) -> int:
    from photochrom.photo.cores import cores

    piped = PIPE in sources or options.output == PIPE
    _check_words(sources, options, guidance, piped)
    many = options.watch or len(sources) > 1 or _is_folder(sources[0])
    if many and options.local_output is not None:
        _check_folder(options.local_output, sources)
    jobs = 1 if options.watch or not many else options.jobs or cores()
    if not any(map(_is_folder, sources)):
        jobs = min(jobs, len(sources) * (guidance.candidates if guidance else 1))
    recipe = read_recipe(options, guidance)
    with endings():
        executor = begin(options, recipe, jobs, many)
        try:
            if note := executor.call(weights_note, recipe):
                say(f"photochrom: {note}")
            opening = opening_of(options, reading, recipe)
            if piped:
                source = standard_input() if sources[0] == PIPE else sources[0]
                decided = guidance_of(guidance)
                return executor.call(_pipe, source, options, recipe, decided, opening)
            job = _Job(sources, options, guidance, recipe, opening, executor)
            return report(
                job.outcomes(jobs, many),
                options.json_lines,
                many or (guidance is not None and guidance.candidates > 1),
                lambda: job.count,
            )
        except (PhotochromError, BrokenPipeError):
            raise
        except Exception as error:  # from a piped photograph, or a reference
            from photochrom.engine.batch import reason_of

            raise UnreadablePhotoError(reason_of(error, sources[0])) from error
        finally:
            executor.stop()


def read_recipe(options: RunOptions, guidance: "GuidanceOptions | None") -> "Sidecar | None":
    """Read the sidecar of --recipe, which excludes other options of method and look."""
    recipe = guidance.read_recipe() if guidance else None
    if recipe is not None and (options.method, options.look) != (METHOD, RunOptions().look):
        raise InvalidValueError(
            "--recipe cannot be combined with --method, --vividness, --saturation, "
            "--working-px, --restore or --white-lightness. Leave them out."
        )
    return recipe


def opening_of(
    options: RunOptions, reading: "ReadOptions | None", recipe: "Sidecar | None"
) -> "FileOptions":
    """Return how files are read."""
    opening: FileOptions = {**options.limits, **(reading.options() if reading else {})}
    if recipe is not None and options.float_range is None:
        opening["float_range"] = recipe.float_range
    return opening


def _check_words(
    sources: list[Path], options: RunOptions, guidance: "GuidanceOptions | None", piped: bool
) -> None:
    """Reject options that exclude each other."""
    if piped and (len(sources) > 1 or options.watch):
        raise InvalidValueError("Standard input or output takes exactly one photograph.")
    beside = guidance is not None and (guidance.sidecar or guidance.candidates > 1)
    if piped and (options.resume or options.json_lines or beside):
        raise InvalidValueError(
            "Standard input and output take a single picture: leave out --resume, --json, "
            "--sidecar and --candidates."
        )
    if options.watch and not (len(sources) == 1 and _is_folder(sources[0])):
        raise InvalidValueError("--watch takes exactly one folder.")


def _check_folder(output: Path, sources: list[Path]) -> None:
    """Reject a file name as the output of several photographs."""
    if _is_folder(output):
        return
    is_file = output.exists()
    if output.suffix and not is_file:
        from photochrom.photo.find import OTHER_SUFFIXES, READ_SUFFIXES

        is_file = output.suffix.lower() in READ_SUFFIXES | OTHER_SUFFIXES
    if is_file:
        what = f"{len(sources)} photographs" if len(sources) > 1 else f"the folder {sources[0]}"
        raise InvalidValueError(
            f"-o {output}: is a single file, but {what} cannot become one. Name a folder, "
            f"for example -o {output.with_suffix('')}."
        )


def make_colorizer(
    recipe: "Sidecar | None", method: str, look: "LookOptions", device: str, threads: int
) -> "Colorizer":
    """Return the colorizer of the recipe, or of the options."""
    from photochrom.engine.colorize import Colorizer

    if recipe:
        return recipe.colorizer(device, threads)
    return Colorizer(method, **look, device=device, threads=threads)


def begin(options: RunOptions, recipe: "Sidecar | None", jobs: int, many: bool) -> Executor:
    """Start worker processes for many photographs; one is coloured in this process."""
    threads, device = 1 if jobs > 1 else 0, options.device
    make = partial(make_colorizer, recipe, options.method, options.look, device, threads)
    if many:
        return begin_many(make, jobs, device, options.timeout)
    return begin_one(make, recipe, options.method, device, threads)


def begin_many(make: "partial[Colorizer]", jobs: int, device: str, timeout: float) -> Executor:
    """Start the worker processes."""
    from photochrom.engine.memory import most_memory

    # Idle OpenBLAS threads would spin on cores that are needed here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A GPU driver reserves address space that would count as memory of the process.
    most_bytes = most_memory() if device == "cpu" else None
    workers = WorkerProcesses(make, jobs, seconds=timeout or None, most_bytes=most_bytes)
    workers.start()
    return workers


def begin_one(
    make: "partial[Colorizer]", recipe: "Sidecar | None", method: str, device: str, threads: int
) -> Executor:
    """Create the colorizer in this process: one photograph does not wait for a worker to start."""
    from photochrom.colorization.catalogue import begin_loading

    if recipe is None:
        begin_loading(method, device, threads)
    # Imported while the network loads.
    from photochrom.photo.temporary_folders import remove_left_behind

    remove_left_behind()
    return InProcess(make())


def weights_note(colorizer: "Colorizer", recipe: "Sidecar | None") -> str | None:
    """Return a note if a recipe was made with other weights; a job of an executor."""
    return recipe.note(colorizer) if recipe else None


def _is_own(colorizer: "Colorizer", path: Path) -> bool:
    from photochrom.engine.output_names import is_own

    return is_own(path)


def _fit(
    colorizer: "Colorizer", recipe: "Sidecar", source: Path, opening: "FileOptions"
) -> "Guidance":
    return recipe.fit(source, **opening)


def _pipe(
    colorizer: "Colorizer",
    source: Path | BinaryIO,
    options: RunOptions,
    recipe: "Sidecar | None",
    guidance: "Guidance",
    opening: "FileOptions",
) -> int:
    """Colour from standard input, or to standard output."""
    to_stdout = options.output is None or options.output == PIPE
    if to_stdout and sys.stdout is not None and sys.stdout.isatty():
        raise InvalidValueError("Cannot write a picture to a terminal. Name a file with -o.")
    picture = source if isinstance(source, Path) or not recipe else source.read()
    if recipe:  # the size is needed first
        guidance = recipe.fit(picture, **opening)
    coloured = colorizer.colorize_file(
        picture,
        None if to_stdout else options.local_output,
        format=options.target_format,
        quality=options.quality,
        guidance=guidance,
        **opening,
    )
    if coloured.content is not None:
        to_standard_output(coloured.content)
    for note in coloured.notes:
        say(note)
    return 0


def guidance_of(guidance_options: "GuidanceOptions | None") -> "Guidance":
    """Return the guidance that the options describe."""
    from photochrom.engine.guidance import Guidance

    return Guidance() if guidance_options is None else guidance_options.guidance()


@dataclass
class _Job:
    """The photographs to colour: all planned at once, or as they appear in a watched folder."""

    sources: list[Path]
    options: RunOptions
    given: "GuidanceOptions | None"
    recipe: "Sidecar | None"
    opening: "FileOptions"
    executor: Executor
    count: int | None = None

    def outcomes(self, jobs: int, many: bool) -> "Generator[Outcome]":
        """Yield the outcome of each photograph."""
        from photochrom.engine import batch, batch_plan

        self._guidance = guidance_of(self.given)
        self._sidecar = self.given is not None and self.given.sidecar
        self._names = batch_plan.Names(self._sidecar, self._is_own)
        tasks = self._watched() if self.options.watch else iter(self._planned(many))
        return batch.colorize_many(
            self.executor,
            tasks,
            jobs=jobs,
            resume=self.options.resume or self.options.watch,
            prompt=self.options.watch,
            sidecar=self._sidecar,
            format=self.options.target_format,
            quality=self.options.quality,
            options=self.opening,
        )

    def _planned(self, many: bool) -> "list[Task]":
        """Return the tasks: what is coloured, and where the results go."""
        from photochrom.engine import batch

        output = self.options.local_output
        is_one = not many and output is not None and not _is_folder(output)
        if is_one and output and (output.suffix or output.exists()):
            tasks = self._fitted([batch.Task(self.sources[0], output, self._guidance)])
        else:
            tasks = self._plan(self.sources, output)
        self.count = len(tasks)
        return tasks

    def _plan(self, sources: list[Path], output: Path | None) -> "list[Task]":
        from photochrom.engine import batch_plan

        found = batch_plan.plan(
            sources,
            output=output,
            recursive=self.options.recursive,
            format=self.options.target_format,
            guidance=self._guidance,
            is_own=self._is_own,
        )
        return self._names.apart(self._fitted(found))

    def _watched(self) -> "Iterator[Task]":
        from photochrom.engine.watch import watch

        (folder,) = self.sources
        say(f"Watching {folder}; press Ctrl-C to stop.")

        def plan_one(photo: Path) -> "list[Task]":
            below = (
                self.options.local_output / photo.parent.relative_to(folder)
                if self.options.local_output
                else None
            )
            return [] if self._is_own(photo) else self._plan([photo], below)

        return watch(folder, plan_one, recursive=self.options.recursive)

    def _fitted(self, tasks: "list[Task]") -> "list[Task]":
        return self.given.tasks(tasks, self.recipe, self._fit) if self.given else tasks

    def _fit(self, source: Path) -> "Guidance":
        assert self.recipe is not None
        return self.executor.call(_fit, self.recipe, source, self.opening)

    def _is_own(self, path: Path) -> bool:
        with suppress(WorkerDiedError):  # caused by this file: colouring it gives the error
            return self.executor.call(_is_own, path)
        return False
