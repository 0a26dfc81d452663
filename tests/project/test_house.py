"""The structure of the package: its rooms, the imports between them, no circles.

`python/sidebyside` is six rooms, each a folder. A module may import from the
rooms that ALLOWED lists, and from its own room as long as no circle arises.
An import inside a function counts, and so does one in a program that is kept
as a string and run by another process.
"""

import ast
import re
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "sidebyside"

# What each room may import besides itself: whole rooms, or single modules.
ALLOWED = {
    "common": [],
    "data": ["common"],
    "kernel": ["common"],
    "lesson": ["common", "data", "kernel"],
    # From the kernel, only modules that start R.
    "timing": ["common", "data", "kernel.rsession"],
    "statistics": ["common", "data", "timing"],
}

# Imports inside a string: `import a.b`, or `from a.b import c, d`.
IN_TEXT = re.compile(
    r"(?:^|[;\n])[ \t]*(?:import +([\w.]+)|from +([\w.]+) +import +([\w, ]+))"
)


def modules_of(package):
    """Return the package's modules by dotted name with their files, C modules too."""
    found = {}
    for path in package.rglob("*"):
        if path.suffix in (".py", ".c"):
            parts = path.relative_to(package.parent).with_suffix("").parts
            found[".".join(x for x in parts if x != "__init__")] = path
    return found


def strings_of(tree):
    """Return all strings of a module that are not docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(getattr(node, "body", None), list)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(getattr(node, "value", None), str) and id(node) not in docstrings:
            yield node.value


def named_in(module, path):
    """Return the dotted names that a module imports; (from, name) after `from`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join(filter(None, [*above, node.module]))
            yield from ((origin, alias.name) for alias in node.names)
    for text in strings_of(tree):
        # The name alone: importlib.import_module("a.b"), or python -m a.b.
        if "." in text:
            yield text.strip(), ""
        for plain, origin, names in IN_TEXT.findall(text):
            if plain:
                yield plain, ""
            for name in names.split(","):
                yield origin, name.strip()


def imports_of(package):
    """Return, for each module of a package, the package's modules that it imports."""
    modules = modules_of(package)
    found = {}
    for module, path in modules.items():
        found[module] = set()
        if path.suffix != ".py":
            continue
        for origin, name in named_in(module, path):
            # The name is a module, or something in one.
            whole = f"{origin}.{name}"
            target = whole if whole in modules else origin
            if target in modules and target != module:
                found[module].add(target)
    return found


def forbidden(imports, allowed):
    """Return the imports (module, imported) that the rule does not allow."""
    for module, targets in imports.items():
        top, _, inside = module.partition(".")
        if not inside:
            continue  # the package itself may import all
        room = inside.split(".")[0]
        doors = [f"{top}.{x}" for x in [room, *allowed[room]]]
        for target in targets:
            if not any(target == x or target.startswith(f"{x}.") for x in doors):
                yield module, target


def circle_of(imports):
    """Return a circle of modules, with its first one again at the end, or []."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def imports():
    return imports_of(PACKAGE)


def test_the_rooms_are_those_of_the_rule():
    assert {x.parent.name for x in PACKAGE.glob("*/__init__.py")} == set(ALLOWED)


def test_rooms_import_only_what_they_may(imports):
    assert list(forbidden(imports, ALLOWED)) == []


def test_no_module_imports_itself_through_others(imports):
    assert circle_of(imports) == []


def test_each_room_has_a_folder_of_tests():
    folders = {x.parent.name for x in (ROOT / "tests").glob("*/test_*.py")}
    assert folders == {*ALLOWED, "notebooks", "project"}


def test_the_installed_packages_are_the_folders():
    """A folder that pyproject.toml leaves out would not be installed."""
    project = tomllib.loads((ROOT / "python/pyproject.toml").read_text("utf-8"))
    folders = [x.parent for x in PACKAGE.rglob("__init__.py")]
    names = [".".join(x.relative_to(PACKAGE.parent).parts) for x in folders]
    assert sorted(names) == project["tool"]["setuptools"]["packages"]


# --- Are all imports found?


@pytest.fixture
def house(tmp_path):
    """Return a function that writes a package `p` and returns its imports."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / "p" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            (path.parent / "__init__.py").touch()
        return imports_of(tmp_path / "p")

    return write


@pytest.mark.parametrize(
    "text",
    [
        "from ..b import c",
        "from ..b.c import d",
        "import p.b.c",
        "from p.b import c",
        "def f():\n    from ..b.c import d",
        "run([python, '-m', 'p.b.c'])",
        "PROGRAM = '''\nimport os\nfrom p.b.c import d\n'''",
        "PROGRAM = f'{x}; import p.b.c'",
    ],
)
def test_every_way_to_import_is_seen(house, text):
    imports = house(a__m=text, b__c="")
    assert "p.b.c" in imports["p.a.m"]
    assert ("p.a.m", "p.b.c") in set(forbidden(imports, {"a": [], "b": ["a"]}))
    assert set(forbidden(imports, {"a": ["b.c", "b"], "b": []})) == set()


@pytest.mark.parametrize(
    "text", ['"""An example: \n\nfrom p.b import c\n"""', "'see p.b.c'", "import pp"]
)
def test_an_example_or_a_message_is_no_import(house, text):
    assert house(a__m=text, b__c="")["p.a.m"] == set()


def test_a_single_module_of_a_room_can_be_allowed(house):
    imports = house(a__m="from ..b import c, cc", b__c="", b__cc="")
    assert set(forbidden(imports, {"a": ["b.c"], "b": []})) == {("p.a.m", "p.b.cc")}


def test_a_circle_is_found_within_a_room_and_inside_functions(house):
    straight = house(a__x="from . import y", a__y="from .z import f", a__z="")
    assert circle_of(straight) == []
    imports = house(a__z="def f():\n    from .x import g")
    circle = circle_of(imports)
    assert set(circle) == {"p.a.x", "p.a.y", "p.a.z"}
    assert circle[0] == circle[-1]
