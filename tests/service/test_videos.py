import json
import os
import time

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.films import scene, write_film
from tests.servers import refused
from tests.service.conftest import GRAY, decoded, encoded
from tests.service.films import RATE, SIZE, drawn_film, frames_of

from photochrom.errors import MissingExtraError
from photochrom.photo.part_locks import is_alive
from photochrom.service.application import create_app
from photochrom.service.film_jobs import film_frame, find_shots, found_shots
from photochrom.service.limits import Limits
from photochrom.service.problem_details import Problem
from photochrom.service.sessions import PREFIX

pytestmark = pytest.mark.slow  # films and studies take seconds each
FILM = drawn_film()
PATIENCE = 120.0  # seconds, of a machine that has other work
RED = {"shape": "point", "points": [[50, 60]], "colour": "#c02020", "radius": 8}


def send(client, content=FILM, name="old film.mp4", **form):
    fields = {key: json.dumps(value) for key, value in form.items()}
    return client.post("/v1/videos", files={"file": (name, content)}, data=fields)


def opened(client, **form):
    answer = send(client, **form)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def until(client, id, *states):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        said = client.get(f"/v1/videos/{id}").json()
        if said["state"] in states:
            return said
        time.sleep(0.1)
    raise AssertionError(f"still {said['state']}")


@pytest.fixture(scope="module")
def coloured(client):
    cues = {
        "hints": [{"at": "0:00.7", **RED}],
        "shots": [{"at": 2, "palette": ["#4060a0"], "saturation": 1.2}],
    }
    answer = send(client, options={"vividness": 0.6, "crf": 10, "cues": cues})
    assert answer.status_code == 202
    said = answer.json()
    assert answer.headers["location"] == f"/v1/videos/{said['id']}"
    assert (said["width"], said["height"]) == SIZE
    assert (said["seconds"], said["rate"], said["name"]) == (3, RATE, "old film.mp4")
    assert said["state"] == "waiting"
    return until(client, said["id"], "finished", "failed")


def test_a_film_is_coloured_and_its_cues_are_followed(client, coloured):
    assert coloured["state"] == "finished", coloured["problem"]
    assert coloured["frames"] == 30
    assert coloured["problem"] is None and coloured["seconds_left"] is None
    assert not any("replaced" in note for note in coloured["notes"])  # it was gray
    answer = client.get(f"/v1/videos/{coloured['id']}/result")
    assert answer.headers["content-type"] == "video/mp4"
    assert "old%20film-color.mp4" in answer.headers["content-disposition"]
    frames = frames_of(answer.content)
    assert len(frames) == 30
    red, green, blue = frames[7][55:65, 45:55].mean(axis=(0, 1))
    assert red > green + 40 and red > blue + 40
    beyond = frames[20][55:65, 45:55].mean(axis=(0, 1))  # the other shot
    assert beyond[0] < beyond[2] + 20


def test_a_part_of_the_result_is_sent_for_a_range(client, coloured):
    path = f"/v1/videos/{coloured['id']}/result"
    part = client.get(path, headers={"Range": "bytes=4-11"})
    assert part.status_code == 206
    assert part.content == client.get(path).content[4:12]


def test_shots_of_a_film_that_begins_late_are_counted_from_its_beginning(tmp_path):
    film = write_film(tmp_path / "film.mkv", scene(8), pts=range(50, 58))
    find_shots(film, tmp_path)
    (shot,) = found_shots(tmp_path)
    assert shot.start == 0
    assert film_frame(film, shot.at)


def test_shots_are_found_with_their_times_and_pictures(client, coloured):
    path, found = f"/v1/videos/{coloured['id']}/shots", []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        said = client.get(path, params={"after": len(found)}).json()
        found += said["shots"]
        if said["is_complete"]:
            break
        time.sleep(0.1)
    assert [shot["start"] for shot in found] == [0, 1.5]
    assert found[0]["start"] <= found[0]["at"] < 1.5 <= found[1]["at"] < 3
    assert all(shot["picture"].startswith("data:image/jpeg;base64,") for shot in found)


