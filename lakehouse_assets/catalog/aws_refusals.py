"""What an AWS service refuses, as one error that says what to do. Not here: any service."""

from lakehouse_assets.storage.stores import StorageError

_SPELT = {
    "dynamodb": "DynamoDB",
    "lakeformation": "Lake Formation",
    "redshift-data": "Redshift",
    "sagemaker": "SageMaker",
}


def code_of(error: Exception) -> str:
    """Return the code of an error of botocore; empty where the service did not answer at all."""
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def refusal(action: str, what: str, error: Exception) -> StorageError:
    """Return what to raise where a call fails.

    Args:
        action: The permission that the call needs, such as `glue:GetTables`.
        what: The database, table or other thing that it was about.
    """
    name, why = action.partition(":")[0], str(error).rstrip(".")
    service = _SPELT.get(name, name.capitalize())
    return StorageError(
        f"{service} refused {action} of {what}: {why}. The tables of the lake stand, and what was written to "
        f"{service}, too; check the role (docs/aws.md names each permission) and the endpoint, then `lakehouse run`."
    )
