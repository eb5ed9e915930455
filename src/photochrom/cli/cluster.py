"""Run `photochrom SOURCE --cluster ADDRESS`: colour on the machines of a Ray cluster."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from photochrom.cli.cluster_progress import ClusterProgress
from photochrom.cli.interrupts import endings
from photochrom.cli.outcome_report import report
from photochrom.cli.run import make_colorizer, weights_note
from photochrom.cli.run_options import RunOptions
from photochrom.cli.run_stored import asked_for, check_words, tell

if TYPE_CHECKING:
    from photochrom.cli.film import FilmOptions
    from photochrom.cli.guidance_options import GuidanceOptions
    from photochrom.cli.reading_options import ReadOptions
    from photochrom.engine.guidance import Guidance
    from photochrom.engine.stored import Recipe


def run_on_cluster(
    sources: Sequence[Path | str],
    options: RunOptions,
    reading: "ReadOptions | None" = None,
    guidance: "GuidanceOptions | None" = None,
    film: "FilmOptions | None" = None,
) -> int:
    """Colour photographs on a cluster; see `photochrom.cli.run.run`.

    Returns
    -------
    int
        The exit code.
    """
    from photochrom.engine.cluster import Cluster
    from photochrom.engine.cluster_worker import Work
    from photochrom.engine.guidance import Guidance
    from photochrom.engine.stored import recipe_of
    from photochrom.engine.stored_run import StoredRun, recorded
    from photochrom.engine.workers import WorkerProcesses

    check_words(sources, options, film)
    places = [_absolute(source) for source in sources]
    options = replace(
        options,
        output=None if options.output is None else _absolute(options.output),
        method=str(_absolute(Path(options.method)))
        if Path(options.method).suffix == ".onnx"
        else options.method,
    )
    recipe, wishes, written, output = asked_for(options, reading, guidance)
    make = partial(make_colorizer, recipe, options.method, options.look)
    here = WorkerProcesses(partial(make, "cpu", 1), 1)  # says what results it would make
    with (
        endings(),
        Cluster(options.cluster or "auto", options.jobs, tell) as cluster,
        StoredRun(list(map(str, places)), output, wishes, report=tell) as run,
        here,
    ):
        cluster.workers(options.device)
        cluster.check(_needed(places, options.output))
        if note := here.call(weights_note, recipe):
            tell(note)

        def recipe_key(guidance: "Guidance") -> "Recipe":
            return here.call(recipe_of, guidance, written, wishes.sidecar)

        work = Work(
            partial(make, options.device, 1),
            recipe_key(Guidance()).key,
            written,
            wishes.sidecar,
            wishes.resume,
            options.device,
            options.timeout or None,
        )
        progress = ClusterProgress(lambda: run.count, options.json_lines)
        outcomes = cluster.colorize(run.items(recipe_key), work, progress.tick)
        told = recorded(outcomes, run.table)
        return report(told, options.json_lines, True, lambda: run.count, progress)


def _absolute(place: Path | str) -> Path | str:
    """Return a path that does not depend on the current folder; an address as it is."""
    return place if isinstance(place, str) else Path(os.path.abspath(place))  # noqa: PTH100 - links


def _needed(sources: Sequence[Path | str], output: Path | str | None) -> tuple[str, ...]:
    """Return the local folders that every node must see."""
    paths = [place for place in (*sources, output) if isinstance(place, Path)]
    folders = (path if path.is_dir() else path.parent for path in paths)
    return tuple(dict.fromkeys(str(folder) for folder in folders if folder.is_dir()))
