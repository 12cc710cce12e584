"""The package installs from its source distribution, with a C compiler and without one."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from radixfmt import native

ROOT = Path(__file__).resolve().parents[1]
BUILT = shutil.ignore_patterns("__pycache__", "_library*")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md")
SDIST = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"


def run(folder, *words, **environment):
    """Run words in a folder, where no other radixfmt is found, and return what they print."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, words)),
        cwd=folder,
        env=given | {"COLUMNS": "500"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Make a source distribution, of a copy: this folder stays as it is."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("radixfmt", "spec"):
        shutil.copytree(ROOT / name, folder / name, ignore=BUILT)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    run(folder, sys.executable, "-c", SDIST, "dist")
    return next((folder / "dist").iterdir())


def installed(folder, sources, **environment):
    """Install a wheel made of the sources; return it, and an environment's folder of commands."""
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    offline = ("--no-deps", "--no-index")
    built = (*offline, "--no-build-isolation", "--no-cache-dir", "--wheel-dir", ".")
    run(folder, *pip, "wheel", *built, sources, **environment)
    wheel = next(folder.glob("*.whl"))
    venv.create(folder / "made")
    commands = folder / "made" / "bin"
    run(folder, *pip, "--python", commands / "python", "install", *offline, wheel)
    # What radixfmt needs, but no radixfmt: `.pth` files in this folder are not followed.
    others = sysconfig.get_paths()["platlib"]
    packages = next((folder / "made" / "lib").glob("python*")) / "site-packages"
    (packages / "others.pth").write_text(others)
    return wheel, commands


def tried(folder, commands):
    """Run tests of kernels and of definitions on what is installed; return what pytest prints."""
    chosen = ("-k", "every_instruction_set or infinities", "-p", "no:cacheprovider")
    file = ROOT / "tests/native/test_native_operators.py"
    return run(folder, commands / "python", "-P", "-m", "pytest", *chosen, file)


def test_the_source_distribution_is_whole(sources):
    with tarfile.open(sources) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    folders = (ROOT / "radixfmt", ROOT / "spec")
    files = {file for folder in folders for file in folder.rglob("*") if file.is_file()}
    wanted = {
        str(file.relative_to(ROOT))
        for file in files
        if file.parent.name != "__pycache__" and not file.name.startswith("_library")
    }
    assert wanted | set(FILES) <= held


@pytest.mark.skipif(native.library() is None, reason=native.MISSING)
def test_with_a_compiler(sources, tmp_path):
    wheel, commands = installed(tmp_path, sources)
    assert "-cp311-abi3-" in wheel.name
    held = zipfile.ZipFile(wheel).namelist()
    assert "radixfmt/native/_library.abi3.so" in held
    assert not [name for name in held if name.endswith((".c", ".h"))]
    assert "compiled operators, " in run(tmp_path, commands / "radixfmt", "--version", "-v")
    assert native.MISSING not in tried(tmp_path, commands)


def test_without_a_compiler(sources, tmp_path):
    _, commands = installed(tmp_path, sources, CC="no-compiler")
    assert native.MISSING in run(tmp_path, commands / "radixfmt", "--version", "-v").splitlines()
    said = tried(tmp_path, commands)
    assert "1 passed, 3 skipped" in said
    assert native.MISSING in said
