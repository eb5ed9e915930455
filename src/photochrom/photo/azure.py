"""Azure's containers by `adlfs`, with names as they are and folders listed as a whole.

adlfs itself takes `?` and `#` in a name for parts of a web address, and omits folders with a space
at the end or with the name of a blob. It also lists folders whose names only begin alike.
"""

import os
from errno import ENOENT
from mimetypes import guess_type
from typing import Any

from adlfs import AzureBlobFileSystem
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContentSettings

from photochrom.photo.addresses import AZURE

BEGINS = tuple(f"{scheme}://" for scheme in AZURE)
SIGNS_OF_FOLDERS = ("hdi_isfolder", "is_directory")  # what tools write into a marker's metadata


class Containers(AzureBlobFileSystem):  # type: ignore[misc]
    """The containers of an account. Paths are `container/name`."""

    @classmethod
    def _strip_protocol(cls, path: str) -> Any:
        if isinstance(path, str) and not path.startswith(BEGINS):
            return path.lstrip("/")
        return super()._strip_protocol(path)  # an address, perhaps with the account's host

    def split_path(self, path: str, *args: Any, **options: Any) -> tuple[str, str, None]:
        """Return the container, the name in it, and no version."""
        container, _, name = str(self._strip_protocol(path)).partition("/")
        return container, name, None

    async def _ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        path = str(self._strip_protocol(path)).strip("/")
        if not path:
            return list(await super()._ls(path, detail=detail, **options))
        rows = await self._rows(path)
        return rows if detail else sorted({row["name"] for row in rows})

    async def _rows(self, path: str) -> list[dict[str, Any]]:
        """Return what lies directly in a folder."""
        container, name, _ = self.split_path(path)
        rows = []
        try:
            async with self.service_client.get_container_client(container) as client:
                begins = f"{name}/" if name else None
                async for found in client.walk_blobs(begins, include=["metadata"]):
                    rows.append(_row(container, found))
        except ResourceNotFoundError as error:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), path) from error
        if not rows and name and not await self._exists(path):
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), path)
        return rows


def _row(container: str, found: Any) -> dict[str, Any]:
    """Return what fsspec tells of a blob, or of a prefix of names."""
    signs = {str(key).lower(): str(value) for key, value in (found.get("metadata") or {}).items()}
    if "size" not in found or "true" in map(signs.get, SIGNS_OF_FOLDERS):
        # One '/' ends a folder; another is the folder without a name in it.
        name = found.name.removesuffix("/")
        return {"name": f"{container}/{name}", "size": None, "type": "directory"}
    return {
        "name": f"{container}/{found.name}",
        "size": found.size,
        "type": "file",
        "etag": found.etag,
        "last_modified": found.last_modified,
    }


def content_settings(name: str) -> ContentSettings:
    """Return what a browser needs to know of a blob: its media type."""
    return ContentSettings(content_type=guess_type(name)[0] or "application/octet-stream")
