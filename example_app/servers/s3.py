"""S3, as moto plays it: with one bucket and one object."""

import logging

import boto3
from moto.server import ThreadedMotoServer

from example_app.servers.programs import say, until_input_ends

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}


def serve() -> str:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    return "http://{}:{}".format(*server.get_host_and_port())


def fill(url: str) -> None:
    s3 = boto3.client("s3", endpoint_url=url, **KEYS)
    s3.create_bucket(Bucket="shop")
    s3.put_object(Bucket="shop", Key="orders.csv", Body=b"product,pieces\nanvil,3\n")


if __name__ == "__main__":
    address = serve()
    fill(address)
    say(address)
    until_input_ends()
