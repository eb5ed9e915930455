import json
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.conftest import drawn_picture
from tests.servers import refused

from photochrom.color.difference import chroma, hue
from photochrom.color.lab import rgb_to_lab
from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.perception.study_app import create_app
from photochrom.workbench.perception.study_files import DESCRIPTION, RAINBOW, read_study
from photochrom.workbench.perception.study_preparation import prepare, rainbow
from photochrom.workbench.perception.study_results import summarise, to_csv, wilson
from photochrom.workbench.perception.study_state import Showing
from photochrom.workbench.perception.trial_order import trials_of
from photochrom.workbench.perception.votes import Vote, Votes

POSTGRESQL = os.environ.get("PHOTOCHROM_TEST_POSTGRESQL", "")
ANSWER = {"real": 1, "shown_ms": [1000.1, 999.9], "answer_ms": 812.5}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(14):
        Image.fromarray(drawn_picture(seed, 60, 80)).save(folder / f"holiday-{seed}.png")
    return folder


@pytest.fixture(scope="module")
def folder(photographs, tmp_path_factory):
    target = tmp_path_factory.mktemp("studies") / "study"
    outputs = {"perfect": photographs}
    options = {"pictures": 5, "practice": 2, "checks": 2, "size_px": 48, "seed": 3}
    prepare(photographs, target, methods=["gray", "photochrom"], outputs=outputs, **options)
    return target


@pytest.fixture(scope="module")
def study(folder):
    return read_study(folder)


@pytest.fixture
def votes_url(tmp_path):
    return f"sqlite:///{tmp_path / 'votes.db'}"


