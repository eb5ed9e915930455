import asyncio
import base64
import errno
import io
import json
import os
import struct
import threading
import time
import zipfile
import zlib

import jsonschema
import numpy as np
import pytest
from PIL import Image
from skimage import data
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from tests.photo.made import chunk
from tests.service.conftest import GRAY, decoded, encoded

from photochrom.colorization.catalogue import CATALOGUE
from photochrom.engine.sidecar import SCHEMA
from photochrom.service.application import create_app
from photochrom.service.limits import Limits
from photochrom.service.uploads import clean_name
from photochrom.service.worker_pool import Worker

HINT = {"shape": "point", "points": [[100, 100]], "colour": "#c03030", "radius": 20}


def test_the_service_says_that_it_is_up_and_what_it_counts(client):
    assert client.get("/healthz").json()["status"] == "ok"
    text = client.get("/metrics").text
    assert 'photochrom_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert "photochrom_worker_restarts_total" in text
    assert "photochrom_sessions" in text


def test_strangers_paths_are_not_counted_one_by_one(client):
    assert client.get("/wp-admin/1").status_code == 404
    assert "wp-admin" not in client.get("/metrics").text


def test_methods_and_moods_are_listed(client):
    methods = client.get("/v1/methods").json()
    assert {method["name"] for method in methods} == set(CATALOGUE)
    assert all(method["paper"] and method["licence"] for method in methods)
    assert len(client.get("/v1/moods").json()["autumn"]) == 4


def test_what_is_taken_is_said(client):
    said = client.get("/v1/limits").json()
    assert {".mkv", ".mp4"} < set(said.pop("film_suffixes"))
    assert {".jpg", ".dng", ".jp2"} < set(said.pop("photo_suffixes"))
    assert said == {
        "photos": 32,
        "upload_bytes": 200_000_000,
        "megapixels": 200.0,
        "hints": 1000,
        "points": 20_000,
        "films": 4,
        "film_bytes": 2_000_000_000,
    }


@pytest.mark.slow
def test_a_file_of_floats_takes_its_range_with_it(client):
    content = io.BytesIO()
    Image.fromarray(np.tile(np.linspace(0, 255, 80, dtype=np.float32), (60, 1))).save(
        content, "TIFF"
    )

    def brightest(**fields):
        files = {"file": ("a.tif", content.getvalue())}
        answer = client.post("/v1/colorize", files=files, data={"format": "png", **fields})
        assert answer.status_code == 200, answer.text
        return (decoded(answer.content) > 250).mean()

    assert brightest() > 0.9  # all above 1 is white
    assert brightest(float_range="0,255") < 0.1


@pytest.mark.slow
def test_the_working_size_is_a_wish(client):
    files = {"file": ("a.jpg", encoded(GRAY))}
    coarse, fine = (
        client.post("/v1/colorize", files=files, data={"wishes": f'{{"working_px": {side}}}'})
        for side in (64, 320)
    )
    assert coarse.content != fine.content


def test_an_opened_photograph_is_described(client):
    files = {"file": ("woman.jpg", encoded(GRAY[:200, :100]))}
    answer = client.post("/v1/photos", files=files)
    described = answer.json()
    assert answer.headers["location"] == f"/v1/photos/{described['id']}"
    assert client.get(answer.headers["location"]).json() == described
    assert {k: v for k, v in described.items() if k != "id"} == {
        "name": "woman.jpg",
        "format": "jpeg",
        "width": 100,
        "height": 200,
        "pages": 1,
        "bit_depth": 8,
        "notes": [],
        "preview": {"width": 100, "height": 200},
        "tint": "neutral",
    }


def test_the_preview_of_method_gray_is_gray(client, opened):
    preview = client.post(f"/v1/photos/{opened['id']}/preview", json={"method": "gray"})
    assert preview.status_code == 200
    assert (np.ptp(decoded(preview.content).astype(int), axis=-1) <= 1).all()


@pytest.mark.slow
def test_a_large_turned_photograph_has_an_upright_preview(client):
    turned = Image.Exif()
    turned[0x0112] = 6
    large = np.kron(GRAY[:300], np.ones((5, 5), np.uint8))
    answer = client.post("/v1/photos", files={"file": ("a.jpg", encoded(large, exif=turned))})
    described = answer.json()
    assert (described["width"], described["height"]) == (1500, 2560)
    assert described["preview"] == {"width": 750, "height": 1280}
    gray = client.get(f"/v1/photos/{described['id']}/gray")
    assert decoded(gray.content).shape == (1280, 750)
    preview = client.post(f"/v1/photos/{described['id']}/preview", json={})
    assert decoded(preview.content).shape == (1280, 750, 3)
    assert int(preview.headers["photochrom-milliseconds"]) > 0


