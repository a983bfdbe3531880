#!/bin/sh
# Makes what the command line and the service of Steadymask 0.1.0 write into this folder; what
# its window writes is made as README.md says.
#
#     ./make.sh PATH/TO/steadymask
#
# Another version is refused: golden files are never made anew by the program that they test.
set -eu

program=$1
case $("$program" --version) in
    "steadymask 0.1.0") ;;
    *) echo "make.sh: $program is not Steadymask 0.1.0" >&2; exit 2 ;;
esac
cd "$(dirname "$0")"
export XDG_DATA_HOME="$PWD/data" XDG_CACHE_HOME="$PWD/unused"
unset STEADYMASK_MODELS RUST_LOG

rm -rf expected batch service data/steadymask/presets.sqlite
# The proxies are the window's.
find cache -mindepth 1 -maxdepth 1 ! -name '*-proxies' -exec rm -r {} +
# A batch knows its inputs by their times.
find work -exec touch -d '2026-01-02 03:04:05 UTC' {} +

"$program" presets save calm --preset gentle --min-area 5
"$program" presets save Тихое-море --method median --window 3 --timing causal --input masks --motion off \
    --threshold 0.6 --hysteresis 0.3 --fill-holes 9 --overlap on
"$program" presets save cut-out --preset seed --export png,png16,png-alpha,csv,json,coco --edges soft \
    --backdrop '#102030' --names '{clip}-{kind}/{class}-{frame}'
"$program" presets save magenta --method exponential --alpha 0.7 --backdrop magenta
for steps in pipelines/*.json; do
    "$program" pipelines save "$(basename "$steps" .json)" "$steps"
done
mkdir expected
"$program" presets export >expected/presets.json
"$program" pipelines export >expected/pipelines.json

# The tracks, which «export» then needs.
run() {
    "$program" run "$@" --cache cache --out unused --export csv --quiet --force
}
run work/clip --model light-dark --class light --method auto
run work/clip --model coarse --class dark --every 3
run work/clip --masks work/mattes --class disc
run work/clip.mkv --model light-dark --class dark
rm -r unused

while read -r name arguments; do
    # shellcheck disable=SC2086 # none of the arguments has a space in it
    "$program" $arguments --cache cache --out "expected/$name" --quiet
done <cases.txt

# The one that is broken fails.
"$program" batch work/pictures work/clip.mkv --pipeline box --cache cache --out batch --quiet || [ $? = 6 ]
"$program" batch --manifest work/inputs.jsonl --index 5 --cache cache --out batch --quiet

# A server that has a clip and an answer.
"$program" serve --listen 127.0.0.1:8123 --data service --cache cache >/dev/null &
server=$!
api=http://127.0.0.1:8123/api
ask() {
    curl --silent --fail-with-body --retry 20 --retry-delay 1 --retry-connrefused "$@"
    echo
}
wait_for() {
    until ask "$api/status/$job" | grep '"state": *"done"' >/dev/null; do sleep 0.2; done
}
job=$(ask -F "video=@work/clip.mkv" $api/upload | sed 's/.*"job_id": *"\([^"]*\)".*/\1/')
ask --json "{\"job_id\": \"$job\", \"model\": \"light-dark\", \"classes\": [\"light\"]}" $api/segment
wait_for
ask --json "{\"job_id\": \"$job\", \"smooth\": {\"method\": \"median\", \"window\": 3}, \"export\": [\"coco\", \"classmap\"]}" \
    $api/stabilize
wait_for
box=$("$program" pipelines | sed -n 's/^ *\([0-9]*\)  box .*/\1/p')
ask -F "pipeline_id=$box" -F "image_file=@work/pictures/a.png" $api/process-image >expected/answer.json
kill $server
wait $server || true

# Locks and shared memory hold nothing, a case's own ledger is tested with that in batch/, and
# two reports as JSON are enough: they are long.
find . \( -name .lock -o -name '*-shm' \) -delete
find expected \( -name results.jsonl -o -name pipelines.json -path '*/pipeline-*' \) -delete
find expected batch -name metrics.json ! -path '*/project-mattes/*' ! -path '*/stored-auto/*' -delete
