#!/bin/sh
# Summarise logs with the options that a sweep exported.
#
#   ./run_bundle.sh exports/production.env logs/*.txt           as tuned
#   ./run_bundle.sh exports/baseline.env logs/*.txt             temperature 0 and a fixed seed, for measuring
#   OLLAMA_TEMPERATURE=0.2 ./run_bundle.sh exports/production.env logs/*.txt     one option by hand
#
# Summaries land in ./summaries (or in $OUT), one file per log.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: $0 SETTINGS.env LOG..." >&2
    exit 2
fi
settings=$1
shift
if [ ! -r "$settings" ]; then
    echo "$0: cannot read $settings; write it with: sweeps export STUDY" >&2
    exit 2
fi

# Variables that the caller has set win over the file.
by_hand=$(export -p | grep -E '^(export|declare -x) OLLAMA_[A-Z_]+=' || true)
case $settings in */*) ;; *) settings=./$settings ;; esac
set -a
. "$settings"
eval "$by_hand"
OLLAMA_EXPORT_DIR=$(dirname "$settings")   # the prompts' files are beside the settings
set +a

out=${OUT:-summaries}
mkdir -p "$out"
for log in "$@"; do
    name=$(basename "$log")
    "${PYTHON:-python3}" "$(dirname "$0")/summarise.py" "$log" >"$out/${name%.*}.txt"
    echo "$out/${name%.*}.txt"
done
