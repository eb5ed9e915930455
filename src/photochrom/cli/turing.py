"""`photochrom study prepare|serve|results`: the real-or-fake study."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.cli.named import named_folders
from photochrom.errors import MissingExtraError, UnwritablePhotoError
from photochrom.extras import how_to_install

if TYPE_CHECKING:
    from photochrom.web.turing.results import Results, Row

Count = Parameter(validator=Number(gte=0))
VotesUrl = Annotated[str | None, Parameter(env_var="PHOTOCHROM_VOTES")]  # it may hold a password


def prepare(
    *,
    data: Path,
    target: Annotated[Path, Parameter(name=["--target", "-o"])],
    method: Annotated[tuple[str, ...], Parameter(name=["--method", "-m"], negative=())] = (
        "photochrom",
        "gray",
    ),
    outputs: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    pictures: Annotated[int, Parameter(validator=Number(gt=0))] = 40,
    practice: Annotated[int, Count] = 4,
    checks: Annotated[int, Count] = 4,
    size: int = 256,
    seed: int = 0,
) -> None:
    """Make the folder of a study, once: truth and coloured pictures under names that tell nothing.

    Parameters
    ----------
    data : Path
        Colour photographs: a Parquet file with a column `image`, or a folder of pictures.
    target : Path
        The study's folder; it must not exist yet.
    method : tuple of str
        Methods, or exported networks (.onnx); may be given several times.
    outputs : tuple of str
        NAME=DIR: pictures that another program coloured, named as the photographs are; may be given
        several times.
    pictures : int
        Photographs that are judged; each participant sees each once, with one of the methods.
    practice : int
        Pairs before, whose answer is told.
    checks : int
        Attention checks: pairs of which one has the colours of a rainbow.
    size : int
        Side in pixels of the square that is cut from each photograph's middle.
    seed : int
        Of the choice and of every participant's order.
    """
    from photochrom.web.turing.prepare import prepare as make

    study = make(
        data,
        target,
        methods=method,
        outputs=named_folders(outputs),
        pictures=pictures,
        practice=practice,
        checks=checks,
        size_px=size,
        seed=seed,
        progress=_count if sys.stderr.isatty() else None,
    )
    print(
        f"{target}: {len(study.scenes)} photographs, {', '.join(study.methods)}; {practice} to "
        f"practise, {checks} checks. Serve it: photochrom study serve {target}",
        file=sys.stderr,
    )


def serve(
    study: Path,
    /,
    *,
    votes: VotesUrl = None,
    seconds: float = 1.0,
    gap: float = 0.5,
    max_participants: int = 10_000,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8001,
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    browser: bool = True,
) -> None:
    """Serve the page on which people say which picture is the photograph.

    Parameters
    ----------
    study : Path
        The folder that `photochrom study prepare` made.
    votes : str
        Where votes are kept: a URL of SQLAlchemy, such as sqlite:///votes.db. Without it, votes.db
        in the study's folder. Other users of this machine can read a password on the command
        line; set PHOTOCHROM_VOTES instead.
    seconds : float
        Each picture is seen so long.
    gap : float
        Seconds of empty gray before, between and after.
    max_participants : int
        Who comes later is turned away.
    host : str
        Address to bind; 0.0.0.0 for participants on other machines, who need no key.
    port : int
        The next free one is taken if it is busy.
    allow_host : tuple of str
        Another name by which the page may be asked for, behind a proxy; may be given many times.
    browser : bool
        Open the page.
    """
    try:
        from photochrom.web.turing.app import Showing
        from photochrom.web.turing.server import serve as run
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    showing = Showing(seconds, gap, max_participants)
    run(study, votes, showing, host, port, allow_hosts=allow_host, browser=browser)


def results(
    study: Path,
    /,
    *,
    votes: VotesUrl = None,
    max_failed: int = 1,
    by_picture: Annotated[bool, Parameter(negative=())] = False,
    csv: Path | None = None,
) -> None:
    """Show how often each method's picture was taken for the photograph.

    Parameters
    ----------
    study : Path
        The folder that `photochrom study prepare` made.
    votes : str
        As for `photochrom study serve`.
    max_failed : int
        Participants who fail more checks are left out of the shares; their votes are kept.
    by_picture : bool
        Also a row for each photograph and method.
    csv : Path
        Also write every vote.
    """
    try:
        from photochrom.web.turing.results import summarise, to_csv
        from photochrom.web.turing.votes import Votes, default_url
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    from photochrom.web.turing.study import read_study

    read = read_study(study)
    with Votes(votes or default_url(study), read.id) as kept:
        cast, participants = kept.all(), kept.participants()
    summary = summarise(cast, participants, read.trials, max_failed)
    _show(summary, by_picture)
    if csv is not None:
        try:
            csv.write_text(to_csv(cast, summary.excluded), encoding="utf-8")
        except OSError as error:
            raise UnwritablePhotoError(f"{csv}: cannot be written ({error.strerror}).") from error


def _missing(error: ModuleNotFoundError) -> BaseException:
    if (error.name or "").startswith("photochrom"):
        return error
    return MissingExtraError(
        f"The study needs {error.name}, which is not installed. {how_to_install('serve')}"
    )


def _count(done: int) -> None:
    print(f"\r{done} photographs", end="", file=sys.stderr, flush=True)


def _show(summary: "Results", by_picture: bool) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(_table(summary.methods, "over all photographs"))
    if by_picture:
        console.print(_table(summary.pictures, "by photograph"))
    for line in _notes(summary):
        console.print(line, markup=False, highlight=False)


def _table(rows: tuple["Row", ...], title: str) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"Taken for the photograph, {title}", title_justify="left")
    keyed = any(row.key for row in rows)
    for name in ["method", *(["photograph"] if keyed else [])]:
        table.add_column(name, overflow="fold")
    for name in ("share", "95 % interval", "votes", "participants"):
        table.add_column(name, justify="right")
    for row in rows:
        share, low, high = (f"{100 * value:.1f} %" for value in row.fooled)
        words = [row.method, *([row.key] if keyed else []), share, f"{low} to {high}"]
        table.add_row(*map(Text, [*words, str(row.votes), str(row.participants)]))
    return table


def _notes(summary: "Results") -> list[str]:
    notes = [
        "50 % would be colours that nobody can tell from the real ones. Intervals are Wilson's.",
        f"{summary.begun} participants; {len(summary.excluded)} excluded for failed checks, "
        f"{summary.unfinished} unfinished. {summary.failed_checks} of {summary.checks} checks "
        "failed.",
    ]
    if summary.mistimed:
        notes.append(
            f"{summary.mistimed} votes came after a picture that was seen more than a tenth too "
            "long or too short; they are counted, and the CSV has the times."
        )
    return notes
