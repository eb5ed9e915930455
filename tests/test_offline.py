"""Nothing leaves the machine, and nothing is written but what was asked for.

The command, the library and the service run in a network namespace of their own, whose counters
tell of every datagram, every connection and every attempt that found no route.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COUNTERS = """
import json, subprocess, sys

def counters():
    found = {}
    lines = open("/proc/net/snmp").read().splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        kind, *names = names.split()
        found |= {kind + name: int(value) for name, value in zip(names, values.split()[1:])}
    for line in open("/proc/net/snmp6"):
        name, value = line.split()
        found[name] = int(value)
    watched = (
        "Tcp:ActiveOpens", "Udp:OutDatagrams", "Ip:OutNoRoutes", "Udp6OutDatagrams",
        "Ip6OutNoRoutes", "Icmp:OutEchos",
    )
    return {name: found.get(name, 0) for name in watched}

before = counters()
done = subprocess.run([sys.executable, *sys.argv[1:]], capture_output=True, text=True)
after = counters()
used = {name: after[name] - before[name] for name in after if after[name] != before[name]}
print(json.dumps({"used": used, "code": done.returncode, "said": done.stdout + done.stderr}))
"""
COMMAND = "from photochrom.cli import main; main()"
LIBRARY = """
import time
import numpy as np
import photochrom

colorizer = photochrom.Colorizer()
for tone in range(3):
    colorizer.colorize(np.full((64, 64), 90 + tone, np.uint8))
    time.sleep(1)  # what reports does so after a while, from a thread of its own
"""
TROUBLE = """
import socket
try:
    socket.create_connection(("192.0.2.1", 443), 1)
except OSError:
    pass
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(("192.0.2.1", 53))
"""
SERVICE = """
import re, subprocess, sys, time, urllib.request

words = ["serve", "--port", "0", "--no-browser"]
command = [sys.executable, "-c", "from photochrom.cli import main; main()", *words]
service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
try:
    address = re.search(r"http://\\S+", service.stderr.readline())[0]
    part = b'--x\\r\\nContent-Disposition: form-data; name="file"; filename="a.png"\\r\\n\\r\\n'
    body = part + open(sys.argv[1], "rb").read() + b"\\r\\n--x--\\r\\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(address + "v1/colorize", body, kind)
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200
    time.sleep(3)
finally:
    service.terminate()
    service.communicate(timeout=30)
"""


def unshare() -> list[str]:
    """Return the words that run something in a network of its own; skip where that cannot be."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not here: util-linux has it")
    words = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no network namespaces here: {tried.stderr.strip()}")
    return words


@pytest.fixture
def places(tmp_path):
    for name in ("home", "temporary", "work"):
        (tmp_path / name).mkdir()
    return tmp_path


def run(places: Path, *words: str, loopback: bool = False, **extra: str):
    """Run Python with these words; give what it used of the network, and what it said."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")}
    # Somebody's own setting must not turn reports on.
    environment = {**kept, "HOME": str(places / "home"), "TMPDIR": str(places / "temporary")}
    environment |= {"ORT_DISABLE_TELEMETRY": "0", "FASTAPI_OTEL_AUTO_CONFIGURE": "true"}
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://192.0.2.1:4318", **extra}
    up = [sys.executable, "-c", LOOPBACK] if loopback else []
    command = [*unshare(), *up, sys.executable, "-c", COUNTERS, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=places / "work", timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# Bring the loopback interface up (SIOCSIFFLAGS of netdevice(7)), then run the rest.
LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
    fcntl.ioctl(plug, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))
os.execv(sys.argv[1], sys.argv[1:])
"""


def written(places: Path) -> list[str]:
    return sorted(str(p.relative_to(places)) for p in places.rglob("*") if not p.is_dir())


def draw(folder: Path, *names: str) -> None:
    for name in names:
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 80), np.uint8)).save(
            folder / name
        )


def test_the_counters_tell_of_an_attempt(places):
    assert run(places, "-c", TROUBLE)["used"]


@pytest.mark.slow
def test_the_command_makes_no_connection_and_writes_its_result_alone(places):
    draw(places / "work", "a.png", "b.jpg")
    one = run(places, "-c", COMMAND, "a.png")
    assert (one["code"], one["used"]) == (0, {}), one
    many = run(places, "-c", COMMAND, "a.png", "b.jpg", "-o", "out")
    assert (many["code"], many["used"]) == (0, {}), many
    results = ["a-color.png", "a.png", "b.jpg", "out/a-color.png", "out/b-color.jpg"]
    assert written(places) == [f"work/{name}" for name in results]


@pytest.mark.slow
def test_a_manifest_and_an_archive_of_this_machine_need_no_connection(places):
    draw(places / "work", "a.png", "b.png")
    (places / "work" / "m.csv").write_text("path\na.png\n")
    with zipfile.ZipFile(places / "work" / "z.zip", "w") as packed:
        packed.write(places / "work" / "b.png", "b.png")
    for source in ("m.csv", "z.zip"):
        done = run(places, "-c", COMMAND, source, "-o", "out", "-m", "gray")
        assert (done["code"], done["used"]) == (0, {}), done
    made = [name for name in written(places) if "run.parquet" not in name]
    results = ["a.png", "b.png", "m.csv", "out/a-color.png", "out/z/b-color.png", "z.zip"]
    assert made == [f"work/{name}" for name in results]


@pytest.mark.slow
def test_the_library_makes_no_connection_and_writes_nothing(places):
    done = run(places, "-c", LIBRARY)
    assert (done["code"], done["used"]) == (0, {}), done
    assert written(places) == []


@pytest.mark.slow
def test_the_service_makes_no_connection_but_those_it_is_asked_by(places):
    draw(places / "work", "a.png")
    done = run(places, "-c", SERVICE, "a.png", loopback=True)
    assert done["code"] == 0, done
    assert done["used"] == {"Tcp:ActiveOpens": 1}, done  # the client's
    assert written(places) == ["work/a.png"]
