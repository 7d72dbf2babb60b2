#!/usr/bin/env bash
# lakehouse.sh FILE COMMAND...: type a command of the lake in a task of its environment; print its lines, end as it ended.
set -euo pipefail
# shellcheck source=deploy/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"

[ $# -ge 2 ] || stop "say which environment, and what to type: deploy/lakehouse.sh deploy/environments/dev.env status"
begin "$1" started; shift

# Where the service runs, the command runs, too.
network=$(aws ecs describe-services --cluster "$NAME" --services "$NAME" --query 'services[0].networkConfiguration' --output json)
typed=; for one in lakehouse "$@"; do typed+=${typed:+, }$(quoted "$one"); done
task=$(aws ecs run-task --cluster "$NAME" --task-definition "$NAME-runs" --launch-type FARGATE \
  --network-configuration "$network" --query 'tasks[0].taskArn' --output text \
  --overrides "{\"taskRoleArn\": \"arn:aws:iam::$account:role/$NAME-commands\", \"containerOverrides\": [{\"name\": \"run\", \"command\": [$typed]}]}")
[[ $task == arn:* ]] || stop "no task was started; ECS may have no place for it now"
echo "task ${task##*/}: it takes a minute to start" >&2
for _ in {1..36}; do  # the command line of AWS waits ten minutes at most
  if aws ecs wait tasks-stopped --cluster "$NAME" --tasks "$task" 2>/dev/null; then break; fi
done
aws logs get-log-events --log-group-name "/$NAME/tasks" --log-stream-name "run/run/${task##*/}" --start-from-head \
  --query 'events[].message' --output text | tr '\t' '\n'
code=$(aws ecs describe-tasks --cluster "$NAME" --tasks "$task" --query 'tasks[0].containers[0].exitCode' --output text)
[[ $code =~ ^[0-9]+$ ]] || stop "the task ended without the command: $(aws ecs describe-tasks --cluster "$NAME" --tasks "$task" --query 'tasks[0].stoppedReason' --output text)"
exit "$code"
