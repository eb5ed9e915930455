"""`photochrom study prepare|serve|results`: real or fake, and which is preferred."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.extras import require
from photochrom.workbench.commands.named_folders import named_folders
from photochrom.workbench.commands.progress_line import ProgressLine
from photochrom.workbench.evaluation.text_files import write_text

if TYPE_CHECKING:
    from rich.table import Table

    from photochrom.workbench.evaluation.bootstrap import Estimate
    from photochrom.workbench.perception.preferences import Preferences
    from photochrom.workbench.perception.study_files import Study
    from photochrom.workbench.perception.study_results import Results, Row
    from photochrom.workbench.perception.votes import Choice, Vote

Count = Parameter(validator=Number(gte=0))
VotesUrl = Annotated[str | None, Parameter(env_var="PHOTOCHROM_VOTES")]  # it may hold a password


def prepare(
    *,
    data: Path,
    target: Annotated[Path, Parameter(name=["--target", "-o"])],
    task: Literal["real", "prefer"] = "real",
    method: Annotated[tuple[str, ...], Parameter(name=["--method", "-m"], negative=())] = (
        "photochrom",
        "gray",
    ),
    outputs: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    truth: Annotated[bool, Parameter(negative=())] = False,
    pictures: Annotated[int, Parameter(validator=Number(gt=0))] = 40,
    practice: Annotated[int, Count] = 4,
    checks: Annotated[int, Count] = 4,
    size: int | None = None,
    seed: int = 0,
) -> None:
    """Create the folder of a study: its pictures, under names that do not tell the method.

    Parameters
    ----------
    data : Path
        Photographs: a Parquet file with a column `image`, or a folder of pictures. The task `real`
        needs colour photographs.
    target : Path
        The study's folder; it must not exist yet.
    task : str
        The question about two pictures: `real` asks which one is the photograph; `prefer` asks
        which of two colourings people like better.
    method : tuple of str
        A method, or an exported network (.onnx); can be repeated.
    outputs : tuple of str
        NAME=FOLDER: pictures that another program coloured, named like the photographs; can be
        repeated.
    truth : bool
        For `prefer`: include the original photographs as one of the colourings.
    pictures : int
        Number of photographs to judge; each participant sees each of them once, as one pair.
    practice : int
        Number of practice pairs, after which the right answer is shown if there is one.
    checks : int
        Number of attention checks: pairs in which one picture has rainbow colours.
    size : int
        For `real`, side in pixels of the square cut from the centre of each photograph (256 by
        default); for `prefer`, long side to which photographs are reduced (1024).
    seed : int
        Seed of the choice of photographs and of the order for each participant.
    """
    from photochrom.workbench.perception.study_preparation import prepare as make

    with ProgressLine() as line:
        study = make(
            data,
            target,
            task=task,
            methods=method,
            outputs=named_folders(outputs),
            truth=truth,
            pictures=pictures,
            practice=practice,
            checks=checks,
            size_px=size,
            seed=seed,
            progress=line.count,
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
    per_hour: float = 60.0,
    invitation: Annotated[str | None, Parameter(env_var="PHOTOCHROM_INVITATION")] = None,
    open: Annotated[bool, Parameter(negative=())] = False,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8001,
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    proxy: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    client_header: str = "X-Forwarded-For",
    browser: bool = True,
) -> None:
    """Serve the page on which people compare two pictures.

    Parameters
    ----------
    study : Path
        The folder that `photochrom study prepare` created.
    votes : str
        Database for the votes, as a SQLAlchemy URL such as sqlite:///votes.db; by default votes.db
        in the study's folder. Other users of this machine can read a password on the command
        line; set PHOTOCHROM_VOTES instead.
    seconds : float
        Seconds for which each picture is shown, for the task `real`.
    gap : float
        Seconds of empty gray before, between and after the pictures, for the task `real`.
    max_participants : int
        Maximum number of participants; later ones are turned away.
    per_hour : float
        Maximum number of participants who may begin from one address per hour.
    invitation : str
        A word that participants need. It is part of the printed address; send them that address.
    open : bool
        Let anybody who reaches the address take part.
    host : str
        Address to bind; 0.0.0.0 for participants on other machines, with --invitation or --open.
    port : int
        Port to bind; if it is busy, the next free one is used.
    allow_host : tuple of str
        Another host name to answer to, behind a proxy; can be repeated.
    proxy : tuple of str
        Address or network of a trusted proxy, whose client header is used; can be repeated.
    client_header : str
        The header in which the proxy gives the client's address.
    browser : bool
        Open the page in the browser.
    """
    require("serve", "The study", "fastapi", "jinja2", "prometheus_client", "sqlalchemy", "uvicorn")
    from photochrom.workbench.perception.study_server import serve as run
    from photochrom.workbench.perception.study_state import Showing

    showing = Showing(seconds, gap, max_participants, max(1.0, per_hour), per_hour)
    run(
        study,
        votes,
        showing,
        host,
        port,
        invitation=invitation,
        is_open=open,
        allow_hosts=allow_host,
        proxies=proxy,
        client_header=client_header,
        browser=browser,
    )


def results(
    study: Path,
    /,
    *,
    votes: VotesUrl = None,
    max_failed: int = 1,
    by_picture: Annotated[bool, Parameter(negative=())] = False,
    csv: Path | None = None,
) -> None:
    """Show how often each method's picture was taken for the photograph, or was preferred.

    Parameters
    ----------
    study : Path
        The folder that `photochrom study prepare` created.
    votes : str
        As for `photochrom study serve`.
    max_failed : int
        Maximum number of failed checks. Participants with more are excluded from the results; their
        votes are kept.
    by_picture : bool
        Add a row for each photograph and method, for the task `real`.
    csv : Path
        Also write every vote.
    """
    require("serve", "The study", "sqlalchemy")
    from photochrom.workbench.perception.study_files import REAL, read_study
    from photochrom.workbench.perception.study_results import to_csv
    from photochrom.workbench.perception.votes import Choice, Vote, Votes, default_url

    read = read_study(study)
    kind = Vote if read.task == REAL else Choice
    with Votes(votes or default_url(study), read.id, kind) as kept:
        cast, participants = kept.all(), kept.participants()
    show = _show_real if read.task == REAL else _show_preferences
    excluded = show(read, cast, participants, max_failed, by_picture)
    if csv is not None:
        write_text(csv, to_csv(cast, excluded))


def _show_real(
    study: "Study", votes: "list[Vote]", participants: list[str], most_failed: int, by_picture: bool
) -> frozenset[str]:
    from photochrom.workbench.perception.study_results import summarise

    summary = summarise(votes, participants, study.trials, most_failed)
    tables = [_fooled(summary.methods, "over all photographs")]
    if by_picture:
        tables.append(_fooled(summary.pictures, "by photograph"))
    _print(tables, _notes(summary))
    return summary.excluded


def _show_preferences(
    study: "Study",
    votes: "list[Choice]",
    participants: list[str],
    most_failed: int,
    by_picture: bool,
) -> frozenset[str]:
    from photochrom.workbench.perception.preferences import summarise_choices

    found = summarise_choices(votes, participants, study.methods, study.trials, most_failed)
    _print([_ranking(found), _comparisons(found)], _notes_on_preferences(found))
    return found.excluded


def _print(tables: "list[Table]", notes: list[str]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    for table in tables:
        console.print(table)
    for line in notes:
        console.print(line, markup=False, highlight=False)


def _ranking(found: "Preferences") -> "Table":
    rows = []
    for row in found.methods:
        strength, low, high = (f"{value:+.2f}" for value in row.strength)
        words = [row.method, strength, f"{low} to {high}", *_percent(row.preferred)]
        rows.append([*words, str(row.votes), str(row.participants)])
    shown = ("strength", "95 % interval", "preferred", "95 % interval", "votes", "participants")
    return _table("Preferred, over all photographs", ["method"], shown, rows)


def _comparisons(found: "Preferences") -> "Table":
    rows = [
        [row.first, row.second, *_percent(row.preferred), str(row.votes)]
        for row in found.comparisons
    ]
    shown = ("share", "95 % interval", "votes")
    return _table("Preferred to each other", ["method", "to"], shown, rows)


def _table(
    title: str, named: Sequence[str], shown: Sequence[str], rows: Sequence[Sequence[str]]
) -> "Table":
    """Draw a table: columns of names, then columns of numbers."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for name in named:
        table.add_column(name, overflow="fold")
    for name in shown:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _percent(estimate: "Estimate") -> tuple[str, str]:
    share, low, high = (f"{100 * value:.1f} %" for value in estimate)
    return share, f"{low} to {high}"


