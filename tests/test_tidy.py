"""The house rules that a machine can hold: sizes, names, and where the outside world may come in."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "klamm").rglob("*.py"))
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}

# Only `seams.py` reads clocks and draws randomness; the tools for people (command line, test API) wait for processes.
OUTSIDE_WORLD = re.compile(
    r"\b(time\.time|time\.time_ns|time\.monotonic|time\.monotonic_ns|time\.sleep|asyncio\.sleep|uuid4\(|os\.urandom"
    r"|random\.(random|randrange|randint|choice|shuffle|Random)|datetime\.now|datetime\.utcnow|secrets\.)"
)
OUTSIDE_ALLOWED = ("seams.py", "cli/", "testing/")
# Files of partitions, checkpoints and metadata are opened by `log/disk.py` alone.
FILES = re.compile(
    r"(?<!def )(?<![\w.])open\(|\bos\.(open|fsync|rename|replace|unlink|remove|mkdir|makedirs)\(|\bshutil\.|\bPath\("
)
FILES_ALLOWED = ("log/disk.py", "cli/", "testing/")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "klamm").as_posix()


def code_of(path: Path) -> str:
    """The source without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    name = name_of(path)
    assert text.count("\n") <= FILE_LINES_MAX, "the file is too long: split it by subject"
    assert path.stem not in BANNED_NAMES, "the name says nothing"
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"
    code = code_of(path)
    if not name.startswith(OUTSIDE_ALLOWED):
        found = OUTSIDE_WORLD.search(code)
        assert found is None, f"{found and found[0]}: the outside world comes in through klamm.seams"
    if not name.startswith(FILES_ALLOWED):
        found = FILES.search(code)
        assert found is None, f"{found and found[0]}: files are opened in log/disk.py"
    assert "TODO" not in text
    assert "FIXME" not in text


def test_every_served_api_has_its_three_files() -> None:
    from klamm.server.routes import SERVED

    for name in SERVED.values():
        if name != "quorum_request":  # one handler for all that the quorum's core answers
            assert (ROOT / "klamm/kproto/messages" / f"{name}.py").exists()
        assert (ROOT / "klamm/server/handlers" / f"{name}.py").exists()


def test_the_rooms_are_seen_at_the_top() -> None:
    for room in ("kproto", "server", "metadata", "log"):
        assert (ROOT / room).resolve() == (ROOT / "klamm" / room).resolve()


@pytest.mark.parametrize("module", ["rich", "crc32c", "lz4", "zstandard", "cramjam", "argparse"])
def test_a_broker_starts_without_what_it_may_never_need(module: str) -> None:
    """What is slow to import comes when it is first used (figures: docs/decisions)."""
    code = f"import sys, klamm.server.node; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
