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

# Variables that the caller has set win over the file, and are named: an earlier export may have left them there.
read_by_summarise=" MODEL TEMPERATURE TOP_K TOP_P MIN_P TYPICAL_P REPEAT_PENALTY REPEAT_LAST_N PRESENCE_PENALTY
 FREQUENCY_PENALTY MIROSTAT MIROSTAT_TAU MIROSTAT_ETA NUM_CTX NUM_PREDICT NUM_GPU NUM_THREAD NUM_BATCH
 DRAFT_NUM_PREDICT SEED STOP THINK SYSTEM_FILE PROMPT_FILE KEEP_ALIVE API_PATH "
by_hand=
for name in $read_by_summarise; do
    eval "value=\${OLLAMA_$name-}"
    [ -z "$value" ] || { by_hand="$by_hand $name"; eval "by_hand_$name=\$value"; }
    unset "OLLAMA_$name"
done
case $settings in */*) ;; *) settings=./$settings ;; esac
set -a
. "$settings"
for name in $by_hand; do
    eval "value=\$by_hand_$name; of_file=\${OLLAMA_$name-}"
    [ "$value" = "$of_file" ] || echo "$0: OLLAMA_$name=$value is yours; $settings has ${of_file:-no value}" >&2
    eval "OLLAMA_$name=\$value"
done
OLLAMA_EXPORT_DIR=$(dirname "$settings")   # the prompts' files are beside the settings
set +a

out=${OUT:-summaries}
mkdir -p "$out"
for log in "$@"; do
    name=$(basename "$log")
    "${PYTHON:-python3}" "$(dirname "$0")/summarise.py" "$log" >"$out/${name%.*}.txt"
    echo "$out/${name%.*}.txt"
done
