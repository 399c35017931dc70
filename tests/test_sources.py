"""Our sources can be imported on every system: what only some have is imported or used where it was looked for."""

from __future__ import annotations

import ast
import re
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for room in ("analysis", "objectives", "sweeps") for path in sorted((ROOT / room).rglob("*.py"))]
UNIX = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
WINDOWS = {"msvcrt", "winreg", "_winapi"}
MISSING = {
    "os": {"fork", "forkpty", "getuid", "geteuid", "getgid", "killpg", "getpgid", "setsid", "sysconf", "statvfs",
           "getloadavg", "sched_getaffinity", "mkfifo", "uname", "fchmod", "nice", "chown"},
    "signal": {"SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGALRM", "SIGCHLD", "SIGPIPE", "setitimer"},
    "time": {"tzset"},
    "socket": {"AF_UNIX"},
}  # fmt: skip
"""What Windows does not have, by module."""
SUSPECT = re.compile(rf"\b({'|'.join({*UNIX, *WINDOWS}.union(*MISSING.values()))})\b")


def guarded(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a `try`, an `if` or a choice stands around a place, or it is for types alone."""
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.Try | ast.If | ast.IfExp | ast.BoolOp):
            return True
    return False


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything but the bodies of functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def faults(source: str) -> list[str]:
    if not SUSPECT.search(source):
        return []
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for node in at_import(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        only_some = {name.partition(".")[0] for name in names} & (UNIX | WINDOWS)
        found += [f"line {node.lineno}: import {name}" for name in only_some if not guarded(node, parents)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = node.value.id
            if node.attr in MISSING.get(module, ()) and not guarded(node, parents):
                found.append(f"line {node.lineno}: {module}.{node.attr}")
    return found


def test_no_module_needs_one_system() -> None:
    assert {str(path): wrong for path in FILES if (wrong := faults(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import fcntl", 1),
        ("from resource import getrusage\nimport os\nos.fork()", 2),
        ("try:\n    import fcntl\nexcept ImportError:\n    fcntl = None", 0),
        ("def f():\n    import pwd", 0),
        ("import os, signal\ndef f():\n    os.kill(1, signal.SIGKILL)", 1),
        ("import os\nn = os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else 1", 0),
    ],
)
def test_the_scan_finds_what_it_names(source: str, count: int) -> None:
    assert len(faults(source)) == count


COMPREHENSIONS = ("listcomp", "setcomp", "dictcomp", "genexpr")


def lost_names(table: symtable.SymbolTable) -> Iterator[str]:
    """Variables of comprehensions that hide a name from outside which another part of the function uses.

    From Python 3.12 on a comprehension is part of its function. A name that it sets, and that another comprehension or
    a function inside has from an outer function, is "not associated with a value" there.
    """
    bound, outer = set[str](), dict[str, int]()

    def visit(scope: symtable.SymbolTable, known: set[str]) -> None:
        for child in scope.get_children():
            own = {each.get_name() for each in child.get_symbols() if each.is_local() and not each.is_parameter()}
            if child.get_name() in COMPREHENSIONS[:-1]:
                bound.update(own)
            for each in child.get_symbols():
                if each.is_free() and each.get_name() not in known:
                    outer.setdefault(each.get_name(), child.get_lineno())
            if child.get_name() in COMPREHENSIONS:
                visit(child, known | own)

    if table.get_type() == "function" and table.get_name() not in COMPREHENSIONS:
        visit(table, {each.get_name() for each in table.get_symbols() if each.is_local()})
    yield from (f"line {line}: {name}" for name, line in outer.items() if name in bound)
    for child in table.get_children():
        yield from lost_names(child)


LOST = """
def outer():
    known = {1}
    def inner():
        some = [known for known in (2, 3)]
        return [each for each in some if each in known]
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="such a name fails by itself where it is used")
def test_no_comprehension_hides_a_name_from_python_3_12_on() -> None:
    assert list(lost_names(symtable.symtable(LOST, "lost", "exec"))) == ["line 6: known"]
    kept = LOST.replace("[known for known in (2, 3)]", "list(known for known in (2, 3))")
    assert list(lost_names(symtable.symtable(kept, "kept", "exec"))) == []
    texts = {str(path): path.read_text(encoding="utf-8") for path in FILES}
    assert {
        name: lost for name, text in texts.items() if (lost := list(lost_names(symtable.symtable(text, name, "exec"))))
    } == {}


def test_files_of_the_project_have_names_for_every_system() -> None:
    """Case does not tell names apart on macOS and Windows; Windows has no `:` and reserves some names."""
    names = [path.relative_to(ROOT).as_posix() for path in FILES]
    assert len({name.lower() for name in names}) == len(names)
    reserved = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
    assert not [name for name in names if Path(name).stem.lower() in reserved or set(name) & set('<>:"\\|?*')]


def test_texts_are_opened_with_an_encoding() -> None:
    """Without one, Windows reads its own code page."""
    call = re.compile(r"(?<!connection)\.(read_text|write_text)\(([^()]|\([^()]*\))*\)")
    calls = [(path, found[0]) for path in FILES for found in call.finditer(path.read_text(encoding="utf-8"))]
    assert len(calls) > 20
    assert [(path, text) for path, text in calls if "encoding=" not in text and "utf-8" not in text] == []
