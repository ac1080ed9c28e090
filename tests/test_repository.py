"""The repository holds together: one version, one layout, one licence, and packages that import only what they may."""

import ast
import functools
import importlib.util
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "aiointercept": ["aiointercept", "aiointercept_pytest"],
    "aiointercept-core": ["aiointercept_core"],
    "aiointercept-dns": ["aiointercept_dns"],
    "aiointercept-server": ["aiointercept_server"],
}
OURS = {name for names in PACKAGES.values() for name in names}
SOURCES = sorted(ROOT.glob("packages/*/src/*/**/*.py"))


def project(package, root=ROOT):
    return tomllib.loads((root / "packages" / package / "pyproject.toml").read_text("utf-8"))["project"]


def bump(root, *arguments):
    return subprocess.run(
        [sys.executable, root / ".ci" / "bump.py", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


# One version.


@pytest.fixture
def copy(tmp_path):
    """What the bump command reads and writes, in another place."""
    for path in [*ROOT.glob("packages/*/pyproject.toml"), ROOT / ".ci" / "bump.py", *ROOT.glob("docs/changelog.md")]:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_the_packages_have_one_version_and_pin_each_other_exactly():
    done = bump(ROOT, "--check")
    assert (done.returncode, done.stderr) == (0, "")
    versions = {project(package)["version"] for package in PACKAGES}
    assert len(versions) == 1


PINNING = ["aiointercept", "aiointercept-server"]


@pytest.mark.parametrize(
    ("packages", "old", "new", "told"),
    [
        (PACKAGES, r'^version = ".*"$', 'version = "1.9.9"', "version"),
        (PACKAGES, r'^name = ".*"$', 'name = "another"', "name"),
        (PINNING, r'"(aiointercept-\w+)==[^"]*"', r'"\1==1.9.9"', "aiointercept-"),
        (PINNING, r'"(aiointercept-\w+)==[^"]*"', r'"\1>=2"', "aiointercept-"),
    ],
    ids=["version", "name", "pin", "loose pin"],
)
def test_drift_is_told(copy, packages, old, new, told):
    disagreements = runpy.run_path(str(copy / ".ci" / "bump.py"))["disagreements"]
    for package in packages:
        path = copy / "packages" / package / "pyproject.toml"
        before = path.read_text("utf-8")
        after, count = re.subn(old, new, before, flags=re.MULTILINE)
        assert count
        assert disagreements() == []
        path.write_text(after, "utf-8")
        assert any(told in line for line in disagreements())
        path.write_text(before, "utf-8")


def test_drift_fails_the_check(copy):
    path = copy / "packages" / "aiointercept-dns" / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace('version = "', 'version = "1'), "utf-8")
    done = bump(copy, "--check")
    assert done.returncode == 1
    assert "packages/aiointercept-dns/pyproject.toml: version is" in done.stderr


def test_a_bump_is_complete(copy):
    assert bump(copy, "99.1.0rc1").returncode == 0
    assert bump(copy, "--check").returncode == 0
    for package in PACKAGES:
        new = project(package, copy)
        assert new["version"] == "99.1.0rc1"
        pins = [requirement for requirement in new["dependencies"] if requirement.startswith("aiointercept")]
        assert all(pin.endswith("==99.1.0rc1") for pin in pins)


@pytest.mark.parametrize("version", ["2.0", "latest"])
def test_what_is_no_version_changes_nothing(copy, version):
    before = project("aiointercept", copy)
    assert bump(copy, version).returncode == 2
    assert project("aiointercept", copy) == before


def test_the_changelog_has_the_version_once():
    version = project("aiointercept")["version"]
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "docs" / "changelog.md").read_text("utf-8"), re.MULTILINE)
    assert headings.count(version) == 1
    assert len(headings) == len(set(headings))


# One layout.


