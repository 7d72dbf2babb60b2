"""Say by the exit code whether a process of the image works: `healthcheck.py code|web|daemon [port]`.

It asks the process itself, and the daemon by the heartbeats that it leaves in the database. The web server and the code
location are asked without importing Dagster, which takes a second of CPU each time.
"""

import os
import sys
import urllib.request


def _code(port: int) -> bool:
    import grpc  # noqa: PLC0415 - of this process only
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        asked = health_pb2.HealthCheckRequest(service="DagsterApi")
        return bool(health_pb2_grpc.HealthStub(channel).Check(asked, timeout=5).status == 1)


def _web(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
        return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's own number


def main(process: str, port: str = "") -> int:
    """Return 0 if a process works."""
    if process == "daemon":
        os.execv(sys.executable, [sys.executable, "-m", "dagster._daemon", "liveness-check"])  # noqa: S606 - takes this place
    try:
        works = _code(int(port or 4000)) if process == "code" else _web(int(port or 3000))
    except Exception as error:  # noqa: BLE001 - whatever it is, the process does not answer
        print(f"{process}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - for `docker inspect`
        works = False
    return 0 if works else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