@pytest.fixture
def client(study, votes_url):
    with TestClient(create_app(study, votes_url), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def participant(client):
    return client.post("/v1/participants").json()["participant"]


def pixels(study, name):
    return np.asarray(Image.open(study.folder / name))


# Newcombe 1998, table I, method 3.
@pytest.mark.parametrize(
    "successes, trials, low, high",
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(successes, trials, low, high):
    found = wilson(successes, trials)
    assert found == pytest.approx((successes / trials, low, high), abs=5e-5)
    mirrored = wilson(trials - successes, trials)
    assert mirrored[1:] == pytest.approx((1 - found.high, 1 - found.low))


@pytest.mark.parametrize("successes, trials", [(0, 0), (3, 2), (-1, 2)])
def test_a_share_of_nothing_is_refused(successes, trials):
    with pytest.raises(InvalidValueError, match="1 trial or more"):
        wilson(successes, trials)


@pytest.mark.slow
def test_every_photograph_comes_with_its_truth_and_every_method(study):
    assert study.methods == ("gray", "photochrom", "perfect")
    assert (len(study.practice), len(study.scenes), len(study.checks)) == (2, 5, 2)
    for scene in study.scenes:
        truth = pixels(study, scene.truth)
        assert truth.shape == (48, 48, 3)
        assert np.ptp(pixels(study, scene.coloured["gray"]), axis=2).max() == 0
        assert np.ptp(pixels(study, scene.coloured["photochrom"]), axis=2).max() > 0
        assert (pixels(study, scene.coloured["perfect"]) == truth).all()
    keys = [scene.key for scene in study.practice + study.scenes + study.checks]
    assert len(set(keys)) == 9 and all(re.fullmatch(r"holiday-\d+\.png", key) for key in keys)


def test_the_coloured_picture_keeps_the_lightness_of_the_truth(study):
    for scene in study.scenes:
        pair = [pixels(study, name) / 255 for name in (scene.truth, scene.coloured["photochrom"])]
        truth, coloured = (rgb_to_lab(rgb)[..., 0] for rgb in pair)
        assert np.abs(truth - coloured).mean() < 0.5


def test_no_name_time_or_metadata_of_a_file_tells_what_it_is(study, folder):
    files = sorted(folder.glob("*.png"))
    assert len(files) == 5 * 4 + 4 * 2
    assert {file.stat().st_mtime for file in files} == {0}
    for file in files:
        assert re.fullmatch(r"[0-9a-f]{16}\.png", file.name)
        with Image.open(file) as picture:
            assert picture.info == {}
    # In the order of names, truths stand anywhere.
    truths = {s.truth for s in study.scenes}
    places = [number for number, file in enumerate(files) if file.name in truths]
    assert places != list(range(len(places)))


def test_a_check_has_every_hue_strongly_at_the_lightness_of_the_truth(study):
    for scene in study.checks:
        truth, wrong = (
            rgb_to_lab(pixels(study, name) / 255) for name in (scene.truth, scene.coloured[RAINBOW])
        )
        assert np.abs(truth[..., 0] - wrong[..., 0]).mean() < 0.5
        assert chroma(wrong[..., 1:]).mean() > 25
        assert (np.histogram(hue(wrong[..., 1:]), 8, (0, 360))[0] > 0).all()


@pytest.mark.parametrize("level", [0, 255])
def test_a_check_of_black_or_white_is_finite(level):
    assert (rainbow(np.full((4, 8, 3), level, np.uint8)) == level).all()


def test_the_same_seed_makes_the_same_study_and_another_seed_another(photographs, tmp_path):
    options = {"methods": ["gray"], "pictures": 3, "practice": 1, "checks": 1, "size_px": 32}
    one, same, other = (
        prepare(photographs, tmp_path / name, seed=seed, **options)
        for name, seed in (("one", 5), ("same", 5), ("other", 6))
    )
    assert one == same
    assert [s.key for s in one.scenes] != [s.key for s in other.scenes]


def test_gray_broken_and_small_pictures_are_left_out(photographs, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        (data / f"{number}.png").write_bytes((photographs / f"holiday-{number}.png").read_bytes())
    Image.fromarray(drawn_picture(9, 20, 90)).save(data / "strip.png")
    Image.fromarray(drawn_picture(9, 60, 80)).convert("L").save(data / "gray.png")
    (data / "broken.png").write_bytes(b"no picture")
    options = {"methods": ["gray"], "practice": 0, "checks": 0, "size_px": 48}
    study = prepare(data, tmp_path / "study", pictures=3, **options)
    assert sorted(scene.key for scene in study.scenes) == ["0.png", "1.png", "2.png"]
    with pytest.raises(DataError, match=r"4 coloured photographs .* 3 were found"):
        prepare(data, tmp_path / "more", pictures=4, **options)
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(
    "options, said",
    [
        ({"pictures": 0}, "1 picture or more"),
        ({"size_px": 8}, "a size of 16 to 2048"),
        ({"methods": ["rbf"]}, "'rbf' needs hints"),
        ({"methods": []}, "needs a method"),
        ({"methods": ["gray"], "outputs": {"gray": Path()}}, "'gray' is used twice"),
    ],
)
def test_a_study_that_cannot_be_is_refused_before_any_work(photographs, tmp_path, options, said):
    with pytest.raises(InvalidValueError, match=said):
        prepare(photographs, tmp_path / "study", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_study_is_made_once(photographs, folder):
    with pytest.raises(InvalidValueError, match="exists already"):
        prepare(photographs, folder)


def test_a_rivals_picture_that_is_missing_or_too_small_is_named(photographs, tmp_path):
    options = {"methods": [], "pictures": 2, "practice": 0, "checks": 0, "size_px": 48}
    rival = tmp_path / "rival"
    rival.mkdir()
    with pytest.raises(
        DataError, match=r"picture of 'rival' for each of 2 .* missing: holiday-\d+\.png"
    ):
        prepare(photographs, tmp_path / "a", outputs={"rival": rival}, **options)
    for number in range(14):
        Image.new("RGB", (40, 30)).save(rival / f"holiday-{number}.jpg")
    with pytest.raises(DataError, match="a short side of 48 or more.*40 x 30"):
        prepare(photographs, tmp_path / "a", outputs={"rival": rival}, **options)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda table: table.pop("scenes"), "needs the key 'scenes'"),
        (lambda table: table.update({"photochrom-study": 9}), "format 9"),
        (
            lambda table: table["scenes"][0].update(truth="../secret.png"),
            "not a picture of a study",
        ),
        (lambda table: table["scenes"][0].update(truth="0" * 16 + ".png"), "is missing"),
        (lambda table: table["scenes"][0]["coloured"].pop("gray"), "every method"),
    ],
)
def test_a_damaged_description_is_an_error_that_says_so(folder, tmp_path, change, said):
    table = json.loads((folder / DESCRIPTION).read_text())
    change(table)
    for file in folder.glob("*.png"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / DESCRIPTION).write_text(json.dumps(table))
    with pytest.raises(DataError, match=said):
        read_study(tmp_path)


def test_a_folder_that_is_no_study_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="photochrom study prepare"):
        read_study(tmp_path)