def test_the_top_level_holds_what_it_should():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout")
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    visible = {"packages", "docs", "tests", "hatch.toml", "README.md", "LICENSE"}
    assert visible | {".github", ".ci"} <= top
    assert {name for name in top if not name.startswith(".")} == visible


def test_the_packages_are_those_that_are_known():
    assert sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")) == sorted(PACKAGES)
    for package, names in PACKAGES.items():
        found = {path.parent.name for path in (ROOT / "packages" / package / "src").glob("*/__init__.py")}
        assert found == set(names)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_complete(package):
    folder = ROOT / "packages" / package
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (folder / "README.md").read_text("utf-8").startswith(f"# {package}\n")
    for name in PACKAGES[package]:
        assert (folder / "src" / name / "py.typed").is_file()
    metadata = project(package)
    assert (metadata["license"], metadata["license-files"], metadata["readme"]) == ("MIT", ["LICENSE"], "README.md")
    assert metadata["requires-python"] == ">=3.11"
    built = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    assert built["build-system"]["build-backend"] == "hatchling.build"
    wheel = built["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel["packages"]) == [f"src/{name}" for name in sorted(PACKAGES[package])]


def test_the_licence_is_mit():
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License\n")


@pytest.mark.parametrize(
    ("package", "needs"),
    [
        ("aiointercept-core", {"yarl", "multidict"}),
        ("aiointercept-server", {"aiointercept-core", "aiohttp", "yarl", "multidict"}),
        ("aiointercept-dns", {"aiohttp", "yarl", "multidict"}),
        (
            "aiointercept",
            {"aiointercept-core", "aiointercept-server", "aiointercept-dns", "aiohttp", "yarl", "multidict"},
        ),
    ],
)
def test_a_package_needs_no_more_than_it_may(package, needs):
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in project(package)["dependencies"]}
    assert names <= needs
    imported = {name.replace("_", "-") for name in imported_by(*PACKAGES[package]) - {*PACKAGES[package]}}
    assert {name for name in imported if name in needs} == names


# What imports what; a mirror of the import contracts that needs no import linter.


@functools.cache
def parsed(path):
    return ast.parse(path.read_text("utf-8"))


def imports(path, *, everywhere=True):
    """Yield the top-level names that a module imports: anywhere in it, or when it is imported itself."""
    for node in ast.walk(parsed(path)) if everywhere else _at_import(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def _at_import(path):
    waiting = list(parsed(path).body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def imported_by(*names, **options):
    return {imported for name in names for path in sources_of(name) for imported in imports(path, **options)}


def sources_of(name):
    return [path for path in SOURCES if path.relative_to(ROOT).parts[3] == name]


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        (
            "aiointercept_core",
            {"aiohttp", "httpx", "requests", "urllib3", "asyncio", "socket", "ssl", "selectors", *OURS}
            - {"aiointercept_core"},
        ),
        ("aiointercept_server", OURS - {"aiointercept_server", "aiointercept_core"}),
        ("aiointercept_dns", OURS - {"aiointercept_dns"}),
        ("aiointercept", {"socket", "ssl", "pytest", "aiointercept_pytest"}),
    ],
)
def test_a_package_imports_nothing_that_it_should_not(name, forbidden):
    assert sources_of(name)
    assert imported_by(name) & forbidden == set()


ROOMS = ["aiointercept.compat", *OURS]


def private_imports():
    """Yield each import of a private module of another room, compat being one: the module that imports, the other."""
    for path in SOURCES:
        importing = ".".join(path.relative_to(ROOT).with_suffix("").parts[3:])
        room = next(room for room in ROOMS if importing.startswith(f"{room}."))
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom):
                package = importing.rpartition(".")[0]
                imported = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                if imported.startswith("aiointercept") and "._" in imported and not imported.startswith(f"{room}._"):
                    yield room, importing, imported


