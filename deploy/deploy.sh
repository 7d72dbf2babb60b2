#!/usr/bin/env bash
# deploy.sh FILE [--yes] [PART...]: make or change the stacks of an environment, in order, then let a file land.
#
# FILE is like deploy/environments/dev.env. Without PART: all PARTS of the file, and the smoke test.
# Each change is shown before it is made; with --yes nobody is asked.
set -euo pipefail
stack=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/stack

stop() { echo "deploy.sh: $*" >&2; exit 1; }

[ $# -ge 1 ] || stop "say which environment: deploy/deploy.sh deploy/environments/dev.env"
file=$1; shift
[ -f "$file" ] || stop "there is no file $file"
# shellcheck source=deploy/environments/dev.env
source "$file"
yes=; parts=()
for one in "$@"; do
  if [ "$one" = --yes ]; then yes=1; else parts+=("$one"); fi
done
smoke=; [ ${#parts[@]} -gt 0 ] || { read -ra parts <<<"$PARTS"; smoke=1; }
export AWS_DEFAULT_REGION=$REGION AWS_REGION=$REGION AWS_PAGER=
bucket=

confirm() {
  [ -n "$yes" ] && return
  read -rp "$1 Type yes: " answer
  [ "$answer" = yes ] || stop "nothing was changed in this part; the parts before it stay as they are"
}

status() { aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>/dev/null || true; }

# Make or change one part.
make_part() {
  local name=$NAME-$1 said set before end
  before=$(status "$name")
  [ "$before" != ROLLBACK_COMPLETE ] || stop "$name could not be made last time; look at its events, then: aws cloudformation delete-stack --stack-name $name"
  said=$(aws cloudformation deploy --stack-name "$name" --template-file "$stack/$1.yaml" \
    --parameter-overrides "Name=$NAME" "${PARAMETERS[@]}" --tags "lake=$NAME" "environment=$ENVIRONMENT" "owner=$OWNER" \
    --capabilities CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND --no-execute-changeset --no-fail-on-empty-changeset)
  set=$(grep -o 'arn:[^ ]*:changeSet/[^ ]*' <<<"$said" || true)
  if [ -z "$set" ]; then echo "$1: nothing to change"; return; fi
  echo "$1:"
  aws cloudformation describe-change-set --change-set-name "$set" --output table \
    --query 'Changes[].ResourceChange.[Action, LogicalResourceId, ResourceType, Replacement]'
  confirm "Make this?"
  end='stack-update-complete'
  case $before in ''|REVIEW_IN_PROGRESS) end='stack-create-complete' ;; esac
  aws cloudformation execute-change-set --change-set-name "$set"
  if ! aws cloudformation wait "$end" --stack-name "$name"; then
    aws cloudformation describe-stack-events --stack-name "$name" --output text \
      --query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" >&2
    stop "$name is $(status "$name"); AWS took its changes back, and the parts before it stay"
  fi
}

# Ask Athena; print the first number of the answer, or nothing.
ask() {
  local id state
  id=$(aws athena start-query-execution --work-group "$NAME" --query-string "$1" \
    --query-execution-context "Database=${NAME}_gold" --query QueryExecutionId --output text) || return 0
  while state=$(aws athena get-query-execution --query-execution-id "$id" --query QueryExecution.Status.State --output text); do
    case $state in QUEUED|RUNNING) sleep 2 ;; *) break ;; esac
  done
  [ "$state" = SUCCEEDED ] || return 0  # the table may not be there yet
  aws athena get-query-results --query-execution-id "$id" --query 'ResultSet.Rows[1].Data[0].VarCharValue' --output text
}

# Let a file land, and wait until its numbers are in gold.
smoke_test() {
  [ -n "$SMOKE_FILE" ] || { echo "smoke test: left out, because SMOKE_FILE is empty"; return; }
  local until=$((SECONDS + ${SMOKE_WAIT_S:-900})) found
  aws s3 cp --only-show-errors "$SMOKE_FILE" "s3://$bucket/lake/landing/$SMOKE_KEY"
  while [ $SECONDS -lt $until ]; do
    found=$(ask "$SMOKE_SQL")
    if [[ $found =~ ^[0-9]+ ]] && [ "${found%%.*}" -gt 0 ]; then echo "smoke test: gold has it: $found"; return; fi
    sleep "${SMOKE_PAUSE_S:-15}"
  done
  stop "smoke test: after ${SMOKE_WAIT_S:-900} s gold does not have $SMOKE_KEY; see docs/on-call.md"
}

account=$(aws sts get-caller-identity --query Account --output text) || stop "AWS does not know who you are; log in first"
[ -z "$ACCOUNT" ] || [ "$ACCOUNT" = "$account" ] || stop "this is the account $account, and $file is for $ACCOUNT; nothing was changed"
bucket=$NAME-$account
echo "$NAME ($ENVIRONMENT) in $account, $REGION: ${parts[*]}"
for part in "${parts[@]}"; do
  [ -f "$stack/$part.yaml" ] || stop "there is no part $part; deploy/stack has: $(cd "$stack" && echo *.yaml)"
  aws cloudformation validate-template --template-body "file://$stack/$part.yaml" --output text --query Description >/dev/null
done
for part in "${parts[@]}"; do make_part "$part"; done
[ -z "$smoke" ] || smoke_test
echo "done"
