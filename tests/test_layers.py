"""Rules of the source code: imports go down the layers, the core is silent, modules and functions are short."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted([*ROOT.glob("zedo_core/**/*.py"), *ROOT.glob("zedo_cli/**/*.py")])
FACADE = ROOT / "zedo_core" / "__init__.py"  # it re-exports from higher layers
CORE = [path for path in MODULES if path.parts[len(ROOT.parts)] == "zedo_core"]

# From the bottom up. A unit, which is a folder or a module, imports only from lower layers.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "version"),
    ("metrics", "nets", "diffusion", "storage"),
    ("skeleton",),
    ("camera",),
    ("types",),
    ("source", "weights"),
    ("detection",),
    ("data", "keypoints"),
    ("train",),
    ("methods",),
    ("lifting",),
    ("motions",),
    ("biomechanics",),
    ("export", "render"),
    ("evaluate", "pipeline"),
    ("batch", "bench"),
    ("zedo_cli",),
)
HEIGHT = {unit: height for height, layer in enumerate(LAYERS) for unit in layer}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unit_of(path: Path) -> str:
    """The folder or module within zedo_core; zedo_cli is a single unit."""
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    return rest[0] if package == "zedo_core" else package


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all imports of a module, including those in functions, except for type checking."""
    tree = ast.parse(path.read_text())
    excluded = {child for node in ast.walk(tree) if is_type_checking(node) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if node in excluded:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: use absolute imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> Iterator[str]:
    """Units of this project that a module imports from, without the facade."""
    for name in imports(path):
        package, *rest = name.split(".")
        if package == "zedo_cli":
            yield package
        elif package == "zedo_core" and rest:
            yield rest[0]


@pytest.mark.parametrize("path", [path for path in MODULES if path != FACADE], ids=name_of)
def test_imports_go_down(path: Path) -> None:
    unit = unit_of(path)
    assert unit in HEIGHT, f"{name_of(path)}: add '{unit}' to LAYERS"
    for other in own_imports(path):
        if other != unit:
            assert other in HEIGHT, f"{name_of(path)} imports zedo_core.{other}, which is not in LAYERS"
            assert HEIGHT[other] < HEIGHT[unit], (
                f"{name_of(path)} imports zedo_core.{other}, which is not in a lower layer"
            )


def test_ultralytics_is_imported_in_one_file() -> None:
    files = [name_of(path) for path in MODULES if any(name.split(".")[0] == "ultralytics" for name in imports(path))]
    assert files == ["zedo_core/detection/ultralytics.py"]


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_neither_prints_nor_exits(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "exit", "quit", "sys.exit", "os._exit"}, f"line {node.lineno} calls {called}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.body[0].lineno + 1  # without the signature, which holds a command's options
            assert length <= 60, f"{node.name} has {length} lines"
