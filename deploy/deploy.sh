#!/usr/bin/env bash
# deploy.sh FILE [--yes] [--smoke] [PARAMETER=VALUE...] [PART...]: make or change the stacks of an environment, in order.
#
# FILE is like deploy/environments/dev.env. Without PART: all PARTS of the file, and the smoke test, which --smoke asks
# for otherwise. A PARAMETER stands before the same one of the file. Each change is shown before it is made; with --yes
# nobody is asked.
set -euo pipefail
deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/begin.sh
source "$deploy/begin.sh"
stack=$deploy/stack now=$(date -u +%Y%m%d%H%M%S)

[ $# -ge 1 ] || stop "say which environment: deploy/deploy.sh deploy/environments/dev.env"
begin "$1" changed; shift
yes=; smoke=; parts=()
for one in "$@"; do
  case $one in
    --yes) yes=1 ;;
    --smoke) smoke=1 ;;
    -*) stop "there is no option $one; nothing was changed" ;;
    *=*) PARAMETERS+=("$one") ;;
    *) parts+=("$one") ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || { read -ra parts <<<"$PARTS"; smoke=1; }
[ -z "$smoke" ] || [ -z "$SMOKE_FILE" ] || [ -f "$SMOKE_FILE" ] || stop "SMOKE_FILE of $file: there is no file $SMOKE_FILE; nothing was changed"

confirm() {
  [ -n "$yes" ] && return
  read -rp "$1 Type yes: " answer
  [ "$answer" = yes ] || stop "nothing was changed in this part; the parts before it stay as they are"
}

status() { aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>/dev/null || true; }

# Print the parameters of a part as JSON: what is not given has its default, or is as it was if it has none.
parameters() {
  local said without one all=
  declare -A given=([Name]=$NAME)
  for one in "${PARAMETERS[@]}"; do given[${one%%=*}]=${one#*=}; done
  said=$(aws cloudformation validate-template --template-body "file://$stack/$1.yaml" --query 'Parameters[].ParameterKey' --output text)
  without=$(aws cloudformation validate-template --template-body "file://$stack/$1.yaml" --query 'Parameters[?DefaultValue==null].ParameterKey' --output text)
  for one in $said; do
    if [ -n "${given[$one]+is}" ]; then
      all+=${all:+, }"{\"ParameterKey\": \"$one\", \"ParameterValue\": $(quoted "${given[$one]}")}"
    elif [ "$2" = UPDATE ] && [[ " ${without//$'\t'/ } " = *" $one "* ]]; then
      all+=${all:+, }"{\"ParameterKey\": \"$one\", \"UsePreviousValue\": true}"
    fi
  done
  echo "[$all]"
}

# Print the alarms that take a change of the service back. One that is on already would take back what is to end it.
rollback() {
  local names arn triggers=
  read -ra names <<<"${ROLLBACK_ALARMS:-}"
  if [ "$1 $2" = "service UPDATE" ] && [ ${#names[@]} -gt 0 ]; then
    for arn in $(aws cloudwatch describe-alarms --alarm-names "${names[@]/#/$NAME-}" --state-value OK --query 'MetricAlarms[].AlarmArn' --output text); do
      triggers+=${triggers:+, }"{\"Arn\": \"$arn\", \"Type\": \"AWS::CloudWatch::Alarm\"}"
    done
  fi
  echo "{\"RollbackTriggers\": [$triggers], \"MonitoringTimeInMinutes\": $([ -n "$triggers" ] && echo "${ROLLBACK_MINUTES:-20}" || echo 0)}"
}

# Make or change one part.
make_part() {
  local name=$NAME-$1 before kind=UPDATE end=stack-update-complete given alarms state why
  local set=(--stack-name "$name" --change-set-name "deploy-$now")
  before=$(status "$name")
  case $before in
    ROLLBACK_COMPLETE) stop "$name could not be made last time; look at its events, then: aws cloudformation delete-stack --stack-name $name" ;;
    ''|REVIEW_IN_PROGRESS) kind=CREATE end=stack-create-complete ;;
  esac
  given=$(parameters "$1" $kind)
  alarms=$(rollback "$1" $kind)
  aws cloudformation create-change-set "${set[@]}" --change-set-type $kind --template-body "file://$stack/$1.yaml" \
    --parameters "$given" --rollback-configuration "$alarms" --capabilities CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND \
    --tags "Key=lake,Value=$NAME" "Key=environment,Value=$ENVIRONMENT" "Key=owner,Value=$OWNER" >/dev/null
  while state=$(aws cloudformation describe-change-set "${set[@]}" --query Status --output text); do
    case $state in CREATE_PENDING|CREATE_IN_PROGRESS) sleep 2 ;; *) break ;; esac
  done
  if [ "$state" != CREATE_COMPLETE ]; then
    why=$(aws cloudformation describe-change-set "${set[@]}" --query StatusReason --output text)
    aws cloudformation delete-change-set "${set[@]}"
    case $why in
      *"didn't contain changes"*|*"No updates are to be performed"*) echo "$1: nothing to change"; return ;;
    esac
    stop "$name: $why; nothing was changed in this part, and the parts before it stay as they are"
  fi
  echo "$1:"
  aws cloudformation describe-change-set "${set[@]}" --output table \
    --query 'Changes[].ResourceChange.[Action, LogicalResourceId, ResourceType, Replacement]'
  confirm "Make this?"
  aws cloudformation execute-change-set "${set[@]}"
  if ! aws cloudformation wait "$end" --stack-name "$name"; then
    aws cloudformation describe-stack-events --stack-name "$name" --output text \
      --query "StackEvents[?contains(ResourceStatus, 'FAILED') || contains(ResourceStatus, 'ROLLBACK')].[LogicalResourceId, ResourceStatusReason]" >&2
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

