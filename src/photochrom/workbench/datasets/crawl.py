"""Download openly licensed pictures for a query, or from a list of addresses.

What is written: Parquet shards with the columns image, source, label (the query), key (SHA-256 of
the bytes), licence, licence_url, author, landing_page, url, width, height; crawl.sqlite, from
which a killed crawl continues; counts.json, how many addresses had which outcome.
"""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from photochrom.errors import DataError, InvalidValueError
from photochrom.photo.atomic import atomic_target
from photochrom.workbench.datasets.crawl_ledger import (
    KEPT,
    UNWANTED,
    Ledger,
    Picture,
)
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.datasets.http_fetch import FetchClient, FetchPolicy, NotFetchedError
from photochrom.workbench.datasets.openverse import LIST, Candidate, Search
from photochrom.workbench.datasets.picture_files import SMALLEST_SIDE_PX, decode
from photochrom.workbench.datasets.shards import import_parquet

KINDS = ("image/", "application/octet-stream", "binary/octet-stream")
SHARD_PICTURES, SHARD_BYTES = 256, 64_000_000
SAY_EVERY = 10  # pictures


def crawl(
    folder: Path,
    *,
    search: Search | None = None,
    urls: Sequence[Candidate] = (),
    limit: int = 100,
    policy: FetchPolicy | None = None,
    shard_pictures: int = SHARD_PICTURES,
    report: Report = lambda line: None,
) -> dict[str, int]:
    """Download pictures into a folder, or continue an earlier download.

    Returns
    -------
    dict of str to int
        Number of addresses by outcome, over all runs, such as {'kept': 95, 'robots': 3}.

    Raises
    ------
    DataError
        If the search's API does not answer, another crawl writes in the folder, or its state is
        damaged or cannot be written. What was fetched is kept.
    InvalidValueError
        If there is neither a search nor an address, or a number is below 1.
    MissingExtraError
        If httpx2, protego or pyarrow is not installed.
    """
    if search is None and not urls:
        raise InvalidValueError("a crawl needs a query or a list of addresses; got neither.")
    if limit < 1 or shard_pictures < 1:
        raise InvalidValueError(f"limit must be 1 or more; got {limit}.")
    import_parquet()
    with FetchClient(policy or FetchPolicy()) as client, Ledger(folder) as ledger:
        if search is not None:
            client.trust(search.address)
        try:
            _run(client, ledger, search, urls, limit, shard_pictures, report)
            return ledger.counts()
        except sqlite3.Error as error:
            raise DataError(f"{folder}: the crawl's state cannot be written ({error}).") from error


def _run(
    client: FetchClient,
    ledger: Ledger,
    search: Search | None,
    urls: Sequence[Candidate],
    limit: int,
    shard_pictures: int,
    report: Report,
) -> None:
    ledger.add((one, "") for one in urls)
    try:
        while ledger.kept() < limit:
            candidate = ledger.next(search)
            if candidate is not None:
                outcome = take(client, ledger, candidate)
                if outcome != KEPT:
                    report(f"{outcome}: {candidate.url}")
                elif ledger.kept() % SAY_EVERY == 0:
                    report(f"{ledger.kept()} of {limit} pictures")
                pictures, size = ledger.unwritten()
                if pictures >= shard_pictures or size >= SHARD_BYTES:
                    ledger.write_shard()
            elif search is None or not _list_more(client, ledger, search):
                break
    finally:
        ledger.write_shard()
        with atomic_target(ledger.folder / "counts.json") as part:
            part.write_text(json.dumps(ledger.counts(), indent=1) + "\n")


def _list_more(client: FetchClient, ledger: Ledger, search: Search) -> bool:
    """Request the search's next page and record its candidates; False after the last."""
    name = json.dumps(search)
    cursor = ledger.cursor(name)
    if cursor is None:
        return False
    page = search.page(client, cursor)
    wanted = set(search.licences)
    ledger.add(
        ((one, "" if one.licence in wanted else UNWANTED) for one in page.candidates),
        name,
        page.following,
    )
    return True


def take(client: FetchClient, ledger: Ledger, candidate: Candidate) -> str:
    """Download one candidate, record the outcome, and return it."""
    try:
        is_named = candidate.source == LIST
        picture = _check(client.get(candidate.url, kinds=KINDS, trusted=is_named))
    except NotFetchedError as failure:
        ledger.settle(candidate, failure.outcome, failure.detail, lasting=failure.lasting)
        return failure.outcome
    return ledger.keep(candidate, picture)


def _check(image: bytes) -> Picture:
    """Decode a picture completely, so that nothing truncated or disguised is kept."""
    pixels = decode(image)
    if pixels is None:
        raise NotFetchedError("not a picture", f"{len(image)} bytes that cannot be decoded")
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE_PX:
        raise NotFetchedError("too small", f"{width} x {height} pixels")
    return Picture(hashlib.sha256(image).hexdigest(), width, height, image)
