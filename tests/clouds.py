"""Servers that speak Google's and Azure's protocols on this machine, for tests.

The tests run after `pip install '.[azure,gcs]' gcp-storage-emulator` and `npm install azurite`, if
PATH leads to its `azurite-blob`. Otherwise they are skipped.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import Any
from urllib.request import Request, urlopen

from tests.servers import await_listener, free_port

AZURITE = shutil.which("azurite-blob")
MISSING = {
    "gs": [n for n in ("gcsfs", "gcp_storage_emulator") if find_spec(n) is None],
    "abfs": ["adlfs"] * (find_spec("adlfs") is None) + ["azurite-blob"] * (AZURITE is None),
}
# What every installation of Azurite has; it is in Microsoft's documentation.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def running(scheme: str) -> Iterator[str]:
    """Run a server; yield its address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        if scheme == "gs":
            command = [sys.executable, "-m", "gcp_storage_emulator", "start", "-q", "-M"]
            command += ["--host", "127.0.0.1", "--port", str(port)]
        else:
            command = [str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
            command += ["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
        log = subprocess.DEVNULL
        # A group of its own: node may be started by a process that does not end its child.
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
        try:
            await_listener(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


class Gate(ThreadingHTTPServer):
    """Passes requests on to a server, except those whose path has a part of `refused`."""

    daemon_threads = True

    def __init__(self, server: str) -> None:
        self.server, self.refused = server, dict[str, int]()
        super().__init__(("127.0.0.1", 0), _Passing)
        self.address = f"http://127.0.0.1:{self.server_port}"


class _Passing(BaseHTTPRequestHandler):
    server: Gate

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        refused = [s for part, s in self.server.refused.items() if part in self.path]
        if refused:
            said = {"error": {"code": refused[0], "message": "refused"}}
            self._answer(refused[0], [], json.dumps(said).encode())
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        asked = Request(self.server.server + self.path, body or None, headers, method=self.command)
        try:
            with urlopen(asked) as answer:
                self._answer(answer.status, answer.headers.items(), answer.read())
        except OSError as error:  # an answer of 400 and more
            self._answer(getattr(error, "code", 502), [], b"")

    def _answer(self, status: int, headers: Any, body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        size = {name.lower(): value for name, value in headers}.get("content-length")
        is_whole = self.command != "HEAD" or size is None
        self.send_header("Content-Length", str(len(body)) if is_whole else str(size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _pass  # noqa: N815

    def log_message(self, *words: Any) -> None:
        pass


@contextmanager
def gate(server: str) -> Iterator[Gate]:
    """Run a `Gate` before a server."""
    with Gate(server) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def settings(scheme: str, server: str) -> dict[str, str]:
    """Return the variables by which a storage's own library finds a server."""
    if scheme == "gs":
        return {"STORAGE_EMULATOR_HOST": server, "NO_GCE_CHECK": "true"}
    return {
        "AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};"
        f"AccountKey={KEY};BlobEndpoint={server}/{ACCOUNT};"
    }


class Bucket:
    """A bucket, filled without the library that is tested."""

    def __init__(self, scheme: str, server: str, name: str) -> None:
        self.scheme, self.server, self.name = scheme, server, name
        self.address = f"{scheme}://{name}"
        if scheme == "gs":
            from google.auth.credentials import AnonymousCredentials
            from google.cloud.storage import Client

            options = {"api_endpoint": server}
            client = Client("tests", AnonymousCredentials(), client_options=options)
            self._made: Any = client.create_bucket(name)
        else:
            from azure.storage.blob import BlobServiceClient

            text = settings(scheme, server)["AZURE_STORAGE_CONNECTION_STRING"]
            self._made = BlobServiceClient.from_connection_string(text).create_container(name)

    def put(self, name: str, content: bytes = b"content") -> None:
        """Write an object."""
        if self.scheme == "gs":
            self._made.blob(name).upload_from_string(content)
        else:
            self._made.upload_blob(name, content, overwrite=True)

    def get(self, name: str) -> bytes:
        """Read an object."""
        if self.scheme == "gs":
            return bytes(self._made.blob(name).download_as_bytes())
        return bytes(self._made.download_blob(name).readall())

    def names(self, begin: str = "") -> list[str]:
        """Return the names of all objects."""
        return sorted(self.states(begin))

    def states(self, begin: str) -> dict[str, Any]:
        """Return the ETag of each object."""
        if self.scheme == "gs":
            return {blob.name: blob.generation for blob in self._made.list_blobs(prefix=begin)}
        return {b.name: b.etag for b in self._made.list_blobs(name_starts_with=begin)}


def forget(scheme: str) -> None:
    """Forget connections: the next test has another server."""
    if scheme == "gs":
        from gcsfs.core import GCSFileSystem as Files
    else:
        from photochrom.photo.azure import Containers as Files
    Files.clear_instance_cache()


def set_environment(patch: Any, scheme: str, server: str) -> None:
    """Let the storage's library find a server, and no credentials of this machine."""
    for name in [n for n in os.environ if n.startswith(("AZURE_", "GOOGLE_", "GCSFS_"))]:
        patch.delenv(name)
    for name, value in settings(scheme, server).items():
        patch.setenv(name, value)
    forget(scheme)
