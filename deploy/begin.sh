# shellcheck shell=bash
# What deploy.sh, destroy.sh and lakehouse.sh begin with: the file of the environment, and whether this is its account.

stop() { echo "${0##*/}: $*" >&2; exit 1; }

# begin FILE DONE: take the variables of FILE, and set `file` and `account`. DONE says what was not done in another account.
begin() {
  file=$1
  [ -f "$file" ] || stop "there is no file $file"
  # shellcheck source=deploy/environments/dev.env
  source "$file"
  export AWS_DEFAULT_REGION=$REGION AWS_REGION=$REGION AWS_PAGER=
  account=$(aws sts get-caller-identity --query Account --output text) || stop "AWS does not know who you are; log in first"
  [ -z "$ACCOUNT" ] || [ "$ACCOUNT" = "$account" ] || stop "this is the account $account, and $file is for $ACCOUNT; nothing was $2"
}

# Print text as JSON has it.
quoted() { local text=${1//\\/\\\\}; echo "\"${text//\"/\\\"}\""; }
