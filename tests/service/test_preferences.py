import csv
import io
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.conftest import drawn_picture
from tests.servers import refused
from tests.service.conftest import decoded

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.commands.perception_command import results
from photochrom.workbench.perception.bradley_terry import bradley_terry
from photochrom.workbench.perception.preferences import summarise_choices
from photochrom.workbench.perception.study_app import create_app
from photochrom.workbench.perception.study_files import RAINBOW, TRUTH, read_study
from photochrom.workbench.perception.study_preparation import prepare
from photochrom.workbench.perception.study_results import to_csv, wilson
from photochrom.workbench.perception.study_state import Showing
from photochrom.workbench.perception.trial_order import trials_of
from photochrom.workbench.perception.votes import Choice, Votes, default_url

pytestmark = pytest.mark.slow  # films and studies take seconds each
OPTIONS = {"task": "prefer", "pictures": 6, "practice": 1, "checks": 2, "size_px": 64}
METHODS = ("gray", "photochrom", TRUTH, "rival")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(12):
        Image.fromarray(drawn_picture(seed, 72, 96)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def folder(photographs, tmp_path_factory):
    rival = tmp_path_factory.mktemp("rival")
    for file in photographs.iterdir():
        Image.fromarray(decoded(file.read_bytes())).resize((192, 144)).save(rival / file.name)
    target = tmp_path_factory.mktemp("studies") / "study"
    methods, outputs = ["gray", "photochrom"], {"rival": rival}
    prepare(photographs, target, methods=methods, outputs=outputs, truth=True, **OPTIONS)
    return target


@pytest.fixture(scope="module")
def study(folder):
    return read_study(folder)


@pytest.fixture
def client(study, tmp_path):
    app = create_app(study, f"sqlite:///{tmp_path / 'votes.db'}")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


# Agresti, Categorical Data Analysis, 2nd ed., 2002, table 10.10: baseball, the American League's
# eastern division in 1987; strengths against Baltimore's with their standard errors.
TEAMS = {
    "Milwaukee": ([0, 7, 9, 7, 7, 9, 11], 1.5814, 0.3433),
    "Detroit": ([6, 0, 7, 5, 11, 9, 9], 1.4364, 0.3396),
    "Toronto": ([4, 6, 0, 7, 7, 8, 12], 1.2945, 0.3367),
    "New York": ([6, 8, 6, 0, 6, 7, 10], 1.2476, 0.3359),
    "Boston": ([6, 2, 6, 7, 0, 7, 12], 1.1077, 0.3339),
    "Cleveland": ([4, 4, 5, 6, 6, 0, 6], 0.6839, 0.3319),
    "Baltimore": ([2, 4, 1, 3, 1, 7, 0], 0.0, 0.0),
}


def test_the_ranking_of_bradley_and_terry_is_the_published_one():
    wins, strengths, errors = zip(*TEAMS.values(), strict=True)
    found = bradley_terry(np.array(wins))
    assert found.strengths - found.strengths[-1] == pytest.approx(strengths, abs=5e-5)
    own, shared = np.diag(found.covariance), found.covariance[-1]
    spread = np.sqrt((own + own[-1] - 2 * shared).clip(0))
    assert spread == pytest.approx(errors, abs=5e-5)
    assert found.strengths.mean() == pytest.approx(0, abs=1e-12) and not found.is_bounded


def test_two_methods_are_ranked_by_their_odds():
    found = bradley_terry(np.array([[0, 30], [10, 0]]))
    assert np.subtract(*found.strengths) == pytest.approx(np.log(3))


@pytest.mark.parametrize(
    "wins", [[[0, 5], [0, 0]], [[0, 2, 0], [3, 0, 0], [9, 9, 0]]], ids=["always", "two below one"]
)
def test_who_lost_to_all_others_gets_half_a_vote_and_a_finite_strength(wins):
    found = bradley_terry(np.array(wins, float))
    assert found.is_bounded and np.isfinite(found.strengths).all()
    assert np.argmax(found.strengths) == np.argmax(np.sum(wins, axis=1))


@pytest.mark.parametrize("wins", [[[0]], [[0, 1]], [[0, -1], [1, 0]], [[0, 0], [0, 0]], [1, 2]])
def test_what_cannot_be_ranked_is_refused(wins):
    with pytest.raises(InvalidValueError, match="a ranking needs"):
        bradley_terry(np.array(wins, float))


def test_all_colourings_of_a_photograph_have_its_shape_and_one_size(study):
    assert study.task == "prefer" and study.methods == METHODS
    for scene in study.scenes:
        shapes = {
            decoded((study.folder / name).read_bytes()).shape for name in scene.coloured.values()
        }
        assert shapes == {(48, 64, 3)} and scene.truth == ""
        gray, coloured = (
            decoded((study.folder / scene.coloured[name]).read_bytes()) / 255
            for name in ("gray", "photochrom")
        )
        assert np.abs(rgb_to_lab(gray)[..., 0] - rgb_to_lab(coloured)[..., 0]).mean() < 0.7


def test_gray_photographs_are_taken_whose_colours_nobody_knows(tmp_path):
    for seed in range(3):
        gray = Image.fromarray(drawn_picture(seed, 70, 90)).convert("L")
        gray.save(tmp_path / f"{seed}.png")
    options = OPTIONS | {"pictures": 2, "practice": 0, "checks": 1}
    found = prepare(tmp_path, tmp_path / "study", methods=["gray", "photochrom"], **options)
    assert len(found.scenes) == 2 and set(found.checks[0].coloured) == {"gray", RAINBOW}


@pytest.mark.parametrize(
    "options, said",
    [
        ({"methods": ["gray"]}, "two or more colourings; got only 'gray'"),
        ({"methods": ["gray"], "truth": True, "task": "real"}, "--task prefer"),
        ({"outputs": {TRUTH: "x"}}, "'truth' is used twice"),
    ],
)
def test_a_preference_that_cannot_be_is_refused(photographs, tmp_path, options, said):
    with pytest.raises(InvalidValueError, match=said):
        prepare(photographs, tmp_path / "study", **(OPTIONS | options))


def test_a_rivals_picture_that_would_look_blurred_is_refused(photographs, tmp_path):
    for seed in range(12):
        Image.new("RGB", (32, 24)).save(tmp_path / f"{seed}.png")
    with pytest.raises(DataError, match="a short side of 48 or more.*32 x 24"):
        outputs = {"rival": tmp_path}
        prepare(photographs, tmp_path / "study", methods=["gray"], outputs=outputs, **OPTIONS)


def test_pairs_of_methods_come_as_evenly_as_can_be_and_each_on_either_side(study):
    trials = [t for n in range(300) for t in trials_of(study, f"{n}") if t.part == "pair"]
    pairs = Counter(frozenset(t.shown) for t in trials)
    assert pairs == {frozenset(two): 300 for two in combinations(METHODS, 2)}
    first = Counter(t.shown[0] for t in trials)
    assert all(count == pytest.approx(450, abs=60) for count in first.values())
    for n in range(20):
        own = trials_of(study, f"{n}")
        assert [t.part for t in own].count("check") == 2 and own[0].part == "practice"
        assert len({t.key for t in own}) == len(own) == study.trials == 9


def test_a_participant_chooses_in_every_pair_and_nothing_tells_which_is_which(client, study):
    assert client.get("/v1/study").json()["task"] == "prefer"
    who = client.post("/v1/participants").json()["participant"]
    shown = trials_of(study, who)
    for number in range(1, study.trials + 1):
        route = f"/v1/participants/{who}/trials/{number}"
        described = client.get(route)
        pictures = [client.get(path) for path in described.json()["pictures"]]
        assert [p.content for p in pictures] == [
            (study.folder / name).read_bytes() for name in shown[number - 1].files
        ]
        said = described.text + "".join(str(p.headers) for p in pictures)
        assert [name for name in (*METHODS, RAINBOW, study.id) if name in said] == []
        answer = client.post(f"{route}/choice", json={"chosen": 2, "answer_ms": 900})
        assert (answer.status_code, answer.json()) == (201, {"right": None})
    kept = client.app.state.study_state.votes.all()
    assert [(c.first, c.second) for c in kept] == [t.shown for t in shown]
    assert [c.won for c in kept] == [t.shown[1] for t in shown]


def test_the_question_of_another_study_is_refused(client):
    who = client.post("/v1/participants").json()["participant"]
    vote = {"real": 1, "shown_ms": [1, 1], "answer_ms": 1}
    refused(client.post(f"/v1/participants/{who}/trials/1/vote", json=vote), 404)


def test_a_choice_counts_once(client):
    who = client.post("/v1/participants").json()["participant"]
    route = f"/v1/participants/{who}/trials/1/choice"
    assert client.post(route, json={"chosen": 1.0, "answer_ms": 5}).status_code == 201
    refused(client.post(route, json={"chosen": 2, "answer_ms": 5}), 409)
    refused(
        client.post(route.replace("trials/1", "trials/2"), json={"chosen": 0, "answer_ms": 5}), 422
    )


def choice(who, trial, first, second, chosen=1, part="pair"):
    return Choice(who, trial, part, f"{trial}.png", first, second, chosen, 800.0)


def test_preferences_are_counted_by_method_and_by_pair_without_the_excluded():
    choices = [
        *(choice("anna", n, "b", "a", 1) for n in range(1, 7)),
        *(choice("bert", n, "a", "b", 1) for n in range(1, 3)),
        *(choice("bert", n, "c", "a", 2) for n in range(3, 6)),
        choice("bert", 6, "a", "c", 2),
        *(choice("carl", n, "c", "a", 1) for n in range(1, 9)),
        *(choice("carl", n, "a", RAINBOW, 2, "check") for n in (9, 10)),
        choice("anna", 7, "a", RAINBOW, 2, "check"),
        choice("anna", 8, "c", "b", 1, "practice"),
    ]
    found = summarise_choices(choices, ["anna", "bert", "carl", "dora"], ["a", "b", "c", "d"], 8)
    assert found.excluded == {"carl"} and (found.begun, found.unfinished) == (4, 2)
    assert (found.checks, found.failed_checks) == (3, 3)
    assert [(r.method, r.votes, r.participants) for r in found.methods] == [
        ("b", 8, 2),
        ("a", 12, 2),
        ("c", 4, 1),
    ]
    assert found.methods[0].preferred == wilson(6, 8)
    assert [(d.first, d.second, d.preferred) for d in found.comparisons] == [
        ("b", "a", wilson(6, 8)),
        ("a", "c", wilson(3, 4)),
    ]
    # Without a circle the model gives back the odds of each pair.
    strengths = [row.strength.value for row in found.methods]
    assert -np.diff(strengths) == pytest.approx(np.log([3, 3]))
    assert all(row.strength.low < row.strength.value < row.strength.high for row in found.methods)
    assert found.first_chosen == wilson(8, 12)


def test_a_study_without_votes_has_no_rows():
    found = summarise_choices([], ["anna"], ["a", "b"], 8)
    assert (found.methods, found.comparisons, found.first_chosen) == ((), (), None)


def test_the_csv_has_every_choice():
    rows = [*csv.DictReader(io.StringIO(to_csv([choice("anna", 1, "a", "b")], frozenset())))]
    assert [row["first"] + row["second"] + row["chosen"] + row["excluded"] for row in rows] == [
        "ab10"
    ]


def test_the_command_shows_the_ranking_and_writes_the_csv(study, folder, tmp_path, capsys):
    with Votes(default_url(folder), study.id, Choice) as votes:
        votes.add_participant("anna")
        for number in range(1, 7):
            votes.add(choice("anna", number, "gray", "photochrom", 2 - number % 6 // 5))
    results(folder, csv=tmp_path / "votes.csv")
    said = capsys.readouterr().out
    assert "Preferred, over all photographs" in said and "Bradley and Terry" in said
    assert said.index("photochrom") < said.index("gray") and "83.3 %" in said
    assert len((tmp_path / "votes.csv").read_text().splitlines()) == 7


def test_a_study_by_invitation_lets_in_who_brings_it(study, tmp_path):
    app = create_app(study, f"sqlite:///{tmp_path / 'votes.db'}", invitation="blaue Blume")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        for body in (None, {}, {"invitation": ""}, {"invitation": "blaue"}):
            assert "needs an invitation" in refused(client.post("/v1/participants", json=body), 403)
        surrogate = b'{"invitation": "\\ud800"}'
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/participants", content=surrogate, headers=headers)
        assert answer.status_code in (403, 422)
        invited = client.post("/v1/participants", json={"invitation": "blaue Blume"})
        assert invited.status_code == 201


def test_an_invitation_cannot_be_found_by_trying(study, tmp_path):
    app = create_app(study, f"sqlite:///{tmp_path / 'votes.db'}", invitation="blaue Blume")
    with TestClient(app, base_url="http://127.0.0.1") as client:
        bodies = [{"invitation": f"{number}"} for number in range(20)]
        statuses = [client.post("/v1/participants", json=body).status_code for body in bodies]
        assert statuses.count(403) < 15 and statuses[-1] == 429
        invited = client.post("/v1/participants", json={"invitation": "blaue Blume"})
        assert invited.status_code == 201


def test_one_address_begins_only_so_often_and_others_still_can(study, tmp_path):
    showing = Showing(begun_at_once=2, begun_per_hour=1)
    app = create_app(study, f"sqlite:///{tmp_path / 'votes.db'}", showing)
    statuses = []
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"):
        client = TestClient(app, base_url="http://127.0.0.1", client=(address, 5000))
        statuses.append(client.post("/v1/participants").status_code)
    assert statuses == [201, 201, 429, 201]
    assert int(client.post("/v1/participants").status_code) == 201
    waiting = TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.1", 1))
    assert 3000 < int(waiting.post("/v1/participants").headers["retry-after"]) <= 3600


def test_votes_are_readable_for_their_owner_alone(tmp_path):
    with Votes(default_url(tmp_path), "a") as votes:
        votes.add_participant("anna")
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert "votes.db" in modes and set(modes.values()) == {0o600}
