"""The study's page in a real Chromium, against a real service."""

import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests.conftest import drawn_picture
from tests.service import browsing

from photochrom.service.server import listen, url_of
from photochrom.workbench.commands.perception_command import results
from photochrom.workbench.perception.study_app import create_app
from photochrom.workbench.perception.study_files import Study, read_study
from photochrom.workbench.perception.study_preparation import prepare
from photochrom.workbench.perception.study_state import Showing
from photochrom.workbench.perception.trial_order import trials_of
from photochrom.workbench.perception.votes import Choice, Vote, Votes, default_url

FAST = Showing(seconds=0.05, gap_seconds=0.02)
WATCH = """
window.seen = [];
window.whole = [];
new MutationObserver((changes) => changes.forEach(({ target, oldValue }) => {
    const [was, is] = [/is-seen/.test(oldValue), target.classList.contains('is-seen')];
    if (is && !was) {
        target.since = performance.now();
        window.whole.push(target.complete && target.naturalWidth === 256);
    }
    if (was && !is) window.seen.push(performance.now() - target.since);
})).observe(document, { attributes: true, attributeFilter: ['class'], attributeOldValue: true,
    subtree: true });
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a study of four pairs: one to practise, two that are judged, one check."""
    data = tmp_path_factory.mktemp("data")
    for seed in range(4):
        Image.fromarray(drawn_picture(seed, 256, 300)).save(data / f"{seed}.png")
    options: dict[str, Any] = {"pictures": 2, "practice": 1, "checks": 1}
    target = tmp_path_factory.mktemp("studies") / "study"
    prepare(data, target, methods=["gray"], **options)
    return target


@pytest.fixture
def study(folder: Path) -> Iterator[Study]:
    """Give the study, without votes."""
    yield read_study(folder)
    for file in folder.glob("votes.db*"):
        file.unlink()


@contextmanager
def served(study: Study, showing: Showing, **who: Any) -> Iterator[str]:
    """Run a real server in a thread; give its address."""
    listener = listen("127.0.0.1", 0)
    app = create_app(study, default_url(study.folder), showing, **who)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="critical"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield url_of("127.0.0.1", listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def open_study(browser: Browser, study: Study) -> Iterator[Callable[..., Page]]:
    """Open the page; afterwards nothing came from elsewhere and no script has failed."""
    with ExitStack() as running:
        loaded, failures, own = [], [], ["blob:"]

        def opened(showing: Showing = FAST, **options: Any) -> Page:
            own.append(running.enter_context(served(study, showing)))
            context = browser.new_context(**{**browsing.DESKTOP, **options})
            running.callback(context.close)
            context.set_default_timeout(20_000)
            page = context.new_page()
            page.add_init_script(WATCH)
            page.on("pageerror", lambda error: failures.append(str(error)))
            page.on("request", lambda request: loaded.append(request.url))
            page.goto(own[-1])
            browsing.ready(page)
            return page

        yield opened
    assert [url for url in loaded if not url.startswith(tuple(own))] == []
    assert failures == []


def kept(study: Study) -> list[Vote]:
    with Votes(default_url(study.folder), study.id) as votes:
        return votes.all()


def asked(page: Page) -> None:
    page.wait_for_selector("#question:not(.is-hushed)")


def answer(page: Page, key: str) -> None:
    """Press a key once the question is there, and wait until it has been taken."""
    asked(page)
    page.keyboard.press(key)
    page.wait_for_selector("#question:not(.is-hushed)", state="hidden")


def practise(page: Page) -> str:
    """Begin and do the practice, by the keyboard alone; give what the page says of the answer."""
    page.keyboard.press("Enter")
    answer(page, "1")
    expect(page.locator("#next")).to_be_focused()
    verdict = page.locator("#verdict").inner_text()
    page.keyboard.press("Enter")
    return verdict


def test_a_participant_completes_a_study_by_the_keyboard_and_the_results_show_it(
    open_study, study, capsys
):
    page = open_study()
    verdict = practise(page)
    for key in ("2", "1", "2"):
        answer(page, key)
    expect(page.locator("#thanks")).to_be_focused()
    votes = kept(study)
    assert [vote.chosen for vote in votes] == [1, 2, 1, 2]
    shown = trials_of(study, votes[0].participant)
    assert [(v.part, v.key, v.real) for v in votes] == [(t.part, t.key, t.real) for t in shown]
    right, real = shown[0].real == 1, ("first", "second")[shown[0].real - 1]
    assert verdict == f"{'Right' if right else 'No'}: the {real} was real."
    results(study.folder)
    table = capsys.readouterr().out
    fooled = sum(v.fooled for v in votes if v.part == "pair")
    assert re.search(rf"gray .* {50 * fooled}\.0 % .* 2 .* 1 ", table)
    assert "1 participants; 0 excluded for failed checks, 0 unfinished." in table


def test_the_time_that_is_kept_is_the_time_that_was_seen(open_study, study):
    page = open_study(Showing(seconds=0.2, gap_seconds=0.02))
    practise(page)
    (vote,) = kept(study)
    assert vote.wished_ms == 200
    assert (vote.first_ms, vote.second_ms) == pytest.approx(page.evaluate("seen")[:2], abs=50)
    assert min(vote.first_ms, vote.second_ms) >= 183  # a frame less at most


def test_a_slow_network_delays_a_pair_but_shows_it_whole_and_as_long(open_study, study):
    page, late = open_study(), []

    def delay(route: Any) -> None:
        page.wait_for_timeout(300)
        late.append(page.evaluate("seen.length"))
        route.continue_()

    page.route("**/pictures/2", delay, times=1)
    practise(page)
    (vote,) = kept(study)
    assert late == [0] and page.evaluate("whole")[:2] == [True, True]
    assert min(vote.first_ms, vote.second_ms) >= 33


def test_a_reload_goes_on_where_it_was_and_a_vote_whose_answer_was_lost_counts_once(
    open_study, study
):
    page = open_study()
    practise(page)
    lost = []

    def lose(route: Any) -> None:
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/trials/2/vote", lose, times=1)
    answer(page, "1")
    expect(page.locator("#why")).to_contain_text("does not answer")
    expect(page.locator("#again")).to_be_focused()
    page.keyboard.press("Enter")
    asked(page)
    assert lost == [201] and len(kept(study)) == 2
    page.reload()
    browsing.ready(page)
    page.keyboard.press("Enter")
    asked(page)
    expect(page.locator("#place")).to_have_text("Pair 2 of 3")
    for key in "11":
        answer(page, key)
    expect(page.locator("#thanks")).to_be_visible()
    assert len({vote.participant for vote in kept(study)}) == 1 and len(kept(study)) == 4


def test_who_wants_less_motion_starts_each_pair(open_study):
    page = open_study(reduced_motion="reduce")
    page.keyboard.press("Enter")
    expect(page.locator("#show")).to_be_focused()
    page.wait_for_timeout(200)
    assert page.evaluate("seen") == []
    page.keyboard.press("Enter")
    asked(page)
    assert len(page.evaluate("seen")) == 2


@pytest.mark.parametrize("device", [browsing.DESKTOP, browsing.PHONE], ids=["desktop", "phone"])
def test_every_screen_is_gray_fits_and_satisfies_axe(open_study, device):
    page = open_study(Showing(seconds=1.0, gap_seconds=0.1), **device)

    def check(state: str) -> None:
        if state in ("intro", "question"):  # the others are made of the same parts
            browsing.check_with_axe(page, state)
        width, height = device["viewport"].values()
        fits = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        assert page.evaluate(fits) == [width, height]
        shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), int)
        assert (shot[:8] == 0x76).all() and np.ptp(shot, axis=2).max() == 0, state
        for button in page.locator("button:visible").all():
            assert button.bounding_box()["height"] >= 44

    check("intro")
    page.click("#begin")
    page.wait_for_selector("#picture-1.is-seen")
    seen = page.locator("#picture-1").bounding_box()
    assert (seen["width"], seen["height"]) == (256, 256)
    asked(page)
    check("question")
    page.click(".answer >> nth=1")
    page.wait_for_selector("#verdict:visible")
    check("feedback")
    page.click("#next")
    page.wait_for_selector("#picture-2.is-seen")
    assert page.locator("#picture-2").bounding_box() == seen
    for _ in range(3):
        asked(page)
        page.click(".answer >> nth=0")
        page.wait_for_selector("#question:not(.is-hushed)", state="hidden")
    page.wait_for_selector("#thanks:visible")
    check("end")


