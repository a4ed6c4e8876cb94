"""What the book points at is there: sections named in prose, chapters named in docstrings, modules named on the library
page, exercises named in the teaching guide."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PAGES = sorted((ROOT / "book").glob("*.md"))
TEXTS = [*PAGES, *CHAPTERS]
NUMBERED = {int(path.name[:2]): path for path in CHAPTERS}


def prose(path: Path) -> str:
    """The text of a page, or of the markdown cells of a chapter."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"]
                           if cell["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(path: Path) -> list[str]:
    """The titles of a page's sections, the page's own first."""
    found = re.findall(r"^#+ +(.+?) *$", prose(path), flags=re.MULTILINE)
    return [re.sub(r"\{\w+\}`([^`<]+?)(?: *<[^`]*>)?`|[*`]", r"\1", title) for title in found]


def named(title: str, places: list[Path]) -> bool:
    """Whether a section has this title, or one that begins with it and goes on after a mark."""
    title = title.rstrip(".,;: ")
    return any(each == title or re.match(re.escape(title) + " ?[:,;(]", each)
               for path in places for each in headings(path))


def sections_named(text: str):
    """(title, chapter or None) of each section that a text sends its reader to."""
    title = r"(?:\*([^*\n]+)\*|[\"“]([A-Z][^\"”\n]+)[\"”])"
    for found in re.finditer(rf"[Ss]ections? {title}|{title} (?:above|below)\b", text):
        yield next(filter(None, found.groups())), None
    for found in re.finditer(rf"[Cc]hapter (\d+)(?:'s|,|:)? {title}", text):
        yield found[2] or found[3], int(found[1])


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_sections_named_in_prose_are_there(path):
    for title, chapter in sections_named(prose(path)):
        assert named(title, [NUMBERED[chapter]] if chapter else [path]), f"{path.name} points at {title!r}"


def guide() -> dict[int, str]:
    """What the teaching guide says of each chapter."""
    sessions = re.split(r"^## ", prose(ROOT / "book" / "teaching.md"), flags=re.MULTILINE)
    return {int(found[1]): text for text in sessions if (found := re.search(r"[Cc]hapter (\d+)", text))}


def test_the_teaching_guide_has_a_session_a_chapter_and_sends_to_sections_and_exercises_that_are_there():
    assert sorted(guide()) == sorted(NUMBERED)
    for chapter, text in guide().items():
        path = NUMBERED[chapter]
        for title in re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", text):  # in italics and capitals stand sections
            assert named(title, [path]), f"the guide sends to {title!r}, which chapter {chapter} has not"
        for title in re.findall(r"\"([A-Z][^\"\n]+)\", chapter|^\| \d+ \| \"([A-Z][^\"\n]+)\"", text, re.MULTILINE):
            assert named("".join(title), [path]), f"the guide sends to {title!r}, which chapter {chapter} has not"
        for first, last in re.findall(rf"[Ee]xercises? {chapter}\.(\d)(?: to {chapter}\.(\d))?", text):
            for number in range(int(first), int(last or first) + 1):
                assert re.search(rf"\b{chapter}\.{number}\b", prose(path)), f"no exercise {chapter}.{number}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_links_and_chapters_by_number_lead_somewhere(path):
    text = prose(path)
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)", text):
        place = (path.parent / target) if target else path
        found = [p for p in (place, place.with_suffix(".ipynb"), place.with_suffix(".md")) if p.exists()]
        assert found, f"{path.name} links to {target}"
        if anchor:
            slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings(found[0])]
            assert anchor[1:] in slugs, f"{path.name} links to {target}{anchor}"
    for number in re.findall(r"\b[Cc]hapter (\d+)\b", text):
        assert int(number) in NUMBERED, f"{path.name} speaks of chapter {number}"


def test_docstrings_name_chapters_as_they_are_called():
    for path in (ROOT / "choreo_lib").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for number, title in re.findall(r'[Cc]hapter (\d+), "([^"]+)"', text):
            title = " ".join(title.split())  # a docstring may break its line there
            assert named(title, [NUMBERED[int(number)]]), f"{path.name} calls chapter {number} {title!r}"


def test_the_library_page_names_every_room_and_module_and_no_other():
    text = prose(ROOT / "book" / "library.md")
    room, told = "", set()
    for first, modules in re.findall(r"^\| *(\w*) *\| (`[^|]+`) \|", text, flags=re.MULTILINE):
        room = first or room
        told |= {(room, name) for name in re.findall(r"`([\w]+)`", modules)}
    there = {(path.parent.relative_to(ROOT / "choreo_lib").parts[0], path.stem)
             for path in (ROOT / "choreo_lib").glob("*/*.py") if not path.stem.startswith("_")}
    packages = {(path.parent.parent.name, path.parent.name) for path in (ROOT / "choreo_lib").glob("*/*/__init__.py")}
    assert told == there | packages


def test_the_welcome_page_counts_what_there_is():
    text = prose(ROOT / "book" / "welcome.md")
    assert "being written" not in text
    told = {number for number in NUMBERED if re.search(rf"[Cc]hapter {number}\b", text)}
    told |= {n for a, b in re.findall(r"chapters (\d) to (\d)", text) for n in range(int(a), int(b) + 1)}
    assert told == set(NUMBERED)
    for name in re.findall(r":link: (\S+)", text):
        assert any((ROOT / "book" / f"{name}{end}").exists() for end in (".md", ".ipynb")), name


def test_a_pointer_to_nowhere_is_noticed():
    text = 'Section *Nobody danced this*, and chapter 1, "Seeing a duo"; the section *Recap* and chapter 1\'s *Recap*.'
    found = dict(sections_named(text))
    assert found == {"Nobody danced this": None, "Seeing a duo": 1, "Recap": 1}
    assert not named("Nobody danced this", CHAPTERS) and not named("Seeing a duo", CHAPTERS)
    assert named("Recap", [NUMBERED[1]]) and named("Seeing a duet", CHAPTERS) and not named("Seeing a", CHAPTERS)