def test_the_order_is_the_participants_own_and_stays(study):
    assert trials_of(study, "anna") == trials_of(study, "anna")
    orders = {tuple(t.key for t in trials_of(study, f"{n}") if t.part == "pair") for n in range(9)}
    assert len(orders) > 5


@pytest.mark.parametrize("participant", ["a", "b", "c"])
def test_each_participant_sees_each_photograph_once_and_all_methods_alike(study, participant):
    trials = trials_of(study, participant)
    assert [t.part for t in trials[:2]] == ["practice"] * 2
    assert len({t.key for t in trials}) == len(trials) == study.trials
    parts = Counter(t.part for t in trials)
    assert parts == {"practice": 2, "pair": 5, "check": 2}
    shares = Counter(t.method for t in trials if t.part == "pair")
    assert set(shares) == set(study.methods) and max(shares.values()) - min(shares.values()) <= 1
    for each in trials:
        scenes = study.practice + study.scenes + study.checks
        scene = next(s for s in scenes if s.key == each.key)
        assert each.files[each.real - 1] == scene.truth
        assert each.files[2 - each.real] == scene.coloured[each.method]


def test_over_many_participants_the_real_one_comes_first_half_the_time(study):
    trials = [t for n in range(300) for t in trials_of(study, f"{n}")]
    for part in ("practice", "pair", "check"):
        sides = [t.real for t in trials if t.part == part]
        assert np.mean([side == 1 for side in sides]) == pytest.approx(0.5, abs=0.06)
    places = Counter(
        number
        for n in range(300)
        for number, t in enumerate(trials_of(study, f"{n}"))
        if t.part == "check"
    )
    assert set(places) == set(range(2, 9))


def vote(who="anna", trial=1, part="pair", method="gray", fooled=False, **changes):
    chosen = 2 if fooled else 1
    values = (who, trial, part, f"{trial}.png", method, 1, chosen, fooled, 1000, 1000, 1000, 500)
    return Vote(*values)._replace(**changes)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite",
        pytest.param(
            POSTGRESQL,
            id="postgresql",
            marks=pytest.mark.skipif(
                not POSTGRESQL, reason="PHOTOCHROM_TEST_POSTGRESQL names no server"
            ),
        ),
    ],
)
def test_a_vote_counts_once_however_many_try(url, votes_url):
    with Votes(votes_url if url == "sqlite" else url, "0123456789abcdef") as votes:
        who = os.urandom(8).hex()
        assert votes.answered(who) is None
        votes.add_participant(who)
        with ThreadPoolExecutor(8) as pool:
            counted = list(pool.map(votes.add, [vote(who, answer_ms=n) for n in range(8)]))
        assert sorted(counted) == [False] * 7 + [True]
        assert votes.answered(who) == 1 and who in votes.participants()
        kept = [each for each in votes.all() if each.participant == who]
        assert kept == [vote(who, answer_ms=counted.index(True))]


def test_votes_outlive_the_service_and_studies_share_a_database(votes_url):
    with Votes(votes_url, "a") as votes:
        votes.add(vote())
        with votes._engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    with Votes(votes_url, "a") as again, Votes(votes_url, "b") as other:
        assert again.all() == [vote()] and other.all() == []


@pytest.mark.parametrize(
    "url, error, said",
    [
        ("votes.db", InvalidValueError, "needs a URL"),
        ("nosql://x", InvalidValueError, "the database 'nosql'"),
        ("sqlite:////no/such/folder/votes.db", DataError, "cannot be opened"),
        ("oracle+nosuchdriver://x", InvalidValueError, "the database"),
    ],
)
def test_a_database_that_cannot_be_is_an_error_that_says_so(url, error, said):
    with pytest.raises(error, match=said):
        Votes(url, "a")


