"""`photochrom data study` and `photochrom data crawl`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from photochrom.errors import InvalidValueError
from photochrom.workbench.commands.progress_line import say


def study(
    data: Path,
    /,
    *,
    report: Annotated[Path, Parameter(name=["--report", "-o"])] = Path("study.html"),
    pictures: int = 400,
    groups: int = 5,
    group: int | None = None,
    keys: Path | None = None,
    all_scores: Annotated[bool, Parameter(negative=())] = False,
    seed: int = 0,
) -> None:
    """Analyse pictures and write an HTML page: PCA, palettes, groups of similar pictures.

    Parameters
    ----------
    data : Path
        A Parquet file, or a folder of Parquet files or of pictures.
    report : Path
        The HTML page to write; it needs no other files.
    pictures : int
        Number of pictures to analyse, drawn at random.
    groups : int
        Number of groups of similar pictures.
    group : int
        The group whose keys --keys writes; 1 is the largest.
    keys : Path
        Also write the keys of all pictures in DATA that belong to that group, one per line.
    all_scores : bool
        Choose the keys by all scores of the PCA, not by the first of each channel only.
    seed : int
        Seed of all random choices.
    """
    if (group is None) != (keys is None):
        raise InvalidValueError("--group N and --keys FILE belong together; only one was given.")
    from photochrom.photo.atomic import atomic_target
    from photochrom.workbench.datasets.data_report import check_group, keys_of_group
    from photochrom.workbench.datasets.data_report import study as measure
    from photochrom.workbench.datasets.data_report_page import to_html

    if group is not None:
        check_group(group, groups)
    found = measure(data, pictures=pictures, groups=groups, seed=seed, report=say)
    with atomic_target(report) as part:
        part.write_text(to_html(found), encoding="utf-8")
    say(f"Wrote {report}.")
    if group is not None and keys is not None:
        chosen = (found.all_scores if all_scores else found.first_scores).model
        listed = keys_of_group(data, chosen, group, say)
        with atomic_target(keys) as part:
            part.write_text("".join(f"{key}\n" for key in listed), encoding="utf-8")
        say(f"Wrote {len(listed)} keys to {keys}.")


def crawl(
    query: str = "",
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    source: Literal["openverse", "commons"] = "openverse",
    urls: Path | None = None,
    licence: str = "cc0,pdm,by,by-sa",
    limit: int = 100,
    contact: str = "",
    per_second: float = 1.0,
    tries: int = 4,
    timeout: float = 120.0,
    max_megabytes: float = 50.0,
    api: str | None = None,
    internal: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Download openly licensed pictures for a query, or from a list of addresses, with rate limits.

    Parameters
    ----------
    query : str
        What to search for, such as "old harbour".
    output : Path
        Folder for the Parquet shards; to continue an interrupted run, repeat the command.
    source : str
        The catalogue to search.
    urls : Path
        A file with one address per line, downloaded before the results of the query, or without a
        query. The licences of these pictures are unknown.
    licence : str
        Accepted licences, separated by commas: cc0, pdm, by, by-sa.
    limit : int
        Maximum number of pictures in the folder.
    contact : str
        How to reach you, for example an e-mail address. It is sent in the user agent; Wikimedia
        requires it.
    per_second : float
        Maximum number of requests per second to one host.
    tries : int
        Maximum number of attempts per address.
    timeout : float
        Maximum duration of one download, in seconds.
    max_megabytes : float
        Maximum size of one file.
    api : str
        Another address for the API of the source.
    internal : bool
        Also download from private addresses, such as those of the local network. Without it, a
        private address must be given as an IP address.
    """
    from photochrom.photo.given_files import read_given_text
    from photochrom.workbench.datasets.crawl import crawl as fetch
    from photochrom.workbench.datasets.http_fetch import FetchPolicy
    from photochrom.workbench.datasets.openverse import make_search, read_urls

    try:
        listed = read_urls(read_given_text(urls)) if urls else []
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValueError(f"{urls}: the list of addresses cannot be read.") from error
    wanted = tuple(word.strip() for word in licence.lower().split(","))
    policy = FetchPolicy(
        per_second=per_second,
        tries=tries,
        total_s=timeout,
        largest_bytes=int(max_megabytes * 1e6),
        contact=contact,
        internal=internal,
    )
    counts = fetch(
        output,
        search=make_search(source, query, wanted, api) if query else None,
        urls=listed,
        limit=limit,
        policy=policy,
        report=say,
    )
    say(f"{output}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