def test_a_frame_is_sent_in_gray_and_a_time_beyond_the_end_is_refused(client, coloured):
    path = f"/v1/videos/{coloured['id']}/frame"
    frame = client.get(path, params={"at": 0.7})
    assert frame.headers["content-type"] == "image/png"
    levels = decoded(frame.content)
    assert levels.shape == (SIZE[1], SIZE[0])
    assert np.abs(levels.astype(int) - frames_of(FILM)[7][..., 0]).mean() < 4
    assert "no frame at 99 s" in refused(client.get(path, params={"at": 99}), 422)


def test_a_job_can_be_asked_for_later_and_for_a_part(client):
    id = opened(client, start=False)
    assert client.get(f"/v1/videos/{id}").json()["state"] == "uploaded"
    assert "not finished" in refused(client.get(f"/v1/videos/{id}/result"), 409)
    before = {"at": 0.7, **RED, "shape": "region", "points": [[0, 0], [160, 0], [160, 120]]}
    body = {"from": 1.5, "to": "0:02.0", "container": "mkv", "cues": {"hints": [before]}}
    answer = client.post(f"/v1/videos/{id}/job", json=body)
    assert answer.status_code == 202 and answer.json()["state"] == "waiting"
    said = until(client, id, "finished", "failed")
    assert (said["state"], said["frames"], said["is_part"]) == ("finished", 5, True)
    result = client.get(f"/v1/videos/{id}/result")
    assert result.headers["content-type"] == "video/x-matroska"
    red, green, _ = frames_of(result.content)[0][10:40, 110:150].mean(axis=(0, 1))
    assert red < green + 40  # what was said of an earlier shot does not hold here
    assert client.delete(f"/v1/videos/{id}/job").status_code == 204
    assert client.get(f"/v1/videos/{id}").json()["state"] == "uploaded"
    assert client.delete(f"/v1/videos/{id}").status_code == 204
    assert "no such film" in refused(client.get(f"/v1/videos/{id}"), 404)


def test_a_shot_takes_the_colours_of_an_uploaded_reference(client):
    id = opened(client, start=False)
    strong = np.empty((96, 96, 3), np.uint8)
    strong[:] = np.linspace((90, 0, 0), (255, 120, 120), 96)[:, None]
    padding = b"\0\0\0\0IEND\xaeB`\x82" + bytes(
        5_000_000
    )  # more than a body without files may have
    files = {"file": ("red.png", encoded(strong) + padding)}
    answer = client.post(f"/v1/videos/{id}/references", files=files)
    assert answer.status_code == 201, answer.text
    second = {"at": 2, "reference": answer.json()["reference"]}
    body = {"container": "mkv", "cues": {"shots": [second]}}
    assert client.post(f"/v1/videos/{id}/job", json=body).status_code == 202
    said = until(client, id, "finished", "failed")
    assert said["state"] == "finished", said["problem"]
    frames = frames_of(client.get(f"/v1/videos/{id}/result").content)
    lent, own = frames[22].mean(axis=(0, 1)), frames[5].mean(axis=(0, 1))
    assert lent[0] - lent[2] > own[0] - own[2] + 15
    strange = {"cues": {"shots": [{**second, "reference": "0" * 32}]}}
    told = refused(client.post(f"/v1/videos/{id}/job", json=strange), 422)
    assert "was not uploaded for this film" in told
    gray = {"file": ("gray.png", encoded(strong.mean(-1).astype(np.uint8)))}
    told = refused(client.post(f"/v1/videos/{id}/references", files=gray), 422)
    assert "gray.png" in told
    client.delete(f"/v1/videos/{id}")


