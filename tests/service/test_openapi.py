import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi import checks
from tests.service.conftest import GRAY, encoded, served

from photochrom import __version__
from photochrom.service.application import create_app
from photochrom.service.limits import Limits

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
TRIED = settings(
    max_examples=5,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
OPENAPI = create_app().openapi()


@pytest.fixture(scope="module")
def url():
    with served(Limits(jobs=1, pause_seconds=2, job_seconds=120)) as (url, _):
        yield url


schema = schemathesis.openapi.from_dict(OPENAPI)
schema.config.phases.update(phases=["examples", "fuzzing"])


def open_photo(url):
    files = {"file": ("a.jpg", encoded(GRAY[:96, :64]))}
    return httpx2.post(f"{url}v1/photos", files=files, timeout=60).json()["id"]


@pytest.mark.slow
@schema.parametrize()
@TRIED
def test_every_answer_is_one_that_the_description_knows(case, url):
    if "id" in case.path_parameters and len(case.path_parameters["id"]) % 4:
        case.path_parameters["id"] = open_photo(url)
    response = case.call(base_url=url)
    assert response.status_code < 500 or response.status_code == 503, response.text
    case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize(
    "path, method",
    [(path, method) for path, methods in OPENAPI["paths"].items() for method in methods],
)
def test_every_route_is_described(path, method):
    described = OPENAPI["paths"][path][method]
    assert described["description"]
    for status, answer in described["responses"].items():
        if int(status) >= 400:
            assert list(answer["content"]) == ["application/problem+json"], status
        else:
            assert ("content" in answer) == (status != "204")


def test_the_description_names_the_key_where_one_is_needed():
    assert "security" not in OPENAPI
    described = create_app(api_key="key").openapi()
    scheme = described["components"]["securitySchemes"]["key"]
    assert scheme == {"type": "http", "scheme": "bearer"}
    assert described["security"] == [{"key": []}]
    assert described["paths"]["/healthz"]["get"]["security"] == []


def test_the_description_names_the_version_and_every_promised_route():
    assert OPENAPI["info"]["version"] == __version__
    kept = {
        f"{method.upper()} {path}"
        for path, methods in OPENAPI["paths"].items()
        for method in methods
    }
    assert kept == {
        "GET /",
        "GET /healthz",
        "GET /metrics",
        "GET /v1/limits",
        "GET /v1/methods",
        "GET /v1/moods",
        "POST /v1/colorize",
        "POST /v1/photos",
        "GET /v1/photos/{id}",
        "DELETE /v1/photos/{id}",
        "GET /v1/photos/{id}/gray",
        "GET /v1/photos/{id}/original",
        "POST /v1/photos/{id}/crop",
        "POST /v1/photos/{id}/preview",
        "POST /v1/photos/{id}/candidates",
        "POST /v1/photos/{id}/suggestions",
        "POST /v1/photos/{id}/outline",
        "POST /v1/photos/{id}/confidence",
        "PUT /v1/photos/{id}/reference",
        "DELETE /v1/photos/{id}/reference",
        "POST /v1/photos/{id}/result",
        "POST /v1/photos/{id}/sidecar",
        "POST /v1/zip",
        "POST /v1/videos",
        "GET /v1/videos/{id}",
        "DELETE /v1/videos/{id}",
        "POST /v1/videos/{id}/job",
        "DELETE /v1/videos/{id}/job",
        "GET /v1/videos/{id}/result",
        "POST /v1/videos/{id}/references",
        "GET /v1/videos/{id}/shots",
        "GET /v1/videos/{id}/frame",
    }