@pytest.mark.parametrize("device", [browsing.DESKTOP, browsing.PHONE], ids=["desktop", "phone"])
def test_a_participant_with_an_invitation_chooses_between_two_colourings(browser, tmp_path, device):
    for seed in range(4):
        Image.fromarray(drawn_picture(seed, 150, 200)).save(tmp_path / f"{seed}.png")
    target = tmp_path / "study"
    options: dict[str, Any] = {"task": "prefer", "pictures": 2, "practice": 1, "checks": 1}
    prepare(tmp_path, target, methods=["gray"], truth=True, **options)
    study = read_study(target)
    with served(study, FAST, invitation="Würfel & Co") as url, ExitStack() as running:
        context = browser.new_context(**device)
        running.callback(context.close)
        context.set_default_timeout(20_000)
        page, failures = context.new_page(), []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{url}#invitation=W%C3%BCrfel%20%26%20Co")
        browsing.ready(page)
        page.keyboard.press("Enter")
        for number, key in enumerate(("1", "ArrowRight", "2", "ArrowLeft")):
            page.wait_for_selector(".beside.is-seen")
            page.wait_for_selector(".choice:enabled")
            boxes = [page.locator(f"#picture-{n}").bounding_box() for n in (1, 2)]
            assert boxes[0]["width"] == boxes[1]["width"] and boxes[0]["width"] > 100
            assert boxes[0]["height"] == boxes[1]["height"]
            if number == 0:
                browsing.check_with_axe(page, "prefer")
                width, height = device["viewport"].values()
                root = "document.documentElement"
                sizes = page.evaluate(f"[{root}.scrollWidth, {root}.scrollHeight]")
                assert sizes == [width, height]
            page.keyboard.press(key)
            page.wait_for_selector(".beside.is-seen", state="hidden")
        expect(page.locator("#thanks")).to_be_focused()
        assert failures == []
    with Votes(default_url(target), study.id, Choice) as votes:
        kept_choices = votes.all()
    assert [choice.chosen for choice in kept_choices] == [1, 2, 2, 1]
    assert all(choice.answer_ms >= 300 for choice in kept_choices)