def test_shares_are_counted_by_method_and_by_picture_without_the_excluded():
    votes = [
        *(vote("anna", n, method="gray", fooled=n == 1) for n in (1, 2, 3, 4)),
        *(vote("bert", n, method="photochrom", fooled=n < 3) for n in (1, 2, 3, 4)),
        *(vote("carl", n, method="gray", fooled=True) for n in (1, 2)),
        *(vote("carl", n, "check", RAINBOW, fooled=True) for n in (3, 4)),
        vote("bert", 5, "check", RAINBOW, fooled=True),
        vote("anna", 5, "practice", "gray", fooled=True),
    ]
    found = summarise(votes, ["anna", "bert", "carl", "dora"], trials=5)
    assert found.excluded == {"carl"}
    assert [(r.method, r.votes, r.participants, r.fooled.value) for r in found.methods] == [
        ("photochrom", 4, 1, 0.5),
        ("gray", 4, 1, 0.25),
    ]
    assert found.methods[1].fooled == wilson(1, 4)
    assert len(found.pictures) == 8 and found.pictures[0].fooled.value == 1
    assert (found.begun, found.unfinished, found.checks, found.failed_checks) == (4, 2, 3, 3)
    assert summarise(votes, [], 5, most_failed=2).excluded == frozenset()
    assert summarise(votes, [], 5, most_failed=0).excluded == {"bert", "carl"}


def test_votes_after_a_picture_that_was_seen_too_long_are_told():
    votes = [vote(), vote(trial=2, first_ms=1101), vote(trial=3, second_ms=899)]
    assert summarise(votes, ["anna"], 3).mistimed == 2


def test_the_csv_has_every_vote_and_who_was_excluded():
    votes = [vote("carl", 1, "check", fooled=True), vote("anna", 2, key='a,"b".png')]
    lines = to_csv(votes, frozenset({"carl"})).splitlines()
    assert lines[0] == ",".join([*Vote._fields, "excluded"])
    assert lines[1].startswith("carl,1,check,") and lines[1].endswith(",1")
    assert '"a,""b"".png"' in lines[2] and lines[2].endswith(",0")


def test_a_participant_answers_everything_and_only_the_practice_is_told(client, study, participant):
    asked, told = [], []
    while (at := client.get(f"/v1/participants/{participant}").json()["answered"]) < study.trials:
        route = f"/v1/participants/{participant}/trials/{at + 1}"
        asked.append(client.get(route).json())
        answer = client.post(f"{route}/vote", json=ANSWER)
        assert answer.status_code == 201
        told.append(answer.json())
    real = [t.real for t in trials_of(study, participant)]
    assert told == [{"right": side == 1} for side in real[:2]] + [{"right": None}] * 7
    assert [(t["practice"], t["number"], t["of"]) for t in asked] == [
        *((True, n, 2) for n in (1, 2)),
        *((False, n, 7) for n in range(1, 8)),
    ]
    refused(client.get(f"/v1/participants/{participant}/trials/10"), 404)
    kept = client.app.state.study_state.votes.all()
    assert [v.real for v in kept] == real and {v.chosen for v in kept} == {1}
    assert [v.fooled for v in kept] == [side == 2 for side in real]
    assert {(v.wished_ms, v.first_ms, v.second_ms) for v in kept} == {(1000.0, 1000.1, 999.9)}


def test_nothing_that_is_sent_tells_which_is_real(client, study, participant):
    secrets = {study.id, RAINBOW, "check", "truth", *study.methods}
    for scene in study.practice + study.scenes + study.checks:
        secrets |= {scene.key, scene.truth, *scene.coloured.values()}
        secrets |= {name.removesuffix(".png") for name in (scene.truth, *scene.coloured.values())}
    for number in range(1, study.trials + 1):
        route = f"/v1/participants/{participant}/trials/{number}"
        described = client.get(route)
        pictures = [client.get(path) for path in described.json()["pictures"]]
        said = [answer.text + str(answer.headers) for answer in (client.get("/"), described)]
        said += [str(picture.headers) for picture in pictures]
        said.append(client.post(f"{route}/vote", json=ANSWER).text)
        assert [word for word in secrets for text in said if word in text] == []
        first, second = (
            {k: v for k, v in picture.headers.items() if k != "content-length"}
            for picture in pictures
        )
        assert first == second and "etag" not in first and "last-modified" not in first
        shown = trials_of(study, participant)[number - 1]
        assert [p.content for p in pictures] == [
            (study.folder / name).read_bytes() for name in shown.files
        ]


