"""A local S3 server (moto) for tests of the object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = "captioning"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Serve S3 with one empty bucket, and set the endpoint and credentials in the environment.

    Yields:
        The environment variables that were set, for other processes.
    """
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
                patch.delenv(name, raising=False)
            for name, value in environment.items():
                patch.setenv(name, value)
            client().create_bucket(Bucket=BUCKET)
            # File systems that an earlier test opened still know the endpoint of its server.
            S3FileSystem.clear_instance_cache()
            yield environment
    finally:
        server.stop()


def client():
    """A client of the S3 server that the environment names."""
    import boto3

    return boto3.session.Session().client("s3")


def objects(prefix: str = "") -> dict[str, object]:
    """The objects of the bucket: key to time of writing."""
    listed = client().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {entry["Key"]: entry["LastModified"] for entry in listed}
