"""`photochrom page`."""

from pathlib import Path


def page(out: Path, /, *, runtime: Path | None = None) -> None:
    """Write the page as a folder that any static host serves; photographs never leave the browser.

    Parameters
    ----------
    out : Path
        A new or empty folder, or one that this command wrote before.
    runtime : Path
        A folder with the files of 'npm pack onnxruntime-web geotiff', or with the unpacked
        packages; without it, npm fetches them, once.
    """
    from photochrom.service.page_folder import write_page

    fetched = write_page(out, runtime)
    print(
        f"{out}: written; a first visit loads up to {fetched / 1e6:.0f} MB. "
        f"Try it: python -m http.server --bind 127.0.0.1 --directory {out}"
    )