def test_private_modules_of_another_package_are_imported_in_one_place():
    """Those of core in `_core` of the facade; compat takes `_parts` of the facade, the plugin `_pytest_bridge`."""
    taken = list(private_imports())
    assert {importing for room, importing, _ in taken if room == "aiointercept"} == {"aiointercept._core"}
    assert {imported for room, _, imported in taken if room == "aiointercept.compat"} == {"aiointercept._parts"}
    assert {imported for room, _, imported in taken if room == "aiointercept_pytest"} == {"aiointercept._pytest_bridge"}


def test_the_pytest_plugin_imports_nothing_heavy_until_it_is_used():
    assert imported_by("aiointercept_pytest", everywhere=False) & {"aiohttp", "asyncio", "yarl", *OURS} <= {
        "aiointercept_pytest"
    }


def test_only_one_module_patches():
    """No other sets a name on something else than itself; the decorator does so on a class that it was given."""
    setting = {
        path
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("setattr", "delattr")
        and ast.unparse(node.args[0]) not in ("self", "self.wrapper")
    }
    assert sorted(path.parent.name for path in setting) == ["aiointercept", "aiointercept_dns"]


def test_importing_needs_no_module_of_aiohttp_that_may_change():
    """A release of aiohttp without them may break what uses them, with an error that names them; not the import."""
    code = """if True:
        import aiohttp, sys
        from aiohttp import abc, hdrs, web

        for name in [name for name in sys.modules if name.startswith("aiohttp.")]:
            if not name.startswith(("aiohttp.abc", "aiohttp.hdrs", "aiohttp.web")):
                sys.modules[name] = None
                delattr(aiohttp, name.split(".")[1]) if hasattr(aiohttp, name.split(".")[1]) else None
        import aiointercept.compat, aiointercept_dns, aiointercept_pytest, aiointercept_server
        print("imported")
    """
    assert output_of(code) == "imported\n"


def test_importing_core_brings_no_http_library_and_no_event_loop():
    def loaded_by(name):
        return set(output_of(f"import sys, {name}; print(*sys.modules)").split())

    unwanted = {"aiohttp", "asyncio", "httpx", "requests", "urllib3", "socket", "ssl", "http.client", "multiprocessing"}
    # yarl may import what it likes.
    assert loaded_by("aiointercept_core") & unwanted <= loaded_by("yarl") - {"aiohttp"}


def test_importing_dns_imports_nothing_else_of_ours_and_patches_nothing():
    code = (
        "import sys, aiohttp\n"
        "owners = aiohttp.TCPConnector, aiohttp.BaseConnector, aiohttp.ClientSession\n"
        "before = [dict(vars(owner)) for owner in owners]\n"
        "import aiointercept_dns\n"
        "assert before == [dict(vars(owner)) for owner in owners]\n"
        "print({name.partition('.')[0] for name in sys.modules if name.startswith('aiointercept')})\n"
    )
    assert output_of(code).strip() == "{'aiointercept_dns'}"


def output_of(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_a_module_opens_with_its_one_idea_and_is_short():
    without, long = [], []
    for path in [*SOURCES, *sorted((ROOT / "tests").glob("**/*.py"))]:
        first = (ast.get_docstring(parsed(path)) or "").split("\n\n", maxsplit=1)[0].rstrip()
        without += [str(path)] * (not first.endswith((".", ":")))
        long += [str(path)] * (len(path.read_text("utf-8").splitlines()) > 500)
    assert (without, long) == ([], [])


# Public as a whole, under its own name.
PUBLIC_MODULES = ["failures.py"]


def test_an_init_is_a_docstring_imports_and_all_and_other_modules_are_private():
    for path in SOURCES:
        if path.name != "__init__.py":
            assert path.name.startswith("_") or path.name in PUBLIC_MODULES, path
            continue
        body = parsed(path).body
        assert all(isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.Assign) for node in body), path
        assert [ast.unparse(node.targets[0]) for node in body if isinstance(node, ast.Assign)] == ["__all__"], path
