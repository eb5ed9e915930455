"""Search for openly licensed pictures: Openverse and Wikimedia Commons.

Sources: the Openverse API, version 1 (api.openverse.org/v1: `images/`, pages of at most 20
without an account, about 20 pages deep), and the MediaWiki action API of Wikimedia Commons
(`generator=search` with `prop=imageinfo` and its `extmetadata`; `maxlag`, as its etiquette asks).

A search goes page by page; a page's cursor is plain data, so that a search can be continued.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urlencode

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.http_fetch import FetchClient, NotFetchedError

LICENCES = ("cc0", "pdm", "by", "by-sa")  # open ones: any use, changes allowed
LIST = "list"  # the source of an address that the user gave
OPENVERSE = "https://api.openverse.org/v1/"
COMMONS = "https://commons.wikimedia.org/w/api.php"
OPENVERSE_PAGE = 20  # more needs an account
COMMONS_PAGE = 50
COMMONS_WIDTH_PX = 1280  # one of the widths that Wikimedia keeps ready; originals can be huge
MAXLAG_S = 5

Table = dict[str, Any]  # of JSON, as the API documents it
Cursor = Table


@dataclass(frozen=True)
class Candidate:
    """A picture to download, and its metadata from the source.

    url, source, label : where it is; who named it; what was searched for
    licence : one of LICENCES, another name where it is none of them, or '' where unknown
    licence_url, author, landing_page : '' where unknown
    """

    url: str
    source: str
    label: str = ""
    licence: str = ""
    licence_url: str = ""
    author: str = ""
    landing_page: str = ""


class Page(NamedTuple):
    """Some candidates, and the cursor of the next page, or None after the last."""

    candidates: list[Candidate]
    following: Cursor | None


class Search(NamedTuple):
    """A query to one source; `address` is that of its API."""

    source: str
    query: str
    licences: tuple[str, ...]
    address: str

    def page(self, client: FetchClient, cursor: Cursor) -> Page:
        """Ask for a page; the first one's cursor is {}.

        Raise DataError if the API does not answer, or not as documented.
        """
        ask, read = _SOURCES[self.source].ask, _SOURCES[self.source].read
        url = f"{self.address}{ask(self, cursor)}"
        try:
            answer = json.loads(client.get(url, kinds=("application/json",), obey_robots=False))
            return read(self, cursor, answer)
        except NotFetchedError as failure:
            if cursor and failure.outcome in PAST_THE_END:
                return Page([], None)
            raise DataError(
                f"{self.source} returned no list of pictures ({failure}). What was fetched is "
                "kept; run the same command again later."
            ) from failure
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"{url}: not an answer as documented ({error!r}).") from error


# Openverse refuses pages beyond its greatest depth.
PAST_THE_END = frozenset({"HTTP 400", "HTTP 401", "HTTP 403", "HTTP 404"})


def make_search(
    source: str, query: str, licences: tuple[str, ...] = LICENCES, address: str | None = None
) -> Search:
    """Make a search.

    Raise InvalidValueError if the source or a licence is unknown, or the query is empty.

    Parameters
    ----------
    source : str
        'openverse' or 'commons'.
    licences : tuple of str
        Some of LICENCES.
    address : str, optional
        Of the API; the public one by default.
    """
    if source not in _SOURCES:
        raise InvalidValueError(f"a source is one of {', '.join(_SOURCES)}; got {source!r}.")
    if not query.strip():
        raise InvalidValueError("a query needs at least one word; got none.")
    strange = sorted(set(licences) - set(LICENCES))
    if strange or not licences:
        raise InvalidValueError(
            f"licences are some of {', '.join(LICENCES)}; got {', '.join(licences) or 'none'}."
        )
    return Search(source, query.strip(), licences, address or _SOURCES[source].address)


def _ask_openverse(search: Search, cursor: Cursor) -> str:
    words = {
        "q": search.query,
        "license": ",".join(search.licences),
        "page_size": OPENVERSE_PAGE,
        "page": cursor.get("page", 1),
    }
    return f"images/?{urlencode(words)}"


def _read_openverse(search: Search, cursor: Cursor, answer: Table) -> Page:
    found = [
        Candidate(
            url=result["url"],
            source=search.source,
            label=search.query,
            licence=result["license"].lower(),
            licence_url=result.get("license_url") or "",
            author=result.get("creator") or "",
            landing_page=result.get("foreign_landing_url") or "",
        )
        for result in answer["results"]
        if result.get("url")
    ]
    page = cursor.get("page", 1)
    more = found and page < answer["page_count"]
    return Page(found, {"page": page + 1} if more else None)


def _ask_commons(search: Search, cursor: Cursor) -> str:
    words = {
        "action": "query",
        "format": "json",
        "formatversion": 2,
        "maxlag": MAXLAG_S,
        "generator": "search",
        "gsrsearch": f"{search.query} filetype:bitmap",
        "gsrnamespace": 6,  # files
        "gsrlimit": COMMONS_PAGE,
        "prop": "imageinfo",
        "iiprop": "url|extmetadata",
        "iiurlwidth": COMMONS_WIDTH_PX,
        "iiextmetadatafilter": "License|LicenseShortName|LicenseUrl|Artist",
    }
    return f"?{urlencode(words | cursor)}"


def _read_commons(search: Search, cursor: Cursor, answer: Table) -> Page:
    if "error" in answer:
        raise NotFetchedError(answer["error"]["code"], answer["error"].get("info", ""))
    pages = answer.get("query", {}).get("pages", [])
    found = [
        _commons_candidate(search, page["imageinfo"][0])
        for page in sorted(pages, key=lambda page: page.get("index", 0))
        if page.get("imageinfo")  # where it is missing it comes with the next page
    ]
    return Page(found, answer.get("continue"))


def _commons_candidate(search: Search, info: Table) -> Candidate:
    said = {key: str(entry.get("value", "")) for key, entry in info.get("extmetadata", {}).items()}
    return Candidate(
        url=info.get("thumburl") or info["url"],
        source=search.source,
        label=search.query,
        licence=commons_licence(said.get("License", ""), said.get("LicenseShortName", "")),
        licence_url=said.get("LicenseUrl", ""),
        author=plain_text(said.get("Artist", "")),
        landing_page=info.get("descriptionurl", ""),
    )


def commons_licence(code: str, short_name: str) -> str:
    """Return one of LICENCES for what Commons says, or its own words where it is none of them.

    Its code is such as 'cc-by-sa-4.0', 'cc0', 'pd', often ''; its short name 'CC BY-SA 4.0',
    'Public domain'.
    """
    for said in (code, short_name):
        words = said.strip().lower().replace(" ", "-")
        if re.match(r"(cc-)?cc-?0\b|cc-zero", words):
            return "cc0"
        if found := re.fullmatch(r"cc-(by|by-sa)(-\d.*)?", words):
            return found[1]
        if re.match(r"(cc-)?pd\b|(cc-)?pdm\b|public-domain", words):
            return "pdm"
    return (short_name or code).strip().lower()


class _Text(HTMLParser):
    """Collects the text of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def plain_text(markup: str) -> str:
    """Return the text of a piece of HTML, its white space collapsed."""
    parser = _Text()
    parser.feed(markup)
    parser.close()
    return " ".join("".join(parser.parts).split())


class _Source(NamedTuple):
    address: str
    ask: Callable[[Search, Cursor], str]
    read: Callable[[Search, Cursor, Table], Page]


_SOURCES = {
    "openverse": _Source(OPENVERSE, _ask_openverse, _read_openverse),
    "commons": _Source(COMMONS, _ask_commons, _read_commons),
}


def read_urls(text: str) -> list[Candidate]:
    """Return the candidates of a list of addresses, one a line; # begins a comment line."""
    lines = (line.strip() for line in text.splitlines())
    return [Candidate(line, LIST) for line in lines if line and not line.startswith("#")]
