#!/usr/bin/env bash
# destroy.sh FILE [--delete-data NAME]: remove the stacks of an environment, the last one first.
#
# It refuses where data would be lost, unless --delete-data names the lake; then it asks for the name once more.
# The buckets, the key and the table of the error log are never removed: it prints how to do that.
set -euo pipefail
# shellcheck source=deploy/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"

[ $# -ge 1 ] || stop "say which environment: deploy/destroy.sh deploy/environments/dev.env"
begin "$1" removed; shift
told=; [ "${1:-}" != --delete-data ] || told=${2:-}

exists() { aws cloudformation describe-stacks --stack-name "$NAME-$1" >/dev/null 2>&1; }

read -ra parts <<<"$PARTS"
there=()
for part in "${parts[@]}"; do if exists "$part"; then there=("$part" "${there[@]}"); fi; done
[ ${#there[@]} -gt 0 ] || stop "there is no stack of $NAME in $account, $REGION"

lost=()
for part in "${there[@]}"; do
  case $part in
    storage)
      first=$(aws s3api list-objects-v2 --bucket "$NAME-$account" --max-keys 1 --query KeyCount --output text 2>/dev/null || echo 0)
      [ "$first" = 0 ] || lost+=("the lake: s3://$NAME-$account has objects") ;;
    database) lost+=("what Dagster knows of its runs: a snapshot of the database is left") ;;
    serving) lost+=("the table of served rows: a run fills a new one") ;;
    warehouse) lost+=("the gold tables in Redshift: a run loads new ones") ;;
    quicksight) lost+=("what authors made in QuickSight of its data sets: it stays, and shows nothing any more") ;;
    errors) lost+=("the error log: its table is left without a stack") ;;
  esac
done
if [ ${#lost[@]} -gt 0 ]; then
  echo "This would be lost, or left without an owner:"
  printf '  %s\n' "${lost[@]}"
  [ "$told" = "$NAME" ] || stop "nothing was removed; if that is meant: deploy/destroy.sh $file --delete-data $NAME"
fi
read -rp "Remove ${there[*]} of $NAME in $account? Type its name: " answer
[ "$answer" = "$NAME" ] || stop "nothing was removed"

for part in "${there[@]}"; do
  echo "$part"
  [ "$part" != database ] || aws rds modify-db-instance --db-instance-identifier "$NAME" --no-deletion-protection --apply-immediately >/dev/null
  aws cloudformation delete-stack --stack-name "$NAME-$part"
  aws cloudformation wait stack-delete-complete --stack-name "$NAME-$part" || stop "$NAME-$part could not be removed; its events say why; then run this again"
done
cat <<END
What is left, and how to remove it for good. All versions of the objects have to go before a bucket can:
  aws s3api delete-bucket --bucket $NAME-$account          (and $NAME-logs-$account, $NAME-pipeline-$account)
  aws dynamodb delete-table --table-name $NAME-errors
  aws rds describe-db-snapshots --query "DBSnapshots[?DBInstanceIdentifier=='$NAME'].DBSnapshotIdentifier"
  aws kms schedule-key-deletion --key-id KEY               (what it encrypted is lost with it)
END
