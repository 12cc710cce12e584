"""The compiled operators: built where there is a compiler, done without where there is none."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("radixfmt/native")

LIBRARY = Extension(
    "radixfmt.native._library",
    sources=sorted(map(str, NATIVE.glob("*.c"))),
    depends=sorted(map(str, NATIVE.glob("*.h"))),
    extra_compile_args=["-O3", "-g0", "-std=gnu11", "-fvisibility=hidden"],
    py_limited_api=True,
    optional=True,  # without it models run by their definitions in standard operators
)

# The sources want GCC or Clang.
setup(
    ext_modules=[] if sys.platform == "win32" else [LIBRARY],
    exclude_package_data={"radixfmt.native": ["*.c", "*.h"]},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
