"""The pages' pictures of the terminal are small, fetch nothing, and show what the commands print today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.casts import CASTS, PICTURES, picture, text_of

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def pictures(page: Path) -> list[tuple[str, Path]]:
    """The pictures of a page: text for those who do not see them, and file."""
    found = re.findall(r"!\[([^]]*)\]\(([^)]+)\)", page.read_text("utf-8"))
    return [(text, page.parent / target) for text, target in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT / "docs").as_posix())
def test_each_page_has_a_picture_with_a_plain_text(page: Path) -> None:
    found = pictures(page)
    assert found
    for text, path in found:
        assert path.exists(), path
        assert len(text.split()) >= 4, text
        assert path.stat().st_size < (60_000 if path.suffix == ".svg" else 150_000), path


def test_each_cast_is_made_and_shown_on_a_page() -> None:
    shown = {path.resolve() for page in PAGES for _, path in pictures(page)}
    files = set(PICTURES.iterdir())
    assert files == {PICTURES / f"{name}.svg" for name in CASTS}
    assert files <= shown
    for path in files:
        assert not re.search(r"url\((?!#)|href|@import|<script", path.read_text("utf-8")), path


@pytest.mark.parametrize("name", [name for name, cast in CASTS.items() if cast.quick])
def test_a_cast_shows_what_the_command_prints_today(name: str) -> None:
    kept = text_of((PICTURES / f"{name}.svg").read_text("utf-8"))
    assert len(kept) >= 3
    assert kept == text_of(picture(name, CASTS[name])), f"make it again: uv run python -m docs.casts {name}"
