"""The queue in Amazon SQS. Its client is made when the first message is asked for. Not here: what messages say."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from lakehouse_assets import aws
from lakehouse_assets.sources.queue import Depth, Message, QueueError

_AT_ONCE = 10
_ATTEMPTS = 3
_REGION = re.compile(r"//sqs\.([a-z0-9-]+)\.amazonaws\.")
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


class SqsQueue:
    """A queue by its URL. The usual AWS environment variables say as whom. Opening it does no I/O."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        named = _REGION.search(self.url)
        return aws.client("sqs", aws.HASTY, named.group(1) if named else None)

    def receive(self, hidden_s: int, wait_s: int = 0) -> list[Message]:
        answer = self._call(
            "receive_message",
            QueueUrl=self.url,
            MaxNumberOfMessages=_AT_ONCE,
            VisibilityTimeout=hidden_s,
            WaitTimeSeconds=wait_s,
        )
        return [Message(m["MessageId"], m["ReceiptHandle"], m["Body"]) for m in answer.get("Messages", [])]

    def delete(self, receipts: Sequence[str]) -> int:
        left = list(receipts)
        for _ in range(_ATTEMPTS):
            left = [receipt for some in _tens(left) for receipt in self._delete(some)]
        return len(left)

    def _delete(self, receipts: Sequence[str]) -> list[str]:
        """Delete at most ten messages; return the receipts of those for which the service failed."""
        entries = [{"Id": str(at), "ReceiptHandle": receipt} for at, receipt in enumerate(receipts)]
        answer = self._call("delete_message_batch", QueueUrl=self.url, Entries=entries)
        # A receipt that is not valid any more is nothing to try again: the message is gone, or comes with another one.
        return [receipts[int(found["Id"])] for found in answer.get("Failed", []) if not found.get("SenderFault")]

    def hide(self, receipts: Sequence[str], seconds: int) -> None:
        for some in _tens(receipts):
            entries = [
                {"Id": str(at), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for at, receipt in enumerate(some)
            ]
            self._call("change_message_visibility_batch", QueueUrl=self.url, Entries=entries)

    def depth(self) -> Depth:
        found = self._attributes(self.url, *_COUNTS, "RedrivePolicy")
        waiting, in_flight, delayed = (int(found.get(name, 0)) for name in _COUNTS)
        arn = json.loads(found.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        if arn is None:
            return Depth(waiting, in_flight, delayed, None)
        # A dead-letter queue is of the same account and region, so only the name differs.
        url = f"{self.url.rsplit('/', 1)[0]}/{arn.rsplit(':', 1)[-1]}"
        return Depth(waiting, in_flight, delayed, int(self._attributes(url, _COUNTS[0]).get(_COUNTS[0], 0)))

    def _attributes(self, url: str, *names: str) -> dict[str, str]:
        found: dict[str, str] = self._call("get_queue_attributes", QueueUrl=url, AttributeNames=list(names)).get(
            "Attributes", {}
        )
        return found

    def _call(self, name: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as boto3 has it
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            call: Callable[..., dict[str, Any]] = getattr(self._client, name)
            return call(**arguments)
        except (BotoCoreError, ClientError) as error:
            why = " ".join(str(error).split())
            msg = (
                f"{arguments['QueueUrl']}: {why}. Messages stay in the queue, and landing is listed instead; check "
                "LAKEHOUSE_QUEUE_URL, the endpoint and the permissions of the role."
            )
            raise QueueError(msg) from error


def _tens(receipts: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(receipts), _AT_ONCE):
        yield receipts[at : at + _AT_ONCE]
