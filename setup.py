"""The compiled operators: built where there is a compiler, done without where there is none."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("radixfmt/native")
CUDA = NATIVE / "cuda"

LIBRARY = Extension(
    "radixfmt.native._library",
    sources=sorted(map(str, NATIVE.glob("*.c"))),
    depends=sorted(map(str, [*NATIVE.glob("*.h"), *CUDA.iterdir()])),
    define_macros=[("RX_CUDA", f'"{CUDA}"')],
    extra_compile_args=["-O3", "-g0", "-std=gnu11", "-fvisibility=hidden"],
    libraries=["dl"] if sys.platform == "linux" else [],
    py_limited_api=True,
    optional=True,  # without it models run by their definitions in standard operators
)

# The sources want GCC or Clang.
setup(
    ext_modules=[] if sys.platform == "win32" else [LIBRARY],
    exclude_package_data={"radixfmt.native": ["*.c", "*.h"], "radixfmt.native.cuda": ["*"]},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
