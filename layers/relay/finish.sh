#!/bin/sh
# finish.sh FOLDER VERSION: leaves in the layer what Lambda can use, and compiles it.
set -eu

folder=$1
version=$2

# Commands, a package's own tests, stubs and what extensions were compiled from: nobody looks at them on Lambda.
rm -rf "$folder/bin" "$folder/.lock" "$folder/certifi/tests"
# Of Powertools only the logger and the metrics are ever imported, and what they stand on; the rest was six
# of its seven MB. tests/integration/test_built_functions.py runs every function on what is left.
powertools=$folder/aws_lambda_powertools
rm -rf "$powertools/event_handler" "$powertools/middleware_factory"
find "$powertools/utilities" -mindepth 1 -maxdepth 1 ! -name __init__.py ! -name jmespath_utils -exec rm -rf {} +
find "$folder" -name __pycache__ -type d -prune -exec rm -rf {} +
find "$folder" \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' \) -type f -exec rm -f {} +

# /opt is read-only on Lambda: what is not compiled here is compiled again at each cold start (0.65 s
# of imports instead of 0.30 s, on a 2-core machine). The files are not checked against their sources
# (unchecked-hash), because a zip changes the dates. Python's bytecode is the same on every processor
# but not in every version. Two processes on two cores take a quarter more of CPU than one: COMPILE_JOBS=1.
if "$BUILD_PYTHON" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
    "$BUILD_PYTHON" -m compileall -q -j "${COMPILE_JOBS:-0}" --invalidation-mode unchecked-hash -s "$folder" -p /opt/python "$folder"
else
    echo "No Python $version to compile the layer with: it works, but cold starts are slower." >&2
fi
