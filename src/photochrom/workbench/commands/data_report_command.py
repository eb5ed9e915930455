"""`photochrom data study` and `photochrom data crawl`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from photochrom.errors import InvalidValueError


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


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
    """Study a set of pictures: reduced by PCA, in few colours, in groups that look alike.

    Parameters
    ----------
    data : Path
        A Parquet file, or a folder of Parquet files or of pictures.
    report : Path
        The HTML page; everything in it is embedded.
    pictures : int
        How many are drawn and looked at.
    groups : int
        Groups of similar pictures.
    group : int
        With --keys: which group, from 1, the largest.
    keys : Path
        Also write the keys of all pictures of DATA that belong to that group, one a line.
    all_scores : bool
        Let the keys follow all scores of the PCA, not the first of each channel alone.
    seed : int
        Of all that is drawn.
    """
    if (group is None) != (keys is None):
        raise InvalidValueError("--group N and --keys FILE belong together; only one was given.")
    from photochrom.photo.atomic import atomic_target
    from photochrom.workbench.datasets.data_report import check_group, keys_of_group
    from photochrom.workbench.datasets.data_report import study as measure
    from photochrom.workbench.datasets.data_report_page import to_html

    if group is not None:
        check_group(group, groups)
    found = measure(data, pictures=pictures, groups=groups, seed=seed, report=_line)
    with atomic_target(report) as part:
        part.write_text(to_html(found), encoding="utf-8")
    _line(f"Wrote {report}.")
    if group is not None and keys is not None:
        chosen = (found.all_scores if all_scores else found.first_scores).preselection
        listed = keys_of_group(data, chosen, group, _line)
        with atomic_target(keys) as part:
            part.write_text("".join(f"{key}\n" for key in listed), encoding="utf-8")
        _line(f"Wrote {len(listed)} keys to {keys}.")


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
    """Fetch openly licensed pictures for a query, or those of a list of addresses, politely.

    Parameters
    ----------
    query : str
        What to search for, such as "old harbour".
    output : Path
        Folder for Parquet shards; the same command again continues there.
    source : str
        Where to search.
    urls : Path
        Instead of, or before, the query: a file with one address a line. Their licences are not
        known.
    licence : str
        Which licences are wanted, separated by commas: cc0, pdm, by, by-sa.
    limit : int
        Pictures in the folder in all, at most.
    contact : str
        How you can be reached, such as a mail address; servers read it in the user agent, and
        Wikimedia asks for it.
    per_second : float
        Requests a second to one host, at most.
    tries : int
        Attempts at one address.
    timeout : float
        Seconds for one whole answer.
    max_megabytes : float
        Of one file.
    api : str
        Another address of the source's API.
    internal : bool
        Also fetch from addresses that are not the internet's, such as this machine's network;
        without it, only those are that you write down as IP addresses.
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
        report=_line,
    )
    _line(f"{output}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