def test_one_film_is_coloured_at_a_time_and_a_deleted_one_leaves_nothing(client):
    service = client.app.state.service
    root = service.films.new_folder().parent

    def folders():  # but those of the processes
        return {folder for folder in root.iterdir() if not folder.name.startswith(PREFIX)}

    before = folders()
    long = drawn_film(frames=400, cut=200)
    first = opened(client, content=long)
    second = opened(client, content=long)
    until(client, first, "running")
    assert client.get(f"/v1/videos/{second}").json()["state"] == "waiting"
    pid = service.films.pids[0]
    assert client.delete(f"/v1/videos/{first}").status_code == 204
    until(client, second, "running")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    client.delete(f"/v1/videos/{second}")
    deadline = time.monotonic() + PATIENCE
    while folders() != before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert folders() == before


@pytest.mark.parametrize(
    "options, says",
    [
        ({"from": 2, "to": 1}, "'to' must be later than 'from'"),
        ({"codec": "vp9", "container": "mov"}, "cannot hold vp9"),
        ({"codec": "theora"}, "none of h264"),
        ({"crf": 64}, "crf"),
        ({"cues": {"hints": [RED]}}, "at: Field required"),
        ({"cues": {"hints": [{"at": "soon", **RED}]}}, "at"),
        ({"cues": {"shots": [{"at": 1, "reference": "/etc/passwd"}]}}, "String should match"),
        ({"cues": {"hints": [{"at": 1, **RED, "radius": -1}]}}, "radius"),
        ({"method": "/etc/passwd"}, "none of"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(client, options, says):
    assert says in refused(send(client, options=options), 422)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "the file is empty"),
        (b"no film at all" * 100, "not a film"),
        (encoded(GRAY), "not a film"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1/a.ts\n", "not a film"),
        (b"ffconcat version 1.0\nfile film.mp4\n", "not a film"),
    ],
    ids=["empty", "text", "photograph", "playlist", "list"],
)
def test_what_is_no_film_is_refused_by_its_own_name(client, content, says):
    said = refused(send(client, content=content), 422)
    assert said.startswith("old film.mp4: ") and says in said


def test_without_the_extra_the_answer_says_what_to_install(client, monkeypatch):
    def missing():
        raise MissingExtraError("Colouring a film needs av. Run: pip install 'photochrom[video]'")

    assert ".mp4" in client.get("/v1/limits").json()["film_suffixes"]
    monkeypatch.setattr("photochrom.service.films.require_video", missing)
    assert "photochrom[video]" in refused(send(client), 422)
    assert client.get("/v1/limits").json()["film_suffixes"] == []


def test_films_have_a_limit_of_their_own_and_running_ones_stay():
    limits = Limits(jobs=1, upload_bytes=1000, film_bytes=400_000, films=1)
    with TestClient(create_app(limits), base_url="http://127.0.0.1") as client:
        assert "0.4 MB" in refused(send(client, content=b"0" * 500_000), 413)
        id = opened(client, content=drawn_film(frames=200))
        assert "no space for another film" in refused(send(client), 503)
        client.delete(f"/v1/videos/{id}/job")
        deadline = time.monotonic() + PATIENCE
        while (answer := send(client, start=False)).status_code == 503:
            assert time.monotonic() < deadline
        assert answer.status_code == 202
        refused(client.get(f"/v1/videos/{id}"), 404)  # the older one went
        films = client.app.state.service.films
        root, pids = films.new_folder().parent, films.pids
    assert not root.exists()
    deadline = time.monotonic() + PATIENCE
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_search_for_shots_that_failed_is_tried_again(client, monkeypatch):
    id = opened(client, start=False)
    films = client.app.state.service.films
    whole = films._searcher.run_later

    async def full(*given):
        raise Problem(503, "The file cannot be stored (No space left on device).")

    path, deadline = f"/v1/videos/{id}/shots", time.monotonic() + PATIENCE
    monkeypatch.setattr(films._searcher, "run_later", full)
    while (answer := client.get(path)).status_code == 200:
        assert time.monotonic() < deadline
    assert "No space left" in refused(answer, 503)
    monkeypatch.setattr(films._searcher, "run_later", whole)
    while not (answer := client.get(path)).json()["is_complete"]:
        assert time.monotonic() < deadline
    assert answer.json()["shots"]
    client.delete(f"/v1/videos/{id}")
