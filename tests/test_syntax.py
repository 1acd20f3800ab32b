"""Source as a digest sees it: not how it is written, and not by which Python it is read."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from cerebro.syntax import Source

SRC = Path(__file__).parents[1] / "src"
TEXT = '''
"""A docstring."""
from __future__ import annotations
import a.b as c, d
from e import (f, g as h)
async def coroutine(x: int = 3, /, y=None, *rest: str, z=..., **more) -> list[int]:
    """Another."""
    async with x as y, z: await y
    return [i async for i in rest if (n := i) > 1_000_000]
class C(Base, metaclass=Meta):
    """A third."""
    field: int = -0x10
    """Of an attribute."""
    @property
    def name(self): return f"{self.x!r:>{width}} {self.y=} {{}}" "and" f"{1.50:.2f}" if b"\\x00" else 1e-3j
def match_it(v):
    match v:
        case {"k": [1, *rest], **kw} | None: return (*rest, kw)
        case C(name=str() as s) if s: raise E from None
    try: del v[1:2, ::3]
    except* (A, B) as error: global k; k = lambda *a, b=1: (yield)
    finally: "not a docstring".join("\u00fc\U0001f600", r"\\d", u"u", f"", f"{v}" f"")
'''
EXPECTED = "45e5c0185c22c152"
"""Fixed: the digests of finished studies were made of texts like these."""
PRINT = "import hashlib, sys\nfrom cerebro.syntax import Source\n"
PRINT += "print(hashlib.sha256(Source(sys.stdin.read()).text.encode()).hexdigest()[:16])"


def digest(text: str) -> str:
    return hashlib.sha256(Source(text).text.encode()).hexdigest()[:16]


def test_a_text_has_the_digest_that_it_always_had() -> None:
    assert digest(TEXT) == EXPECTED


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_every_python_sees_the_same(minor: int) -> None:
    python = shutil.which(f"python3.{minor}")
    if python is None or subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"python3.{minor} is not on the path")
    line = [python, "-S", "-c", PRINT]
    done = subprocess.run(
        line, input=TEXT, env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == EXPECTED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1  # why\n\n\ny = 2", "x=1\ny=2"),
        ("def f():\n    '''Says.'''\n    return (1)", "def f(): return 1"),
        ("class C:\n    x = 1\n    'what it is'", "class C:\n    x = 1"),
        ("x = 'a' 'b'", 'x = "ab"'),
        ("x = f'a{y}' 'b' f'c'", "x = f'a{y}bc'"),
        ("f(\n    1,\n    2,\n)", "f(1, 2)"),
        ("x = 1_000", "x = 1000"),
    ],
)
def test_writing_it_otherwise_changes_nothing(one: str, other: str) -> None:
    assert Source(one).text == Source(other).text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 1", "x = '1'"),
        ("x = 'a'", "x = b'a'"),
        ("x = '\u00fc'", "x = 'u'"),
        ("x = ()", "x = []"),
        ("x = None", "x = ..."),
        ("f(a)", "f(*a)"),
        ("f(a=b)", "f(**b)"),
        ("x = f'{y}'", "x = f'{y!r}'"),
        ("x = f'{y}'", "x = f'y'"),
        ("x = y - z", "x = y + z"),
        ("def f(a, /): ...", "def f(a): ..."),
        ("def f(*, a): ...", "def f(a): ..."),
        ("import a", "import b"),
        ("x = a[1:]", "x = a[:1]"),
        ("x = {**a}", "x = {a: a}"),
        ("def f():\n    x = 'text'", "def f():\n    x = 'other'"),
        ("from a import b", "from .a import b"),
    ],
)
def test_doing_something_else_changes_it(one: str, other: str) -> None:
    assert Source(one).text != Source(other).text


def test_names_are_found_where_they_are_given_a_value() -> None:
    source = Source("import a.b\nfrom c import d as e\nf, (g, *h) = x\ni: int = 1\nj['k'] = 2\nl += 1\n")
    assert set(source.bindings) == {"a", "e", "f", "g", "h", "i", "l"}
