"""The rules of the house: who may import whom, what the compiled build must not lose, what a file must look like."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "alcove"
MODULES = sorted(SOURCE.rglob("*.py"))
HEADERS = sorted(SOURCE.rglob("*.pxd"))
NATIVE = sorted(SOURCE.rglob("*.pyx"))
LEAVES = {"errors", "integers", "values", "numeric", "quoting", "version"}
# Which parts of the package each part may import, besides the leaves and itself.
ALLOWED = {
    "types": set(),
    "protocol": set(),
    "codec": {"types"},
    "engine": {"types"},
    "scripting": {"engine", "types", "codec"},
    "commands": {"engine", "scripting", "types", "codec"},
    "persistence": {"engine", "scripting", "types", "codec", "protocol"},
    "client": {"engine", "commands", "protocol", "persistence", "server"},
    "server": {"engine", "commands", "protocol", "persistence"},
    # The toolkit knows redis-py only: it runs on any server.
    "patterns": set(),
    "tools": {"client", "commands", "engine", "persistence", "types"},
}
# A function longer than this has outgrown two screens.
LONGEST_FUNCTION = 75
LONGEST_MODULE = 900


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def part_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else ""


def imports(path: Path) -> Iterator[str]:
    """What a module imports of ours, leaving out what only the type checker sees."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "alcove":
            for alias in node.names:
                yield f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "alcove")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_downwards(path: Path) -> None:
    part = part_of(path)
    if not part:
        return
    for imported in imports(path):
        target = imported.split(".")[1]
        assert target == part or target in LEAVES or target in ALLOWED[part], f"{name_of(path)} imports {imported}"


def test_leaves_import_only_leaves() -> None:
    for leaf in LEAVES:
        for imported in imports(SOURCE / f"{leaf}.py"):
            assert imported.split(".")[1] in LEAVES, f"{leaf} imports {imported}"


@pytest.mark.parametrize("path", HEADERS, ids=name_of)
def test_no_decorated_function_stands_in_a_header(path: Path) -> None:
    """A function that a `.pxd` declares loses its decorator in silence: a command would be missing."""
    declared = set(re.findall(r"^\s*cp?def\s[^(=]*?(\w+)\s*\(", path.read_text(), re.MULTILINE))
    source = path.with_suffix(".py")
    if not source.exists():
        assert path.with_suffix(".pyx").exists(), f"{path.name} has no module beside it"
        return
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            assert node.name not in declared, f"{source.name}: {node.name} is decorated and declared in {path.name}"


def compiled_modules() -> list[str]:
    text = (ROOT / "setup.py").read_text()
    listed = re.search(r"^COMPILED = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert listed is not None
    return re.findall(r'"([\w.]+)"', listed[1])


def test_compiled_modules_exist_and_their_headers_are_used() -> None:
    listed = compiled_modules()
    assert listed == sorted(listed), "keep the list in order"
    for module in listed:
        path = SOURCE.parent / Path(*module.split("."))
        assert path.with_suffix(".py").exists() or path.with_suffix(".pyx").exists(), module
    for path in [*HEADERS, *NATIVE]:
        assert name_of(path) in listed, f"{path.name} is never compiled"


@pytest.mark.parametrize("path", [p for p in NATIVE if p.with_suffix(".py").exists()], ids=name_of)
def test_twins_have_the_same_names(path: Path) -> None:
    plain, native = path.with_suffix(".py"), path
    names = re.compile(r"^(?:def|class|cdef class|cpdef [\w\s*]*?)\s*(\w+)\s*[(:]", re.MULTILINE)
    public = {name for name in names.findall(plain.read_text()) if not name.startswith("_")}
    missing = {name for name in public if not re.search(rf"\b{name}\b", native.read_text())}
    assert not missing, f"{path.name} lacks {missing}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_say_what_lives_in_them_and_stay_readable(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), f"{name_of(path)} does not say what lives in it"
    assert len(text.splitlines()) <= LONGEST_MODULE, f"{name_of(path)} has grown two minds"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno
            assert length <= LONGEST_FUNCTION, f"{name_of(path)}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", NATIVE, ids=name_of)
def test_native_files_say_what_lives_in_them_and_stay_readable(path: Path) -> None:
    text = path.read_text()
    assert re.match(r'(# cython: .*\n)*"""\w', text), f"{name_of(path)} does not say what lives in it"
    assert len(text.splitlines()) <= LONGEST_MODULE, f"{name_of(path)} has grown two minds"


def test_no_module_is_unreferenced() -> None:
    """Every module is imported by another, is a command family, or is an entrance."""
    entrances = {"alcove", "alcove.__main__", "alcove.asyncio", "alcove.cli", "alcove.patterns"}
    referenced = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                referenced |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                referenced |= {alias.name for alias in node.names}
    for path in MODULES:
        name = name_of(path)
        if path.name != "__init__.py" and not name.startswith("alcove.commands."):
            assert name in referenced | entrances, f"nothing imports {name}"


def test_error_texts_stand_once() -> None:
    """No module but `errors` spells out the text of an error reply."""
    codes = "ERR WRONGTYPE NOAUTH BUSYKEY BUSYGROUP NOGROUP INVALIDOBJ NOSCRIPT OOM EXECABORT NOPROTO DENIED"
    code = re.compile(f"-?(?:{codes.replace(' ', '|')}) ")
    for path in MODULES:
        if path.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not code.match(node.value), f"{name_of(path)}: {node.value!r} belongs into errors.py"


def test_every_family_can_be_imported_alone() -> None:
    for path in sorted((SOURCE / "commands").glob("*.py")):
        importlib.import_module(name_of(path))
