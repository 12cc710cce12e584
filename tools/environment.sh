# Sourced by tools/demo and tools/test: a virtual environment made once per set of requirements.
#
# environment NAME EXTRA: makes .environments/NAME with the package (editable) and the extra, and
# prints its folder. A stamp of everything that decides the content makes the second call quick.

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && "$candidate" -c \
            'import sys, venv; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "Error: found no Python 3.11 or newer with venv. Hint: PYTHON=/path/to/python3 $0" >&2
    return 2
}

environment() {
    local name=$1 extra=$2 folder=.environments/$1 python stamp
    python=$(find_python)
    stamp="$extra $("$python" -V) $(cksum <pyproject.toml) $PWD"
    if [ "$(cat "$folder/stamp" 2>/dev/null)" != "$stamp" ]; then
        echo "Making $folder with $("$python" -V) and the extra '$extra' …" >&2
        rm -rf "$folder"
        "$python" -m venv "$folder" >&2
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
            --editable ".[$extra]" >&2
        echo "$stamp" >"$folder/stamp"
    fi
    echo "$folder"
}