def _notes_on_preferences(found: "Preferences") -> list[str]:
    notes = [
        "Strengths are Bradley and Terry's, in log-odds against the mean; intervals of shares are "
        "Wilson's. 50 % is no preference.",
        str(found),
    ]
    if found.is_bounded:
        notes.append(
            "Some methods won or lost every comparison with the others, which bounds no strength: "
            "half a vote was added both ways to each pair."
        )
    if found.first_chosen is not None:
        share, interval = _percent(found.first_chosen)
        notes.append(f"The picture on the left was chosen in {share} of votes ({interval}).")
    return notes


def _fooled(rows: tuple["Row", ...], title: str) -> "Table":
    keyed = ["photograph"] if any(row.key for row in rows) else []
    cells = []
    for row in rows:
        named = [row.method, row.key] if keyed else [row.method]
        cells.append([*named, *_percent(row.fooled), str(row.votes), str(row.participants)])
    shown = ("share", "95 % interval", "votes", "participants")
    return _table(f"Taken for the photograph, {title}", ["method", *keyed], shown, cells)


def _notes(summary: "Results") -> list[str]:
    notes = [
        "50 % would be colours that nobody can tell from the real ones. Intervals are Wilson's.",
        str(summary),
    ]
    if summary.mistimed:
        notes.append(
            f"{summary.mistimed} votes came after a picture that was seen more than a tenth too "
            "long or too short; they are counted, and the CSV has the times."
        )
    return notes
