#!/usr/bin/env bash
# The networks that can be had here, into models/.
#   models.sh BINARY    BINARY: the built steadymask, which knows how to fetch and convert them
# Runs once for each version of the catalogue: a network that could not be reached then is not
# looked for at every start, `steadymask models setup` tries again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

binary=$1
catalogue=models/catalogue.json
tried=.deps/models-tried # the catalogue of the last time
shared=../shared/models  # files handed to this checkout

if compgen -G 'models/*.pt' >/dev/null && cmp -s "$catalogue" "$tried"; then
    exit 0
fi
echo "make setup: models: fetching and converting those that can be reached"
options=()
[[ ! -f $shared/deeplabv3_mnv2_pascal_quant.tflite ]] || options+=(--look-in "$shared")
if ! "$binary" models setup "${options[@]}" || ! compgen -G 'models/*.pt' >/dev/null; then
    printf 'make setup: models: no network could be installed (the reasons are above).\n' >&2
    printf '  What to do: check the connection, then the same make again; or take a file that\n' >&2
    printf '  you have: %q models install NAME --from FILE\n' "$binary" >&2
    exit 1
fi
cp "$catalogue" "$tried"