# Wait until the number in gold is above 0 (1), or is 0 (0).
wait_for() {
  local until=$((SECONDS + ${SMOKE_WAIT_S:-900})) found
  while [ $SECONDS -lt $until ]; do
    found=$(ask "$SMOKE_SQL")
    if [[ $found =~ ^[0-9]+ ]] && [ $((${found%%.*} > 0)) = "$1" ]; then return; fi
    sleep "${SMOKE_PAUSE_S:-15}"
  done
  return 1
}

# Let a file land, wait until its numbers are in gold, take it out again, and wait until they are gone.
smoke_test() {
  [ -n "$SMOKE_FILE" ] || { echo "smoke test: left out, because SMOKE_FILE is empty"; return; }
  local feed=${SMOKE_KEY%%/*} key=smoke-$now/${SMOKE_KEY#*/} found
  local retract=("$file" retract "$feed" "$key" --why "smoke test" --who deploy.sh)
  found=$(ask "$SMOKE_SQL")
  [[ ! $found =~ ^[0-9]+ ]] || [ "${found%%.*}" -eq 0 ] || stop "smoke test: gold has $found before anything landed, so nothing was landed; an earlier test was cut short, or SMOKE_SQL counts records that are real. ops.ledger has the objects smoke-...: retract them"
  aws s3 cp --only-show-errors "$SMOKE_FILE" "s3://$NAME-$account/lake/landing/$feed/$key"
  wait_for 1 || stop "smoke test: after ${SMOKE_WAIT_S:-900} s gold does not have $feed/$key; see docs/on-call.md. Once it is there: deploy/lakehouse.sh ${retract[*]@Q}"
  echo "smoke test: gold has $feed/$key"
  "$deploy/lakehouse.sh" "${retract[@]}" || stop "smoke test: $feed/$key is still in gold; type this again: deploy/lakehouse.sh ${retract[*]@Q}"
  wait_for 0 || stop "smoke test: ${SMOKE_WAIT_S:-900} s after $feed/$key was retracted gold still has it; see docs/on-call.md"
  echo "smoke test: retracted, and gone from gold"
}

echo "$NAME ($ENVIRONMENT) in $account, $REGION: ${parts[*]}"
for part in "${parts[@]}"; do
  [ -f "$stack/$part.yaml" ] || stop "there is no part $part; deploy/stack has: $(cd "$stack" && echo *.yaml)"
  aws cloudformation validate-template --template-body "file://$stack/$part.yaml" --output text --query Description >/dev/null
done
for part in "${parts[@]}"; do make_part "$part"; done
[ -z "$smoke" ] || smoke_test
echo "done"
