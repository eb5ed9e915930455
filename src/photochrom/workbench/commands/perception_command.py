"""`photochrom study prepare|serve|results`: real or fake, and which is preferred."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.extras import require
from photochrom.workbench.commands.named_folders import named_folders
from photochrom.workbench.commands.progress_line import ProgressLine
from photochrom.workbench.evaluation.text_files import write_text

if TYPE_CHECKING:
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
    """Make the folder of a study, once: its pictures, under names that tell nothing.

    Parameters
    ----------
    data : Path
        Photographs, in colour for a study of what is real: a Parquet file with a column `image`, or
        a folder of pictures.
    target : Path
        The study's folder; it must not exist yet.
    task : str
        What people are asked of two pictures: `real`, which is the photograph; `prefer`, which of
        two colourings they would rather keep.
    method : tuple of str
        Methods, or exported networks (.onnx); may be given several times.
    outputs : tuple of str
        NAME=DIR: pictures that another program coloured, named as the photographs are; may be given
        several times.
    truth : bool
        For `prefer`: the photographs as they came are one of the colourings.
    pictures : int
        Photographs that are judged; each participant sees each once, as one pair.
    practice : int
        Pairs before, whose answer is told where there is a right one.
    checks : int
        Attention checks: pairs of which one has the colours of a rainbow.
    size : int
        For `real`, side in pixels of the square that is cut from each photograph's middle (256);
        for `prefer`, long side to which whole photographs are reduced (1024).
    seed : int
        Of the choice and of every participant's order.
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
        The folder that `photochrom study prepare` made.
    votes : str
        Where votes are kept: a URL of SQLAlchemy, such as sqlite:///votes.db. Without it, votes.db
        in the study's folder. Other users of this machine can read a password on the command
        line; set PHOTOCHROM_VOTES instead.
    seconds : float
        Each picture is seen so long, where the question is which is real.
    gap : float
        Likewise, seconds of empty gray before, between and after.
    max_participants : int
        Who comes later is turned away.
    per_hour : float
        Participants who may begin from one address in an hour.
    invitation : str
        A word that participants must bring; it is part of the address that is printed, to be sent
        to them.
    open : bool
        Let anybody take part who reaches the address.
    host : str
        Address to bind; 0.0.0.0 for participants on other machines, with --invitation or --open.
    port : int
        The next free one is taken if it is busy.
    allow_host : tuple of str
        Another name by which the page may be asked for, behind a proxy; may be given many times.
    proxy : tuple of str
        Address or network of a proxy that is believed when it names the client; may be given many
        times.
    client_header : str
        The header in which the proxy names the client.
    browser : bool
        Open the page.
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
    """Show how often each method's picture was taken for the photograph, or preferred.

    Parameters
    ----------
    study : Path
        The folder that `photochrom study prepare` made.
    votes : str
        As for `photochrom study serve`.
    max_failed : int
        Participants who fail more checks are left out of the shares; their votes are kept.
    by_picture : bool
        Also a row for each photograph and method, where the question is which is real.
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
    tables = [_table(summary.methods, "over all photographs")]
    if by_picture:
        tables.append(_table(summary.pictures, "by photograph"))
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


def _print(tables: list[object], notes: list[str]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    for table in tables:
        console.print(table)
    for line in notes:
        console.print(line, markup=False, highlight=False)


def _ranking(found: "Preferences") -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Preferred, over all photographs", title_justify="left")
    table.add_column("method", overflow="fold")
    for name in ("strength", "95 % interval", "preferred", "95 % interval", "votes"):
        table.add_column(name, justify="right")
    table.add_column("participants", justify="right")
    for row in found.methods:
        strength = [f"{value:+.2f}" for value in row.strength]
        words = [
            row.method,
            strength[0],
            f"{strength[1]} to {strength[2]}",
            *_percent(row.preferred),
        ]
        table.add_row(*map(Text, [*words, str(row.votes), str(row.participants)]))
    return table


def _comparisons(found: "Preferences") -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Preferred to each other", title_justify="left")
    for name in ("method", "to"):
        table.add_column(name, overflow="fold")
    for name in ("share", "95 % interval", "votes"):
        table.add_column(name, justify="right")
    for row in found.comparisons:
        table.add_row(*map(Text, [row.first, row.second, *_percent(row.preferred), str(row.votes)]))
    return table


def _percent(estimate: "Estimate") -> tuple[str, str]:
    share, low, high = (f"{100 * value:.1f} %" for value in estimate)
    return share, f"{low} to {high}"


def _notes_on_preferences(found: "Preferences") -> list[str]:
    notes = [
        "Strengths are Bradley and Terry's, in log-odds against the mean; intervals of shares are "
        "Wilson's. 50 % is no preference.",
        f"{found.begun} participants; {len(found.excluded)} excluded for failed checks, "
        f"{found.unfinished} unfinished. {found.failed_checks} of {found.checks} checks failed.",
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
        words = [row.method, *([row.key] if keyed else []), *_percent(row.fooled)]
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
