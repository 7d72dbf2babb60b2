#!/usr/bin/env bash
# Restore drill: make a lake anew from what has to be kept of another one, and compare the tables of both.
#
#   deploy/restore_drill.sh FROM TO     folders, or s3://bucket/prefix (with the `aws` command); TO must be empty
#
# Kept are landing (what was sent), decisions (what people decided) and erasures (who is forgotten, with the secret key).
# All else follows from them. FROM is read only. Pins name versions of tables: revoke them in TO first if there are any.
set -euo pipefail
from=${1:?usage: restore_drill.sh FROM TO} to=${2:?usage: restore_drill.sh FROM TO}
DAGSTER_HOME=$(mktemp -d)
export DAGSTER_HOME
trap 'rm -rf "$DAGSTER_HOME"' EXIT

on() { LAKEHOUSE_ROOT=$1 lakehouse "${@:2}"; }

if [[ $to == s3://* ]]; then
    bucket=${to#s3://} prefix=
    [[ $bucket != */* ]] || { prefix=${bucket#*/}/ bucket=${bucket%%/*}; }
    # Not by `aws s3 ls`: it ends alike where nothing is and where S3 does not answer.
    held=$(aws s3api list-objects-v2 --bucket "$bucket" --prefix "$prefix" --max-keys 1 --query 'Contents[].Key' --output text)
    [[ $held != None ]] || held=
else
    held=$(ls -A "$to" 2>/dev/null || true)
fi
[[ -z $held ]] || { echo "$to is not empty, so nothing was done; name another place." >&2; exit 2; }

for kept in landing decisions erasures; do
    [[ $from == s3://* || -d $from/$kept ]] || continue
    if [[ $from$to == *s3://* ]]; then
        aws s3 cp --recursive --only-show-errors "$from/$kept/" "$to/$kept/"
    else
        mkdir -p "$to" && cp -a "$from/$kept" "$to/$kept"
    fi
done

on "$to" run || echo "not all of it was published: see above; in FROM the same is held or rejected, or it shows below" >&2
on "$to" verify --deep

tables=$(on "$from" tables | awk '$1 ~ /^(silver|gold)[.]/ {print $1}')
[[ -n $tables ]] || { echo "$from has no tables to compare with." >&2; exit 2; }
sums=""
for table in $tables; do
    sums+="${sums:+ UNION ALL }SELECT '$table' AS name, count(*) AS rows, sum(hash(t)) AS contents FROM $table AS t"
done
before=$(on "$from" query "$sums ORDER BY ALL" --format csv)
after=$(on "$to" query "$sums ORDER BY ALL" --format csv)
if diff <(echo "$before") <(echo "$after"); then
    echo "$after"
    echo "the same: $(echo "$tables" | wc -l) tables"
else
    echo "the tables above differ: < is $from, > is $to" >&2
    exit 1
fi
