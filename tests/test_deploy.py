"""What is in deploy/ is consistent with the application, the command and itself.

No image is built here: that needs a builder and the network.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from cyclopts import CycloptsError
from starlette.testclient import TestClient

from photochrom import __version__
from photochrom.cli import build_app
from photochrom.service.application import create_app
from photochrom.service.counters import Metrics
from photochrom.service.limits import Limits
from photochrom.service.middleware import LOOPBACK_NAMES

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "Containerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
JOB, POLICY = yaml.safe_load_all((DEPLOY / "rayjob.yaml").read_text())
USER = 10001
KEY = "secret"


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return the instructions of each stage of the Containerfile, continued lines joined."""
    found: dict[str, list[tuple[str, str]]] = {}
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE))
    stage = ""
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            image, _, stage = rest.partition(" AS ")
            found[stage] = list(found.get(image, []))
        elif stage:
            found[stage].append((word, rest))
    return found


STAGES = stages()


def last(stage, word):
    return [rest for name, rest in STAGES[stage] if name == word][-1]


def parses(words):
    """Let the real command parse its words."""
    try:
        build_app().parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        pytest.fail(f"{words}: {error}")


def test_the_containerfile_has_no_complaint_of_hadolint():
    hadolint = shutil.which(
        "hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    )
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, str(DEPLOY / "Containerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_there_are_the_three_images_and_none_runs_as_root():
    assert set(STAGES) == {"wheel", "base", "command", "service", "cluster"}
    assert f"useradd --uid {USER} --gid {USER}" in " ".join(r for _, r in STAGES["base"])
    for stage in ("command", "service", "cluster"):
        assert last(stage, "USER") == f"{USER}:{USER}"
        assert STAGES[stage].index(("USER", f"{USER}:{USER}")) > max(
            number for number, (word, _) in enumerate(STAGES[stage]) if word == "RUN"
        )


def test_the_images_install_extras_that_exist():
    known = (ROOT / "pyproject.toml").read_text()
    for stage in ("command", "service", "cluster"):
        installed = next(r for w, r in STAGES[stage] if "photochrom-*.whl" in r)
        (extras,) = re.findall(r"photochrom-\*\.whl\)\[([\w,]+)\]", installed)
        for extra in extras.split(","):
            comes = {"cluster", "storage"}  # with --cluster
            assert re.search(rf"^{extra} = \[", known, re.MULTILINE) or extra in comes, extra


@pytest.mark.slow
def test_what_the_build_copies_is_enough_for_the_wheel(tmp_path):
    copied = [rest.split() for word, rest in STAGES["wheel"] if word == "COPY"]
    names = [name for *sources, _ in copied for name in sources]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in names} == {line for line in ignored if line.startswith("!")}
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "made", "."]
    if find_spec("hatchling") is None or find_spec("hatch_fancy_pypi_readme") is None:
        words.remove("--no-isolation")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "made").glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {"photochrom/weights/photochrom.onnx", "photochrom/service/page/index.html"} <= held


def test_the_command_lines_are_those_of_the_command():
    for stage in ("command", "service"):
        assert json.loads(last(stage, "ENTRYPOINT")) == ["photochrom"]
    parses(json.loads(last("service", "CMD")))
    parses(COMPOSE["services"]["photochrom"]["command"])
    program, *words = shlex.split(JOB["spec"]["entrypoint"])
    assert program == "photochrom"
    assert {"--cluster", "--resume"} <= set(words)
    parses(words)