@pytest.mark.parametrize(
    "path", ["study.json", "page/../study.json", "page/study.json", "votes.db", "openapi.json"]
)
def test_the_study_itself_is_not_served(client, path):
    refused(client.get(f"/{path}"), 404)


def test_a_replayed_vote_is_refused_and_the_first_stays(client, participant):
    route = f"/v1/participants/{participant}/trials/1/vote"
    assert client.post(route, json=ANSWER).status_code == 201
    assert "already has a vote" in refused(client.post(route, json=ANSWER | {"real": 2}), 409)
    assert [v.chosen for v in client.app.state.study_state.votes.all()] == [1]


@pytest.mark.parametrize("part", ["", "/pictures/1", "/pictures/2"])
def test_a_pair_that_is_over_or_far_ahead_is_not_shown(client, participant, part):
    route = f"/v1/participants/{participant}/trials"
    assert client.get(f"{route}/2{part}").status_code == 200  # loaded while the first is asked
    refused(client.get(f"{route}/3{part}"), 409)
    client.post(f"{route}/1/vote", json=ANSWER)
    refused(client.get(f"{route}/1{part}"), 409)


def test_a_vote_out_of_order_is_refused(client, participant):
    refused(client.post(f"/v1/participants/{participant}/trials/2/vote", json=ANSWER), 409)


@pytest.mark.parametrize("name", ["A" * 22, "anna", "%00", "A" * 5000, "%ed%a0%80"])
@pytest.mark.parametrize("route", ["", "/trials/1", "/trials/1/pictures/1"])
def test_an_unknown_participant_is_refused(client, name, route):
    refused(client.get(f"/v1/participants/{name}{route}"), 404)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        ANSWER | {"real": 3},
        ANSWER | {"shown_ms": [1]},
        ANSWER | {"shown_ms": [-1, 1000]},
        ANSWER | {"answer_ms": 1e12},
        ANSWER | {"name": "Anna"},
        [],
    ],
)
def test_a_vote_that_is_none_is_refused(client, participant, wish):
    refused(client.post(f"/v1/participants/{participant}/trials/1/vote", json=wish), 422)
    assert client.app.state.study_state.votes.all() == []


def test_infinity_is_no_time(client, participant):
    body = b'{"real": 1, "shown_ms": [NaN, 1], "answer_ms": Infinity}'
    answer = client.post(
        f"/v1/participants/{participant}/trials/1/vote",
        content=body,
        headers={"Content-Type": "application/json"},
    )
    refused(answer, 422)


def test_an_oversized_body_is_refused(client, participant):
    route = f"/v1/participants/{participant}/trials/1/vote"
    refused(client.post(route, json=ANSWER | {"name": "x" * 3000}), 413)


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_another_host_or_origin_is_refused(client, headers):
    refused(client.post("/v1/participants", headers=headers), 403)


def test_who_comes_when_the_study_is_full_is_turned_away(study, votes_url):
    app = create_app(study, votes_url, Showing(most_participants=1))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.post("/v1/participants").status_code == 201
        assert "all the participants" in refused(client.post("/v1/participants"), 403)


@pytest.mark.parametrize(
    "options",
    [{"seconds": 0}, {"seconds": float("nan")}, {"gap_seconds": -1}, {"most_participants": 0}],
)
def test_a_showing_that_cannot_be_is_refused(options):
    with pytest.raises(InvalidValueError, match="got "):
        Showing(**options)


def test_a_database_that_fails_is_told_as_a_problem(client, participant):
    votes = client.app.state.study_state.votes
    with votes._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE photochrom_votes")
    refused(client.get(f"/v1/participants/{participant}"), 503)
