import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.conftest import drawn_picture
from tests.workbench.datasets import bad_server as bad

from photochrom.errors import DataError, InvalidValueError, MissingExtraError
from photochrom.workbench.datasets import http_fetch
from photochrom.workbench.datasets.crawl import crawl
from photochrom.workbench.datasets.crawl_ledger import Ledger
from photochrom.workbench.datasets.http_fetch import FetchClient, FetchPolicy, host_of, retry_after
from photochrom.workbench.datasets.openverse import (
    commons_licence,
    make_search,
    plain_text,
    read_urls,
)
from photochrom.workbench.datasets.public_addresses import is_global
from photochrom.workbench.datasets.sources import read_pictures

QUICK = {"per_second": 1000, "first_pause_s": 0.01, "total_s": 0.3, "tries": 3}


def png(seed):
    content = io.BytesIO()
    Image.fromarray(drawn_picture(seed)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def server():
    with bad.serving() as running:
        yield running


def fetch(server, folder, *paths, limit=100, shard_pictures=256, **policy):
    urls = read_urls("\n".join(p if "://" in p else f"{server.url}{p}" for p in paths))
    return crawl(
        folder,
        urls=urls,
        limit=limit,
        shard_pictures=shard_pictures,
        policy=FetchPolicy(**(QUICK | policy)),
    )


def rows(folder):
    return [
        row for file in sorted(folder.glob("*.parquet")) for row in pq.read_table(file).to_pylist()
    ]


def openverse_page(server, numbers, page_count):
    results = [
        {
            "url": f"{server.url}/{number}.png",
            "license": "by-nc" if number == 3 else "by",
            "license_url": "https://creativecommons.org/licenses/by/2.0/",
            "creator": "Ada",
            "foreign_landing_url": f"{server.url}/about/{number}",
            "width": 96,
            "height": 72,
        }
        for number in numbers
    ]
    return {"result_count": 4, "page_count": page_count, "page": 1, "results": results}


@pytest.fixture
def openverse(server):
    """Serve an Openverse of four pictures on two pages; the fourth has a licence not wanted."""
    server.pages["/v1/images/"] = lambda handler, query: bad.as_json(
        openverse_page(server, {"1": (0, 1), "2": (2, 3)}[query["page"]], 2)
    )
    server.pages |= {f"/{number}.png": png(number) for number in range(4)}
    return make_search("openverse", "old harbour", address=f"{server.url}/v1/")


@pytest.mark.slow
def test_a_query_becomes_shards_that_the_workbench_reads(server, openverse, tmp_path):
    counts = crawl(tmp_path, search=openverse, policy=FetchPolicy(**QUICK), shard_pictures=2)
    assert counts == {"kept": 3, "licence": 1}
    assert json.loads((tmp_path / "counts.json").read_text()) == counts
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    assert server.asked["/3.png"] == 0  # a licence that is not wanted is not even fetched
    first = rows(tmp_path)[0]
    assert first.pop("image") == png(0)
    assert first == {
        "key": hashlib.sha256(png(0)).hexdigest(),
        "width": 96,
        "height": 72,
        "url": f"{server.url}/0.png",
        "source": "openverse",
        "label": "old harbour",
        "licence": "by",
        "licence_url": "https://creativecommons.org/licenses/by/2.0/",
        "author": "Ada",
        "landing_page": f"{server.url}/about/0",
    }
    read = list(read_pictures(tmp_path))
    assert [picture.label for picture in read] == ["old harbour"] * 3


def test_the_user_agent_names_the_tool_and_how_to_reach_both_ends(server, tmp_path):
    server.pages["/a.png"] = png(0)
    fetch(server, tmp_path, "/a.png", contact="ada@example.org")
    (agent,) = server.agents
    assert agent.startswith("photochrom/")
    assert "https://" in agent and "ada@example.org" in agent


def test_commons_is_asked_page_by_page_and_its_markup_becomes_text(server, tmp_path):
    def said(number, licence, artist):
        return {
            "index": 2 - number,
            "imageinfo": [
                {
                    "url": f"{server.url}/large.png",
                    "thumburl": f"{server.url}/{number}.png",
                    "descriptionurl": f"{server.url}/File:{number}",
                    "extmetadata": {
                        "LicenseShortName": {"value": licence},
                        "LicenseUrl": {"value": "https://creativecommons.org/x"},
                        "Artist": {"value": artist},
                    },
                }
            ],
        }

    def api(handler, query):
        assert (query["generator"], query["gsrnamespace"]) == ("search", "6")
        if "gsroffset" in query:
            return bad.as_json({"query": {"pages": [said(2, "CC BY-NC 4.0", "")]}})
        pages = [
            said(0, "CC BY-SA 4.0", '<a href="/u">Ada &amp; Co</a>'),
            said(1, "Public domain", ""),
        ]
        unready = {"index": 3, "title": "File:late.png"}
        following = {"gsroffset": 50, "continue": "gsroffset||"}
        return bad.as_json({"continue": following, "query": {"pages": [*pages, unready]}})

    busy = 200, {"Content-Type": "application/json", "MediaWiki-API-Error": "maxlag"}, b"{}"
    turns = bad.in_turn(busy, None)
    server.pages["/w/api.php"] = lambda handler, query: turns(handler, query) or api(handler, query)
    server.pages |= {f"/{number}.png": png(number) for number in range(3)}
    search = make_search("commons", "old harbour", address=f"{server.url}/w/api.php")
    counts = crawl(tmp_path, search=search, policy=FetchPolicy(**QUICK))
    assert counts == {"kept": 2, "licence": 1}
    assert [(row["licence"], row["author"]) for row in rows(tmp_path)] == [
        ("pdm", ""),
        ("by-sa", "Ada & Co"),
    ]


@pytest.mark.parametrize(
    ("code", "short_name", "licence"),
    [
        ("cc-by-sa-4.0", "CC BY-SA 4.0", "by-sa"),
        ("cc-by-sa-3.0-de", "", "by-sa"),
        ("", "CC BY 2.0", "by"),
        ("cc0", "CC0", "cc0"),
        ("", "CC0 1.0", "cc0"),
        ("pd", "Public domain", "pdm"),
        ("pd-old-100", "", "pdm"),
        ("", "CC BY-NC-SA 2.0", "cc by-nc-sa 2.0"),
        ("", "CC BY-ND 2.0", "cc by-nd 2.0"),
        ("gfdl", "GFDL", "gfdl"),
        ("", "", ""),
    ],
)
def test_licences_of_commons_are_known_by_their_many_names(code, short_name, licence):
    assert commons_licence(code, short_name) == licence


def test_markup_becomes_plain_text():
    assert plain_text("<b>Ada</b>\n <i>Lovelace</i> &lt;3") == "Ada Lovelace <3"


def test_what_robots_txt_forbids_is_not_fetched_not_even_through_a_redirect(server, tmp_path):
    robots = b"User-agent: *\nDisallow: /private/\nDisallow: /*.secret$\nAllow: /private/open"
    server.pages["/robots.txt"] = 200, {"Content-Type": "text/plain"}, robots
    server.pages["/private/open.png"] = png(0)
    server.pages["/moved.png"] = 302, {"Location": "/private/a.png"}, b""
    paths = "/private/a.png", "/b.secret", "/private/open.png", "/moved.png"
    assert fetch(server, tmp_path, *paths) == {"robots": 3, "kept": 1}
    assert server.asked["/private/a.png"] == server.asked["/b.secret"] == 0
    assert server.asked["/robots.txt"] == 1


@pytest.mark.parametrize(
    ("status", "outcome"), [(404, "kept"), (403, "robots"), (503, "robots unknown")]
)
def test_a_robots_txt_that_is_missing_allows_and_one_that_fails_forbids(
    server, tmp_path, status, outcome
):
    server.pages |= {"/robots.txt": (status, {}, b""), "/a.png": png(0), "/b.png": png(0)}
    counts = fetch(server, tmp_path, "/a.png")
    assert counts == {outcome: 1}
    assert server.asked["/a.png"] == (outcome == "kept")


def test_a_longer_crawl_delay_is_kept(server):
    server.pages["/robots.txt"] = b"User-agent: *\nCrawl-delay: 7"
    server.pages |= {"/a.png": png(0), "/b.png": png(1)}
    slept = []
    with FetchClient(FetchPolicy(**QUICK), slept.append) as client:
        client.get(f"{server.url}/a.png")
        client.get(f"{server.url}/b.png")
    assert max(slept) == pytest.approx(7, abs=1)


def test_one_host_is_asked_no_more_often_than_allowed(server, tmp_path):
    server.pages |= {f"/{n}.png": png(n) for n in range(3)}
    fetch(server, tmp_path, "/0.png", "/1.png", "/2.png", per_second=20)
    gaps = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
    assert min(gaps) > 0.04


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "outcome", "asked"),
    [
        ((200, {"Content-Type": "text/html"}, b"<p>"), "wrong type", 1),
        ((200, {}, png(0)), "wrong type", 1),
        (b"not really a PNG", "not a picture", 1),
        (png(0)[:-200], "not a picture", 1),
        ((200, bad.PNG | {"Content-Length": "99999"}, png(0)), "broken off", 3),
        ((200, bad.PNG | {"Content-Length": "100000000"}, b""), "too large", 1),
        (bad.endless, "too large", 1),
        (bad.dribble, "timeout", 3),
        (bad.dribble_headers, "timeout", 3),
        ((302, {"Location": "/a.png"}, b""), "redirect loop", 1),
        ((302, {"Location": "file:///etc/hostname"}, b""), "not an address", 1),
        ((404, {}, b""), "HTTP 404", 1),
        ((500, {}, b""), "HTTP 500", 3),
        ((429, {"Retry-After": "3600"}, b""), "told to wait", 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_server_that_misbehaves_has_its_outcome(server, tmp_path, page, outcome, asked):
    server.pages["/a.png"] = page
    counts = fetch(server, tmp_path, "/a.png", largest_bytes=1_000_000)
    assert counts == {outcome: 1}
    assert server.asked["/a.png"] == asked
    assert rows(tmp_path) == []


def test_redirects_are_followed_five_times_and_no_further(server, tmp_path):
    for number in range(6):
        server.pages[f"/{number}"] = 301, {"Location": f"/{number + 1}"}, b""
    server.pages["/6"] = png(0)
    assert fetch(server, tmp_path, "/1", "/0") == {"kept": 1, "too many redirects": 1}


def test_what_fails_at_first_is_tried_again_after_a_growing_pause(server):
    fails = 500, {}, b""
    server.pages["/a.png"] = bad.in_turn(fails, fails, png(0))
    slept = []
    with FetchClient(FetchPolicy(first_pause_s=8, tries=3), slept.append) as client:
        assert client.get(f"{server.url}/a.png") == png(0)
    pauses = [seconds for seconds in slept if seconds > 2]
    assert len(pauses) == 2
    assert 3 < pauses[0] <= 12 and 7 < pauses[1] <= 24


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(server, status):
    server.pages["/a.png"] = bad.in_turn((status, {"Retry-After": "30"}, b""), png(0))
    slept = []
    with FetchClient(FetchPolicy(**QUICK), slept.append) as client:
        assert client.get(f"{server.url}/a.png") == png(0)
    assert max(slept) == pytest.approx(30, abs=1)


def test_a_host_that_asks_for_a_long_pause_is_left_alone_for_this_run(server, tmp_path):
    server.pages |= {"/a.png": (429, {"Retry-After": "3600"}, b""), "/b.png": png(0)}
    assert fetch(server, tmp_path, "/a.png", "/b.png") == {"told to wait": 2}
    assert server.asked["/b.png"] == 0
    server.pages["/a.png"] = png(1)
    assert fetch(server, tmp_path, "/a.png", "/b.png") == {"kept": 2}


def test_retry_after_is_seconds_or_a_date():
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after("12") == 12
    assert retry_after(format_datetime(later, usegmt=True)) == pytest.approx(90, abs=2)
    assert retry_after("soon") is None
    assert retry_after(None) is None


@pytest.mark.parametrize(
    "url", ["ftp://host/a.png", "file:///a.png", "a.png", "http://[::1/a", "http://host:99999/a"]
)
def test_only_http_addresses_are_fetched(tmp_path, url):
    counts = crawl(tmp_path, urls=read_urls(url), policy=FetchPolicy(**QUICK))
    assert counts == {"not an address": 1}


def test_a_host_that_cannot_be_reached_is_said_and_tried_in_another_run(server, tmp_path):
    gone = "http://127.0.0.1:1/a.png"
    assert fetch(server, tmp_path, gone, tries=1) == {"robots unknown": 1}


def test_the_same_bytes_are_kept_once(server, tmp_path):
    server.pages |= {"/a.png": png(0), "/b.png": png(0)}
    assert fetch(server, tmp_path, "/a.png", "/b.png") == {"duplicate": 1, "kept": 1}
    assert len(rows(tmp_path)) == 1


def test_tiny_pictures_are_left_out(server, tmp_path):
    content = io.BytesIO()
    Image.new("RGB", (31, 100)).save(content, "PNG")
    server.pages["/icon.png"] = content.getvalue()
    assert fetch(server, tmp_path, "/icon.png") == {"too small": 1}


def test_the_limit_counts_the_pictures_of_all_runs(server, openverse, tmp_path):
    policy = FetchPolicy(**QUICK)
    counts = crawl(tmp_path, search=openverse, limit=1, policy=policy)
    assert counts == {"kept": 1, "not yet asked for": 1}
    assert crawl(tmp_path, search=openverse, limit=3, policy=policy)["kept"] == 3
    asked = {path: server.asked[path] for path in ("/0.png", "/1.png", "/2.png")}
    assert set(asked.values()) == {1}  # nothing is fetched twice
    assert len(rows(tmp_path)) == 3


def test_another_licence_or_other_words_do_not_go_on_with_what_the_first_wanted(server, tmp_path):
    def api(handler, query):
        found = openverse_page(server, (0, 1), 1)
        found["results"][1]["license"] = "cc0"
        if query["q"] == "ships":
            del found["results"][0]
        return bad.as_json(found)

    server.pages |= {"/v1/images/": api, "/0.png": (500, {}, b""), "/1.png": png(1)}

    def licensed(words, *licences):
        search = make_search("openverse", words, licences, f"{server.url}/v1/")
        return crawl(tmp_path, search=search, policy=FetchPolicy(**QUICK))

    assert licensed("harbour", "by") == {"HTTP 500": 1, "licence": 1}
    server.pages["/0.png"] = png(0)
    assert licensed("harbour", "cc0") == {"HTTP 500": 1, "kept": 1}
    assert licensed("ships", "by") == {"HTTP 500": 1, "kept": 1}
    assert licensed("harbour", "by") == {"kept": 2}


def test_what_two_searches_find_is_fetched_for_the_one_that_still_wants_it(server, tmp_path):
    server.pages |= {
        "/v1/images/": lambda handler, query: bad.as_json(openverse_page(server, (0, 1, 2), 1)),
        **{f"/{number}.png": png(number) for number in range(3)},
    }

    def searched(words, licence, limit):
        search = make_search("openverse", words, (licence,), f"{server.url}/v1/")
        return crawl(tmp_path, search=search, limit=limit, policy=FetchPolicy(**QUICK))

    assert searched("cat", "cc0", 9) == {"licence": 3}
    assert searched("cat", "by", 1) == {"kept": 1, "not yet asked for": 2}
    assert searched("dog", "by", 9) == {"kept": 3}
    assert [row["label"] for row in rows(tmp_path)] == ["cat", "dog", "dog"]


def test_a_listed_address_is_fetched_whatever_a_search_said_of_it(server, tmp_path):
    server.pages |= {
        "/v1/images/": lambda handler, query: bad.as_json(openverse_page(server, (0,), 1)),
        "/0.png": png(0),
    }
    search = make_search("openverse", "cat", ("cc0",), f"{server.url}/v1/")
    assert crawl(tmp_path, search=search, policy=FetchPolicy(**QUICK)) == {"licence": 1}
    assert fetch(server, tmp_path, "/0.png") == {"kept": 1}


def test_a_shard_is_closed_by_its_bytes(server, tmp_path, monkeypatch):
    names = [f"/{number}.png" for number in range(4)]
    server.pages |= {name: png(number) for number, name in enumerate(names)}
    monkeypatch.setattr("photochrom.workbench.datasets.crawl.SHARD_BYTES", 2 * len(png(0)) - 99)
    assert fetch(server, tmp_path, *names) == {"kept": 4}
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    assert [row["image"] for row in rows(tmp_path)] == [png(number) for number in range(4)]


def test_one_host_is_one_however_it_is_spelled():
    spelled = ("http://host", "http://HOST:80/a", "http://me@host./b", "http://me:word@Host")
    assert {host_of(url) for url in spelled} == {"host"}
    assert host_of("https://[::1]:8080/") == "[::1]:8080"
    assert host_of("https://host:80") == "host:80"


@pytest.mark.slow
def test_a_killed_crawl_continues_and_fetches_nothing_twice(server, tmp_path):
    names = [f"/{number}.png" for number in range(6)]
    server.pages |= {name: png(number) for number, name in enumerate(names)}
    server.pages[names[3]] = bad.dribble  # there it hangs, and is killed
    list_file = tmp_path / "urls.txt"
    list_file.write_text("\n".join(f"{server.url}{name}" for name in names))
    folder = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path;"
        "from photochrom.workbench.commands.data_report_command import crawl;"
        "crawl(output=Path(sys.argv[1]), urls=Path(sys.argv[2]), per_second=1000)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(list_file)])
    deadline = time.monotonic() + 30
    while not server.asked[names[3]] and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert rows(folder) == []
    server.pages[names[3]] = png(3)
    assert fetch(server, folder, *names) == {"kept": 6}
    assert [row["image"] for row in rows(folder)] == [png(number) for number in range(6)]
    assert [server.asked[name] for name in names] == [1, 1, 1, 2, 1, 1]


def test_two_crawls_in_one_folder_are_refused(server, tmp_path):
    with Ledger(tmp_path), pytest.raises(DataError, match="another crawl"):
        fetch(server, tmp_path, "/a.png")


def test_a_damaged_state_is_named(server, tmp_path):
    (tmp_path / "crawl.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match=r"crawl\.sqlite"):
        fetch(server, tmp_path, "/a.png")


@pytest.mark.parametrize(
    "page", [(500, {}, b""), (200, {"Content-Type": "application/json"}, b'{"detail": "no"}')]
)
def test_an_api_that_fails_is_an_error_that_names_it(server, tmp_path, page):
    server.pages["/v1/images/"] = page
    search = make_search("openverse", "harbour", address=f"{server.url}/v1/")
    with pytest.raises(DataError, match="openverse|v1/images"):
        crawl(tmp_path, search=search, policy=FetchPolicy(**QUICK))


def test_a_page_beyond_what_openverse_shows_is_the_end(server, openverse, tmp_path):
    first = bad.as_json(openverse_page(server, (0, 1), 99))
    server.pages["/v1/images/"] = bad.in_turn(first, (400, {}, b"too deep"))
    assert crawl(tmp_path, search=openverse, policy=FetchPolicy(**QUICK)) == {"kept": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: make_search("flickr", "x"),
        lambda: make_search("openverse", "  "),
        lambda: make_search("openverse", "x", ("by-nc",)),
        lambda: FetchPolicy(per_second=0),
        lambda: crawl(Path("nowhere")),
        lambda: crawl(Path("nowhere"), urls=read_urls("http://h/a"), limit=0),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(wrong):
    with pytest.raises(InvalidValueError):
        wrong()


def test_a_missing_library_is_answered_with_the_line_to_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingExtraError, match=r"httpx2.*\.\[train\]"):
        FetchClient(FetchPolicy())


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((a, True) for a in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808")),
        *((a, False) for a in ("127.0.0.1", "10.1.1.1", "169.254.169.254", "100.64.0.1")),
        *((a, False) for a in ("0.0.0.0", "224.0.0.1", "::1", "::", "fd00::1", "fe80::1%eth0")),
        *((a, False) for a in ("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1")),
        ("localhost", False),
    ],
)
def test_addresses_of_the_internet_are_known_however_they_are_wrapped(address, expected):
    assert is_global(address) == expected


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0.0.0.0", "127.1"]
)
def test_a_redirect_into_our_own_network_is_not_followed(server, tmp_path, host):
    with bad.serving() as internal:
        internal.pages["/a.png"] = png(0)
        port = internal.url.rpartition(":")[2]
        server.pages["/a.png"] = 302, {"Location": f"http://{host}:{port}/a.png"}, b""
        assert fetch(server, tmp_path, "/a.png") == {"internal address": 1}
        assert sum(internal.asked.values()) == 0


def test_a_name_that_means_another_address_a_moment_later_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(http_fetch, "addresses_of", lambda host: ["8.8.8.8"])
    with bad.serving() as internal:
        internal.pages["/a.png"] = png(0)
        rebound = internal.url.replace("127.0.0.1", "localhost") + "/a.png"
        assert fetch(server, tmp_path, rebound) == {"internal address": 1}
        assert sum(internal.asked.values()) == 0


def test_a_search_cannot_send_us_into_our_own_network(server, tmp_path):
    with bad.serving() as internal:
        internal.pages["/0.png"] = png(0)
        page = openverse_page(server, (0,), 1)
        page["results"][0]["url"] = f"{internal.url}/0.png"
        server.pages["/v1/images/"] = lambda handler, query: bad.as_json(page)
        search = make_search("openverse", "harbour", address=f"{server.url}/v1/")
        counts = crawl(tmp_path, search=search, policy=FetchPolicy(**QUICK))
        assert counts == {"internal address": 1} and sum(internal.asked.values()) == 0


def test_names_of_our_own_network_are_fetched_from_where_that_is_wished(server, tmp_path):
    server.pages["/a.png"] = png(0)
    named = server.url.replace("127.0.0.1", "localhost") + "/a.png"
    assert fetch(server, tmp_path / "no", named) == {"internal address": 1}
    assert fetch(server, tmp_path / "yes", named, internal=True) == {"kept": 1}


@pytest.mark.parametrize("value", ["٣", "9" * 5000, "Wed, 99 Foo 999999999999", "²", ""])
def test_a_pause_that_is_nonsense_is_passed_over(value):
    assert retry_after(value) is None


def test_the_state_of_a_crawl_is_readable_for_its_owner_alone(server, tmp_path):
    server.pages["/a.png"] = png(0)
    fetch(server, tmp_path, "/a.png")
    assert (tmp_path / "crawl.sqlite").stat().st_mode & 0o777 == 0o600