def healthy(port="8000"):
    """Return the addresses that the health checks of the service ask for."""
    checks = [last("service", "HEALTHCHECK")]
    checks += [" ".join(COMPOSE["services"]["photochrom"]["healthcheck"]["test"])]
    return [re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", check).groups() for check in checks]


def test_the_health_checks_and_prometheus_get_answers():
    service = COMPOSE["services"]["photochrom"]
    scrape = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    (target,) = scrape["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert COMPOSE["services"][host] is service
    allowed = [w.partition("=")[2] for w in service["command"] if w.startswith("--allow-host=")]
    app = create_app(
        Limits(), api_key=KEY, hosts={*LOOPBACK_NAMES, "0.0.0.0", *allowed}, any_address=True
    )
    with TestClient(app) as client:
        for asked, path in healthy():
            assert asked == port == last("service", "EXPOSE")
            assert client.get(path, headers={"Host": f"127.0.0.1:{asked}"}).status_code == 200
        asked = scrape["metrics_path"], {"Host": target}
        assert client.get(asked[0], headers=asked[1]).status_code == 401
        by_key = {"Authorization": f"{scrape['authorization']['type']} {KEY}"}
        answer = client.get(asked[0], headers=asked[1] | by_key)
        assert answer.status_code == 200
        assert "photochrom_requests_total" in answer.text
        paths = client.get("/openapi.json", headers=by_key | {"Host": "127.0.0.1"}).json()["paths"]
    rules = (DEPLOY / "alerts.yml").read_text()
    assert set(re.findall(r'route="([^"]+)"', rules)) <= set(paths)
    assert f'job="{scrape["job_name"]}"' in rules


def test_the_alerts_use_metrics_that_the_service_has():
    metrics = Metrics()
    metrics.requests.labels("GET", "/", "200").inc()
    metrics.seconds.labels("/").observe(1)
    known = set(re.findall(r"^(photochrom_\w+)", metrics.text().decode(), re.MULTILINE))
    rules = (DEPLOY / "alerts.yml").read_text()
    used = set(re.findall(r"photochrom_\w+", rules))
    assert len(used) >= 3
    assert used <= known
    for group in yaml.safe_load(rules)["groups"]:
        for rule in group["rules"]:
            assert rule["alert"] and rule["expr"] and rule["annotations"]["summary"]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_composed_service_is_locked_and_bounded(name):
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert int(service["user"].partition(":")[0]) > 0
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    for secret in service["secrets"]:
        assert COMPOSE["secrets"][secret]["file"].startswith("./secrets/")
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for volume in service["volumes"]:
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or (DEPLOY / source).is_file(), source


def test_the_composed_service_is_built_from_its_target_and_writes_where_it_may():
    service = COMPOSE["services"]["photochrom"]
    build = service["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Containerfile")
    assert build["target"] in STAGES
    assert service["user"] == last("service", "USER")
    scratch = last("service", "WORKDIR")
    assert f"TMPDIR={scratch}" in {r for w, r in STAGES["service"] if w == "ENV"}
    assert f"scratch:{scratch}" in service["volumes"]
    keys = next(w for w in service["command"] if w.startswith("--api-keys="))
    assert keys == f"--api-keys=/run/secrets/{service['secrets'][0]}"


def pods():
    """Return the pods of the job, by name."""
    cluster = JOB["spec"]["rayClusterSpec"]
    found = {"submitter": JOB["spec"]["submitterPodTemplate"]}
    found["head"] = cluster["headGroupSpec"]["template"]
    return found | {g["groupName"]: g["template"] for g in cluster["workerGroupSpecs"]}


@pytest.mark.parametrize("name", pods())
def test_a_pod_is_locked_and_bounded(name):
    pod, labels = pods()[name]["spec"], pods()[name]["metadata"]["labels"]
    assert pod["automountServiceAccountToken"] is False
    user = pod["securityContext"]
    assert user["runAsNonRoot"] is True
    assert user["runAsUser"] == user["fsGroup"] == USER
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert labels == POLICY["spec"]["podSelector"]["matchLabels"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        locked = container["securityContext"]
        assert locked["readOnlyRootFilesystem"] is True
        assert locked["allowPrivilegeEscalation"] is False
        assert locked["capabilities"] == {"drop": ["ALL"]}
        for bound in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][bound])
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounted.keys() <= volumes
        assert mounted["tmp"] == "/tmp"  # the root is read-only
        if name != "submitter":
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                assert container[probe]["exec"]["command"][0] == "python"
                compile(container[probe]["exec"]["command"][2], "probe", "exec")


def test_the_job_has_what_kuberay_requires():
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    spec = JOB["spec"]
    assert spec["submissionMode"] in {"K8sJobMode", "HTTPMode", "InteractiveMode"}
    assert spec["submitterPodTemplate"]["spec"]["restartPolicy"] in {"Never", "OnFailure"}
    assert spec["ttlSecondsAfterFinished"] > 0 and spec["shutdownAfterJobFinishes"] is True
    cluster = spec["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        started = group["rayStartParams"]
        assert all(isinstance(value, str) for value in started.values())  # KubeRay takes no others
        assert started["disable-usage-stats"] == "true"
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_images_and_versions_are_the_same_wherever_they_stand():
    images = {c["image"] for pod in pods().values() for c in pod["spec"]["containers"]}
    assert images == {f"photochrom-cluster:{__version__}"}
    assert COMPOSE["services"]["photochrom"]["image"] == f"photochrom-service:{__version__}"
    assert f"photochrom-service:{__version__}" in TEXT
    (ray,) = re.findall(r"^ARG RAY=(\S+)$", TEXT, re.MULTILINE)
    assert JOB["spec"]["rayClusterSpec"]["rayVersion"] == ray
    project = (ROOT / "pyproject.toml").read_text()
    if bounds := re.search(r"ray\[data\]>=(\d+)\.(\d+),<(\d+)\.(\d+)", project):
        low, high = tuple(map(int, bounds.groups()[:2])), tuple(map(int, bounds.groups()[2:]))
        assert low <= tuple(map(int, ray.split(".")[:2])) < high
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", TEXT, re.MULTILINE)
    assert f"Programming Language :: Python :: {python}" in project


def test_only_the_cluster_s_own_pods_and_kuberay_reach_it():
    assert (POLICY["apiVersion"], POLICY["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy")
    assert POLICY["spec"]["policyTypes"] == ["Ingress"]
    own, operator = POLICY["spec"]["ingress"]
    assert own["from"] == [{"podSelector": POLICY["spec"]["podSelector"]}]
    assert [port["port"] for port in operator["ports"]] == [8265]


def test_nothing_in_deploy_carries_a_secret():
    for file in DEPLOY.iterdir():
        if file.is_file():
            given = r"(?i)(password|access_key\w*|api_key)['\"]?\s*[:=]\s*['\"]?\w"
            assert not re.search(given, file.read_text()), file
