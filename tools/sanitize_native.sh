#!/usr/bin/env bash
# Tests of the compiled operators, and mutants, under AddressSanitizer and UndefinedBehaviorSanitizer.
#
#     tools/sanitize_native.sh [MUTANTS]      with PYTHON=… for another interpreter
#
# Works on a copy, whose library is built for it: the installed one stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/tests"
cp -r radixfmt tools pyproject.toml "$folder"
cp -r tests/native tests/conftest.py "$folder/tests"
rm -f "$folder"/radixfmt/native/_library*.so
include=$("$python" -c "import sysconfig; print(sysconfig.get_paths()['include'])")
cc -g -O1 -std=gnu11 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden \
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
    -I"$include" -DRX_CUDA='"radixfmt/native/cuda"' -o "$folder/radixfmt/native/_library.abi3.so" radixfmt/native/*.c -ldl
export LD_PRELOAD="$(cc -print-file-name=libasan.so):$(cc -print-file-name=libubsan.so)"
options=allocator_may_return_null=1
# Python and its libraries leave memory to the end of the process.
export ASAN_OPTIONS=$options:detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
export PYTHONPATH="$folder"
cd "$folder"
# OpenVINO and NVRTC load libraries in a way that AddressSanitizer forbids.
"$python" -m pytest -q -p no:cacheprovider tests/native \
    -k "not test_other_runtimes and not the_kernels_compile and not asks_nvrtc"
# Of what is left at the end, none may be ours; a library that is still loaded has names.
ASAN_OPTIONS=$options "$python" -c "
import pytest
from radixfmt import native
native.instructions()
hostile = [f'tests/native/test_native_hostile{rest}.py' for rest in ('', '_convolutions')]
pytest.main(['-q', '-p', 'no:cacheprovider', *hostile])
" >leaks.txt 2>&1 || true
grep "SUMMARY: AddressSanitizer: .* leaked" leaks.txt  # it did look
if grep -B5 "radixfmt/native" leaks.txt; then
    echo "the compiled operators leak memory" >&2
    exit 1
fi
"$python" tools/fuzz_native.py --memory 0 --mutants "${1:-5000}" --seed 1
