"""The list of mutants fits the code, so that python tools/mutate.py can put each of them in; and the tool does it."""

import ast
import json
import runpy
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOL = runpy.run_path(str(ROOT / "tools" / "mutate.py"))
MUTANTS = TOOL["load"]()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant['file']}: {mutant['old'][:40]}")
def test_a_mutant_can_be_put_in_and_is_other_code(mutant):
    text = TOOL["mutated"](mutant)  # refuses what does not occur once
    if mutant["file"].endswith(".py"):
        before = (ROOT / mutant["file"]).read_text(encoding="utf-8")
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(before)), "the fault is in a comment, or none"
    assert mutant["old"] != mutant["new"]
    tests = [word for word in shlex.split(mutant["tests"]) if word.startswith("tests/")]
    assert tests and all((ROOT / test.partition("::")[0]).exists() for test in tests)


def test_no_mutant_stands_twice():
    assert len({(each["file"], each["old"], each["new"]) for each in MUTANTS}) == len(MUTANTS)


def test_the_tool_tells_the_killed_from_the_survivors(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "code.py").write_text("def double(x):\n    return 2 * x + 0\n")
    (tmp_path / "tests" / "test_code.py").write_text(
        "from code import double\ndef test_it():\n    assert double(3) == 6\n")
    (tmp_path / "tests" / "test_broken.py").write_text("def test_it():\n    assert False\n")
    base = {"file": "code.py", "tests": "tests/test_code.py"}
    mutants = [base | {"old": "2 * x", "new": "3 * x"}, base | {"old": "x + 0", "new": "x + 0.0"},
               base | {"old": "return", "new": "while True: pass\n    return"},
               base | {"old": "2 * x", "new": "3 * x", "tests": "tests/test_broken.py"}]
    (tmp_path / "tests" / "mutants.json").write_text(json.dumps(mutants))
    assert list(TOOL["judge"](TOOL["load"](tmp_path), tmp_path, timeout=20)) == [
        "killed", "survived", "killed", "tests fail without it"]
    assert "2 * x + 0" in (tmp_path / "code.py").read_text()  # the tree itself stays as it is
    with pytest.raises(ValueError, match="2 times, not once"):
        TOOL["mutated"](base | {"old": "x", "new": "y"}, tmp_path)