@pytest.mark.slow
def test_a_hint_changes_its_place_and_not_a_far_one(client, opened):
    route = f"/v1/photos/{opened['id']}/preview"
    before = decoded(client.post(route, json={}).content).astype(int)
    after = decoded(client.post(route, json={"hints": [HINT]}).content).astype(int)
    assert after[100, 100, 0] - after[100, 100, 2] > before[100, 100, 0] - before[100, 100, 2] + 30
    assert np.abs(after[400:, 400:] - before[400:, 400:]).mean() < 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "guidance",
    [
        {"vividness": 1.0},
        {"saturation": 2.0},
        {"palette": ["#3f6b35", "#a3b57a"]},
        {"mood": "dusk"},
        {"candidate": 1},
        {"method": "levin", "hints": [HINT]},
    ],
    ids=lambda guidance: next(iter(guidance)),
)
def test_every_wish_shows(client, opened, guidance):
    route = f"/v1/photos/{opened['id']}/preview"
    plain = decoded(client.post(route, json={}).content).astype(int)
    shown = decoded(client.post(route, json=guidance).content).astype(int)
    assert np.abs(shown - plain).mean() > 0.5


@pytest.mark.slow
def test_candidates_differ_and_are_small(client, opened):
    answer = client.post(f"/v1/photos/{opened['id']}/candidates", json={})
    found = answer.json()["candidates"]
    assert [c["candidate"] for c in found] == [0, 1, 2]
    pictures = [decoded(base64.b64decode(c["image"].split(",")[1])) for c in found]
    assert {picture.shape for picture in pictures} == {(256, 256, 3)}
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(pictures[first].astype(int) - pictures[second]).mean() > 0.3


@pytest.mark.slow
def test_suggestions_come_likeliest_first_at_the_spots_lightness(client, opened):
    spot = {"x": 250, "y": 120, "radius": 4}
    found = client.post(f"/v1/photos/{opened['id']}/suggestions", json=spot).json()
    shares = [s["share"] for s in found["suggestions"]]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1.001
    assert 0 <= found["lightness"] <= 100
    level = GRAY[116:125, 246:255].mean() / 255
    linear = level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4
    assert abs(found["lightness"] - (116 * linear ** (1 / 3) - 16)) < 3


def test_a_place_in_the_last_row_is_inside_though_the_proof_is_rounded(client):
    large = np.full((1001, 3000), 90, np.uint8)  # its proof has 1280 x 427 pixels, less 0.1
    answer = client.post("/v1/photos", files={"file": ("large.png", encoded(large))})
    for route in ("suggestions", "outline"):
        spot = {"x": 1500, "y": 1000.9}
        found = client.post(f"/v1/photos/{answer.json()['id']}/{route}", json=spot)
        assert found.status_code == 200, found.text


def test_a_spot_outside_is_refused(client, opened):
    answer = client.post(f"/v1/photos/{opened['id']}/suggestions", json={"x": 513, "y": 1})
    assert answer.status_code == 422
    assert "outside the picture" in answer.json()["detail"]


@pytest.mark.slow
def test_an_outline_bounds_the_thing_at_a_place_and_fits_a_hint(client):
    picture = np.full((900, 1920), 200, np.uint8)  # larger than its proof
    picture[300:660, 600:1260] = 60
    id = client.post("/v1/photos", files={"file": ("a.png", encoded(picture, "PNG"))}).json()["id"]
    answer = client.post(f"/v1/photos/{id}/outline", json={"x": 900, "y": 480})
    assert answer.status_code == 200, answer.text
    points = np.array(answer.json()["points"])
    assert (np.abs(points.min(0) - (600, 300)) < 75).all()
    assert (np.abs(points.max(0) - (1260, 660)) < 75).all()
    hint = {"shape": "region", "points": points.tolist(), "colour": "#2c5fa8"}
    shown = client.post(f"/v1/photos/{id}/preview", json={"hints": [hint]})
    inside = decoded(shown.content)[320, 600].astype(int)
    assert inside[2] > inside[0] + 30


