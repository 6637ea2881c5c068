"""Puts the tables into docs/performance.md, between the markers of each section; the prose around them is written by hand."""

import os
import pathlib
import tempfile


def markers(name):
    return f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"


def insert(page, name, block):
    """`page` with the text between the markers of `name` replaced."""
    opening, closing = markers(name)
    if opening not in page or closing not in page:
        raise SystemExit(f"the page has no place for {name}: it needs the lines {opening} and {closing}")
    before, rest = page.split(opening, 1)
    return f"{before}{opening}\n{block}\n{closing}{rest.split(closing, 1)[1]}"


def write(path, text):
    """Write a file whole or not at all."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
