"""The layers of docs/architecture.rst: an import goes down, never up. Read from the source, without running it."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each top-level module and package of mailsuite stands in one layer; a new one has to be given its place here.
LAYERS = {
    "values": {
        "address",
        "asked",
        "case",
        "counted",
        "database",
        "discover",
        "dns",
        "domain_table",
        "encryption",
        "envelope",
        "gathering",
        "identity",
        "maybe",
        "meaning",
        "message",
        "outcome",
        "pathnames",
        "queued",
        "route",
        "schema_steps",
        "srs",
        "unitext",
    },
    "cores": {"wire", "smtp", "pop3", "sasl"},
    "interfaces": {"interfaces"},
    "disk": {"durable", "reach"},
    "parts": {"delivery", "directory", "mailbox", "policy", "queue", "tokens", "maillog"},
    "services": {"service"},
    "administration": {"admin"},
    "transport": {"transport", "certificates"},
    "root": {
        "administered", "app", "backends", "incoming", "limits", "logins", "outgoing", "own_objects", "peers",
        "policies", "returns", "starting", "tap", "config", "cli", "workers", "sendmail",
    },
}
# What the table in the document calls them.
WRITTEN = {
    "values": "values",
    "pure protocol cores": "cores",
    "interfaces": "interfaces",
    "disk": "disk",
    "parts": "parts",
    "services": "services",
    "administration": "administration",
    "transport": "transport",
    "composition root": "root",
}
LAYER_OF = {module: layer for layer, modules in LAYERS.items() for module in modules}
# The layers below; a package may always import itself.
BELOW = {
    "values": {"values"},
    "cores": {"values"},
    "interfaces": {"values"},
    "disk": set(),
    "parts": {"values", "cores", "interfaces", "disk"},
    "services": {"values", "cores", "interfaces"},
    "administration": {"values", "cores", "interfaces", "disk", "parts", "services"},
    "transport": {"values", "cores", "interfaces", "transport"},
    "root": set(LAYERS),
}
# Within the cores: what the protocols share.
SHARED_CORES = {"wire", "sasl"}
# What a pure module must not know: the clock, chance, files, the network, other processes and threads.
IMPURE = {
    "asyncio",
    "concurrent",
    "datetime",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
# The libraries that a layer may use beyond Python's own.
LIBRARIES = {
    # Domain names as A-labels: a pure function.
    "values": {"idna"},
    "cores": set(),
    "interfaces": {"zope.interface"},
    "disk": set(),
    "services": {"zope.interface", "twisted.logger"},
}


def sources() -> Iterator[tuple[str, Path]]:
    """Yield each module of mailsuite, without the prefix, and its file."""
    for path in sorted((ROOT / "mailsuite").rglob("*.py")):
        parts = path.relative_to(ROOT / "mailsuite").with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imported(path: Path) -> set[str]:
    """Return what a file imports, wherever in it, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.add(node.module or "")
            if node.module == "mailsuite":
                names |= {f"mailsuite.{alias.name}" for alias in node.names}
    return names


MODULES = dict(sources())
CODE = {name: imported(path) for name, path in MODULES.items() if name}


def top(module: str) -> str:
    """Return the first part of a name below mailsuite."""
    return module.removeprefix("mailsuite.").split(".")[0]


def test_every_module_has_its_layer() -> None:
    """Nothing stands outside the picture."""
    assert {top(name) for name in CODE} == set(LAYER_OF)


def test_the_document_says_the_same() -> None:
    """The table there is what a newcomer reads."""
    rows = (ROOT / "docs" / "architecture.rst").read_text("utf-8").partition("\nlayer  ")[2].split("\n====")[1]
    written: dict[str, set[str]] = {}
    layer = ""
    for row in rows.splitlines()[1:]:
        layer = row[:20].strip() or layer
        names = re.findall(r"``([a-z0-9_]+)(?:/|\.py)?``", row[20:84])
        written.setdefault(WRITTEN[layer], set()).update(names)

    assert written == LAYERS


@pytest.mark.parametrize("module", CODE)
def test_imports_go_down(module: str) -> None:
    """A module imports its own package and the layers below, and a part no other part."""
    own = top(module)
    allowed = BELOW[LAYER_OF[own]]
    for name in CODE[module]:
        if not name.startswith("mailsuite."):
            continue
        other = top(name)
        if other == own or other == "__version__":
            continue
        if LAYER_OF[own] == "cores" and other in SHARED_CORES:
            continue
        assert LAYER_OF[other] in allowed, f"mailsuite.{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in CODE if LAYER_OF[top(name)] in ("values", "cores")])
def test_pure_modules_are_pure(module: str) -> None:
    """Values and protocol cores know no clock, no file, no socket, no thread and no Twisted."""
    used = {name.split(".")[0] for name in CODE[module]}

    assert not used & IMPURE
    assert "twisted" not in used


@pytest.mark.parametrize("module", [name for name in CODE if LAYER_OF[top(name)] in LIBRARIES])
def test_libraries(module: str) -> None:
    """Lower layers and services use Python's own library and what is named here."""
    allowed = LIBRARIES[LAYER_OF[top(module)]]
    foreign = {name for name in CODE[module] if name.split(".")[0] not in {*sys.stdlib_module_names, "mailsuite"}}

    assert foreign <= allowed


def test_sans_io_in_fact() -> None:
    """Nothing in the pure packages opens, sleeps or asks for the time by a built-in either."""
    for module, path in MODULES.items():
        if module and LAYER_OF[top(module)] in ("values", "cores"):
            calls = {
                node.func.id
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert not calls & {"open", "input", "print", "exec", "eval"}, module


def test_protocol_classes_are_the_transports() -> None:
    """Nobody else takes Twisted's Protocol in hand."""
    users = {
        top(module)
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "twisted.internet.protocol"
        if any(alias.name == "Protocol" for alias in node.names)
    }

    assert users == {"transport"}