@pytest.mark.slow
def test_an_outline_looks_at_the_mended_photograph_where_that_is_wished(client):
    faded = encoded(110 + GRAY // 6, "PNG")
    id = client.post("/v1/photos", files={"file": ("a.png", faded)}).json()["id"]
    place, route = {"x": 250, "y": 120}, f"/v1/photos/{id}/outline"
    plain, mended = (
        client.post(route, json={**place, "restore": restore}).json()["points"]
        for restore in (False, True)
    )
    assert plain != mended


def test_an_outline_of_a_place_outside_is_refused(client, opened):
    for x in (-1, 512):
        answer = client.post(f"/v1/photos/{opened['id']}/outline", json={"x": x, "y": 1})
        assert answer.status_code == 422
        assert "outside the picture" in answer.json()["detail"]


@pytest.mark.slow
def test_confidence_is_a_gray_picture_of_the_previews_shape(client, opened):
    shown = decoded(client.post(f"/v1/photos/{opened['id']}/confidence", json={}).content)
    assert shown.ndim == 2 and shown.shape[0] == shown.shape[1]
    assert np.ptp(shown) > 20


@pytest.mark.slow
def test_a_reference_is_kept_used_and_taken_away(client, opened):
    route = f"/v1/photos/{opened['id']}"
    answer = client.post(f"{route}/preview", json={"reference": True})
    assert answer.status_code == 422 and "none was uploaded" in answer.json()["detail"]
    coloured = encoded(data.coffee())
    assert client.put(f"{route}/reference", files={"file": ("c.jpg", coloured)}).status_code == 204
    plain = client.post(f"{route}/preview", json={}).content
    assert client.post(f"{route}/preview", json={"reference": True}).content != plain
    sidecar = client.post(f"{route}/sidecar", json={"reference": True}).json()
    assert sidecar["wishes"]["reference"]["file"] == "c.jpg"
    assert client.delete(f"{route}/reference").status_code == 204
    assert client.post(f"{route}/preview", json={"reference": True}).status_code == 422


def test_a_gray_reference_is_refused_by_the_name_its_sender_knows(client, opened):
    files = {"file": ("gray.jpg", encoded(GRAY))}
    answer = client.put(f"/v1/photos/{opened['id']}/reference", files=files)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("gray.jpg: a reference must be in colour")


@pytest.mark.slow
def test_the_full_size_result_keeps_size_depth_and_metadata(client):
    exif = Image.Exif()
    exif[0x010E] = "Grandmother, 1931"
    deep = GRAY.astype(np.uint16) * 257
    content = io.BytesIO()
    Image.fromarray(deep).save(content, "PNG", exif=exif, dpi=(600, 600))
    files = {"file": ("grand mother.PNG", content.getvalue())}
    described = client.post("/v1/photos", files=files).json()
    assert described["bit_depth"] == 16
    answer = client.post(f"/v1/photos/{described['id']}/result", json={"wishes": {}})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert "grand%20mother-color.PNG" in answer.headers["content-disposition"]
    assert json.loads(answer.headers["photochrom-notes"]) == []
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (512, 512)
    assert picture.getexif()[0x010E] == "Grandmother, 1931"
    assert round(picture.info["dpi"][0]) == 600
    assert answer.content[24:26] == bytes([16, 2])  # IHDR: 16 bits, RGB


@pytest.mark.slow
def test_the_result_is_what_the_preview_showed(client, opened):
    route, guidance = f"/v1/photos/{opened['id']}", {"hints": [HINT], "saturation": 1.3}
    preview = decoded(client.post(f"{route}/preview", json=guidance).content).astype(int)
    body = {"wishes": guidance, "format": "png"}
    result = client.post(f"{route}/result", json=body)
    assert result.headers["content-disposition"] == 'attachment; filename="woman-color.png"'
    assert np.abs(preview - decoded(result.content)).mean() < 3


@pytest.mark.slow
def test_restoring_is_seen_in_the_preview_as_in_the_result(client):
    faded = encoded((GRAY * 0.4 + 70).astype(np.uint8))
    id = client.post("/v1/photos", files={"file": ("a.jpg", faded)}).json()["id"]
    pictures = []
    for guidance in ({}, {"restore": True}):
        preview = client.post(f"/v1/photos/{id}/preview", json=guidance)
        body = {"wishes": guidance, "format": "png"}
        result = decoded(client.post(f"/v1/photos/{id}/result", json=body).content)
        assert np.abs(decoded(preview.content).astype(int) - result).mean() < 3
        pictures.append(result.astype(int))
    assert np.ptp(pictures[1].mean(axis=-1)) > np.ptp(pictures[0].mean(axis=-1)) + 40


def test_the_sidecar_is_what_its_schema_says(client, opened):
    guidance = {"hints": [HINT], "mood": "forest", "candidate": 2, "vividness": 0.7}
    answer = client.post(f"/v1/photos/{opened['id']}/sidecar", json=guidance)
    jsonschema.validate(answer.json(), SCHEMA)
    assert answer.json()["wishes"]["hints"] == [
        HINT | {"points": [[100.0, 100.0]], "reach": "near", "keep": False}
    ]
    assert answer.json()["size"] == [512, 512]
    assert 'filename="woman-color.json"' in answer.headers["content-disposition"]


def test_a_white_that_is_toned_down_is_seen_in_previews_and_in_parts_at_full_size(client):
    gray = GRAY.copy()
    gray[:100, 400:] = 255
    photo = client.post("/v1/photos", files={"file": ("a.png", encoded(gray, "PNG"))}).json()
    for white, level in ((None, 255), (92, 232)):
        guidance = {"method": "gray", "white_lightness": white}
        preview = client.post(f"/v1/photos/{photo['id']}/preview", json=guidance)
        part = {"left": 420, "top": 20, "width": 60, "height": 60, "wishes": guidance}
        crop = client.post(f"/v1/photos/{photo['id']}/crop", json=part)
        assert decoded(preview.content)[40:60, 440:480].mean() == pytest.approx(level, abs=2)
        assert decoded(crop.content)[20:40, 20:40].mean() == pytest.approx(level, abs=2)
    for white in (84, 100, "92"):
        guidance = {"white_lightness": white}
        assert client.post(f"/v1/photos/{photo['id']}/preview", json=guidance).status_code == 422


@pytest.mark.parametrize(
    ("reach", "status"),
    [("thing", 200), (0.02, 200), (2, 200), (0.019, 422), (2.1, 422), ("0.5", 422), (True, 422)],
)
def test_a_reach_is_a_name_or_a_number_in_its_range(client, opened, reach, status):
    guidance = {"hints": [HINT | {"reach": reach}]}
    answer = client.post(f"/v1/photos/{opened['id']}/sidecar", json=guidance)
    assert answer.status_code == status, answer.text
    if status == 200:
        jsonschema.validate(answer.json(), SCHEMA)
        assert answer.json()["wishes"]["hints"][0]["reach"] == reach


@pytest.mark.slow
def test_a_file_goes_in_and_comes_out_coloured(client):
    files = {"file": ("a.jpg", encoded(GRAY)), "reference": ("c.jpg", encoded(data.coffee()))}
    form = {"wishes": json.dumps({"hints": [HINT]}), "format": "webp"}
    answer = client.post("/v1/colorize", files=files, data=form)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    assert 'filename="a-color.webp"' in answer.headers["content-disposition"]
    red, _, blue = decoded(answer.content)[100, 100].astype(int)
    assert red > blue + 20
    plain = client.post("/v1/colorize", files={"file": files["file"]}, data=form)
    assert plain.content != answer.content  # a reference that is sent is used


@pytest.mark.slow
def test_a_zip_holds_every_photograph_once_by_its_own_name(client, opened):
    other = client.post("/v1/photos", files={"file": ("WOMAN.jpg", encoded(GRAY[:100]))}).json()
    photos = [{"id": opened["id"]}, {"id": other["id"], "wishes": {"method": "gray"}}]
    answer = client.post("/v1/zip", json={"photos": photos})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["woman-color.jpg", "WOMAN-color-2.jpg"]
        assert decoded(archive.read("WOMAN-color-2.jpg")).shape[:2] == (100, 512)


@pytest.mark.slow
def test_a_zip_says_what_could_not_be_coloured(client, opened):
    photos = [{"id": opened["id"], "wishes": {"method": "levin"}}, {"id": opened["id"]}]
    answer = client.post("/v1/zip", json={"photos": photos})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["woman-color.jpg", "not-coloured.txt"]
        assert b"needs hints" in archive.read("not-coloured.txt")


def test_a_closed_photograph_is_gone_with_its_folder(client, opened):
    service = client.app.state.service
    with service.sessions.hold(opened["id"]) as session:
        folder = session.folder
    route = f"/v1/photos/{opened['id']}"
    assert client.delete(route).status_code == 204
    assert not folder.exists()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/gray")):
        assert client.request(method, route + path).status_code == 404
    body = {"photos": [{"id": opened["id"]}]}
    assert client.post("/v1/zip", json=body).status_code == 404


@pytest.mark.slow
def test_an_older_preview_gives_way_to_a_newer_one(client, opened):
    statuses = []

    def ask(number):
        body = {"hints": [HINT | {"points": [[number, number]]}]}
        statuses.append(client.post(f"/v1/photos/{opened['id']}/preview", json=body).status_code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 409}


@pytest.mark.slow
def test_nothing_is_left_in_the_folder_but_photographs(client, opened):
    root = client.app.state.service.sessions.new_folder().parent
    before = {path for path in root.iterdir() if not (path / "photo").exists()}
    client.post(f"/v1/photos/{opened['id']}/result", json={})
    client.post("/v1/zip", json={"photos": [{"id": opened["id"]}]})
    client.post("/v1/photos", files={"file": ("a.jpg", b"nothing")})
    client.post("/v1/colorize", files={"file": ("a.jpg", encoded(GRAY[:64, :64]))})
    client.put(f"/v1/photos/{opened['id']}/reference", files={"file": ("a.jpg", b"nothing")})
    assert {path for path in root.iterdir() if not (path / "photo").exists()} == before


def png(width, height, rows):
    """Build a PNG that claims a size and brings these compressed rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def pages_of_black(count, side):
    first, *others = [Image.new("1", (side, side))] * count
    content = io.BytesIO()
    first.save(content, "TIFF", save_all=True, append_images=others, compression="group4")
    return content.getvalue()


HOSTILE = {
    "a size bomb": (png(60000, 60000, b""), 413),
    "a bomb of many pages": (pages_of_black(30, 3000), 413),
    "a zip bomb in place of rows": (png(64, 64, zlib.compress(bytes(50_000_000))), None),
    "half a photograph": (encoded(GRAY)[:10000], None),
    "a header alone": (encoded(GRAY)[:300], 422),
    "no picture": (b"MZ" + bytes(1000), None),
    "a script": (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>", 415),
    "a PDF": (b"%PDF-1.7\n" + bytes(100), 415),
    "nothing": (b"", 422),
}


@pytest.mark.slow
@pytest.mark.parametrize("content, status", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_costs_its_request_alone(client, opened, content, status):
    answer = client.post("/v1/photos", files={"file": ("hostile.jpg", content)})
    assert answer.status_code in ((status,) if status else (201, 415, 422)), answer.text
    if answer.status_code != 201:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"].startswith("hostile.jpg: ")
    preview = client.post(f"/v1/photos/{opened['id']}/preview", json={})
    assert preview.status_code == 200


def test_a_photograph_that_ends_early_fails_as_a_whole_at_full_size(client):
    files = {"file": ("torn.png", encoded(GRAY, "PNG")[:60000])}
    answer = client.post("/v1/colorize", files=files)
    assert answer.status_code == 422 and answer.json()["detail"].startswith("torn.png: ")


@pytest.mark.parametrize(
    "name, shown",
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "photo"),
        ("..", "photo"),
        ("Großmutter 1931.jpg", "Großmutter 1931.jpg"),
        ("x" * 500 + ".jpg", "x" * 116 + ".jpg"),
    ],
)
def test_a_name_is_a_name_and_never_a_path(client, name, shown):
    answer = client.post("/v1/photos", files={"file": (name, encoded(GRAY[:32, :32]))})
    assert answer.json()["name"] == shown


def test_a_name_keeps_nothing_that_could_harm_a_terminal_or_a_header():
    assert clean_name("a\tb\x1b[31m\r\nX: y.jpg\ud800") == "ab[31mX: y.jpg"


@pytest.mark.parametrize(
    "guidance, said",
    [
        ({"hints": [HINT] * 1001}, "hints"),
        ({"hints": [HINT | {"shape": "stroke", "points": [[1, 1]] * 1001}] * 20}, "20000 points"),
        ({"hints": [HINT | {"shape": "stroke", "points": [[1, 1]] * 2001}]}, "points"),
        ({"hints": [HINT | {"radius": 0}]}, "radius"),
        ({"hints": [HINT | {"colour": "red"}]}, "colour"),
        ({"hints": [HINT | {"points": [[1e300, 0]]}]}, "points"),
        ({"hints": [HINT | {"points": [[1, 2], [3, 4]]}]}, "A point needs 1 to 1 points"),
        ({"colour": "#000000"}, "colour"),
        ({"method": "/etc/network.onnx"}, "none of"),
        ({"vividness": 2}, "vividness"),
        ({"vividness": "0.5"}, "vividness"),
        ({"palette": ["#000000"], "mood": "dusk"}, "not both"),
        ({"seed": -1}, "seed"),
        ({"method": "levin"}, "needs hints"),
        ([], "dictionary"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wishes_that_cannot_be_are_refused_with_a_sentence(client, opened, guidance, said):
    answer = client.post(f"/v1/photos/{opened['id']}/preview", json=guidance)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"vividness": NaN}', b'{"vividness": 1e999}', b'"\\ud800"', b"\xff"],
)
def test_json_that_is_none_is_refused(client, opened, content):
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/v1/photos/{opened['id']}/preview", content=content, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.slow
def test_hints_that_cover_the_whole_picture_many_times_are_drawn_in_the_worker(client, opened):
    random = np.random.default_rng(0)
    stroke = HINT | {"shape": "stroke", "points": random.uniform(0, 512, (500, 2)).tolist()}
    guidance = {"hints": [stroke]}
    service = client.app.state.service
    seen = []
    original = service.worker.run_if
    service.worker.run_if = lambda wanted, job, *args: (
        seen.append(job.__name__),
        original(wanted, job, *args),
    )[1]
    try:
        answer = client.post(f"/v1/photos/{opened['id']}/preview", json=guidance)
    finally:
        service.worker.run_if = original
    assert answer.status_code == 200 and seen == ["preview"]


def test_the_page_is_served_fresh_and_nothing_beside_it(client):
    answer = client.get("/")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache" and answer.headers["etag"]
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd", "/docs", "/redoc"):
        assert client.get(path).status_code == 404


def test_a_strangers_method_is_no_label(client):
    client.request("FROBNICATE", "/healthz")
    assert "FROBNICATE" not in client.get("/metrics").text


def test_a_disk_that_is_full_is_the_services_fault(client, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    service = client.app.state.service
    file = {"file": ("a.jpg", encoded(GRAY))}
    with monkeypatch.context() as patch:
        patch.setattr("photochrom.service.sessions.tempfile.mkdtemp", full)
        told = [client.post("/v1/photos", files=file)]
    with monkeypatch.context() as patch:
        patch.setattr("starlette.formparsers.UploadFile.write", full)
        told.append(client.post("/v1/photos", files=file))
    assert [answer.status_code for answer in told] == [503, 503]
    for answer in told:
        assert "No space left on device" in answer.json()["detail"]
        assert answer.headers["retry-after"]
    assert list(service.sessions.new_folder().iterdir()) == []


def test_heavy_work_that_newer_work_replaces_is_not_begun():
    async def ask():
        worker = Worker(Limits(jobs=1))
        with pytest.raises(HTTPException) as refused:
            await worker.run_if(lambda: False, os.getpid)
        return refused.value.status_code, worker.pids

    assert asyncio.run(ask()) == (409, [])


@pytest.mark.parametrize(
    "body",
    [
        rb'{"method": "\ud800"}',
        rb'{"mood": "\udfff"}',
        rb'{"\ud800": 1}',
        rb'{"palette": ["\ud800"]}',
        rb'{"hints": [{"shape": "point", "points": [[1, 1]], "colour": "\ud800"}]}',
        b'{"method": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b'{"seed": ' + b"9" * 5000 + b"}",
    ],
)
@pytest.mark.parametrize("route", ["preview", "sidecar", "confidence"])
def test_text_that_is_none_and_json_without_end_are_refused(client, opened, body, route):
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/v1/photos/{opened['id']}/{route}", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text


def test_a_whole_pair_of_surrogates_is_a_character(client, opened):
    body = rb'{"method": "\ud83d\ude00"}'
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/v1/photos/{opened['id']}/preview", content=body, headers=headers)
    assert "is none of gray" in answer.json()["detail"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"seed": 24.0}, 200),
        ({"seed": 1e3, "candidate": 1.0, "working_px": 64.0}, 200),
        ({"seed": 24.5}, 422),
        ({"seed": True}, 422),
        ({"seed": "24"}, 422),
        ({"seed": 1e300}, 422),
        ({"seed": -1.0}, 422),
    ],
)
def test_a_number_without_fraction_is_whole(client, opened, wish, status):
    answer = client.post(f"/v1/photos/{opened['id']}/preview", json=wish)
    assert answer.status_code == status, answer.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"quality": "90"}, 200),
        ({"quality": "90.0"}, 200),
        *(({"quality": text}, 422) for text in ("٩٠", "9_0", "９０", "90.5")),
        *(({"float_range": text}, 422) for text in ("٠,١", "0,１", "0,1\n", "0_0,1")),
    ],
)
def test_a_forms_numbers_are_in_the_digits_0_to_9(client, fields, status):
    files = {"file": ("a.jpg", encoded(GRAY[:64, :64]))}
    answer = client.post("/v1/colorize", files=files, data=fields)
    assert answer.status_code == status, answer.text


def form(content, client, charset=""):
    headers = {"Content-Type": f"multipart/form-data; boundary=x{charset}"}
    return client.post("/v1/colorize", content=content, headers=headers)


def part(name, content, filename=None):
    named = f'; filename="{filename}"' if filename else ""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + content + b"\r\n"


@pytest.mark.parametrize("charset", ["utf-7", "idna", "punycode", "unicode_escape", "hex"])
def test_a_form_in_an_odd_code_is_refused(client, charset):
    content = part("file", encoded(GRAY[:32, :32]), "a.jpg") + part("wishes", b"+2AA-") + b"--x--"
    assert form(content, client, f"; charset={charset}").status_code == 400


@pytest.mark.parametrize(
    "content",
    [
        part("file", b"x", "a.jpg") * 5,
        part("file", b"x", "a.jpg") + part("quality", b"1") * 9,
        part("file", b"x", "a.jpg") + part("wishes", b" " * 4_000_001),
    ],
    ids=["files", "fields", "a long field"],
)
def test_a_form_of_more_than_the_routes_know_is_refused_before_it_fills_memory(client, content):
    assert form(content + b"--x--\r\n", client).status_code == 400


@pytest.mark.slow
@pytest.mark.parametrize("filename", ["/dev/stdin", "..", "a\x00b", "%0d%0aX: y", "con.jpg", "-"])
def test_a_file_of_an_odd_name_is_only_its_bytes(client, filename):
    content = part("file", encoded(GRAY[:32, :32]), filename) + b"--x--\r\n"
    answer = form(content, client)
    assert answer.status_code == 200 and "x" not in answer.headers


@pytest.mark.slow
def test_a_client_makes_so_many_zips_at_once_and_leaves_places_to_others():
    limits = Limits(jobs=1, zips=3, zips_each=2)
    app = create_app(limits)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        opened = client.post("/v1/photos", files={"file": ("a.jpg", encoded(GRAY[:64, :64]))})
        body = {"photos": [{"id": opened.json()["id"]}]}
        places = app.state.service.zips
        held = [places.take("testclient") for _ in range(2)]
        refused = client.post("/v1/zip", json=body)
        assert refused.status_code == 503 and "zips" in refused.json()["detail"]
        held[0].leave()
        for _ in range(3):  # each gives its place back
            assert client.post("/v1/zip", json=body).status_code == 200
        assert len(places) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "hints",
    [
        [{"shape": "stroke", "points": [[1, 1]] * 650}] * 200,
        [{"shape": "stroke", "points": [[1]] * 900}] * 190,
        [{"shape": "stroke", "points": [[1, "x"]] * 100}] * 900,
    ],
    ids=["many points", "many that are none", "many that are no numbers"],
)
def test_a_body_that_would_take_long_to_read_is_refused_at_once(client, opened, hints):
    body = {"hints": hints}
    started = time.process_time()
    answer = client.post(f"/v1/photos/{opened['id']}/preview", json=body)
    files = {"file": ("a.jpg", encoded(GRAY[:32, :32]))}
    formed = client.post("/v1/colorize", files=files, data={"wishes": json.dumps(body)})
    assert {answer.status_code, formed.status_code} <= {413, 422}
    assert time.process_time() - started < 5  # of two requests; the service is in this process
