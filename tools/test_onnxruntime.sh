#!/usr/bin/env bash
# Tests with another version of ONNX Runtime than the one installed.
#
#     tools/test_onnxruntime.sh [VERSION [PYTEST ARGUMENTS]]     with PYTHON=… for an interpreter
#
# By default the compiled operators, on the oldest version that they and the package support. The
# version goes to a folder that comes before the interpreter's own packages, which stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-1.23.0}
python=${PYTHON:-python}
[ $# -gt 1 ] || set -- "$version" tests/native
tag=$("$python" -c 'import sys; print(sys.implementation.cache_tag)')
folder=$PWD/.environments/onnxruntime-$version-$tag
if [ ! -e "$folder/stamp" ]; then
    rm -rf "$folder"
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --target "$folder" "onnxruntime==$version"
    touch "$folder/stamp"
fi
export PYTHONPATH="$folder${PYTHONPATH:+:$PYTHONPATH}"
"$python" -c "import onnxruntime; print('onnxruntime', onnxruntime.__version__)"
exec "$python" -m pytest -q "${@:2}"
