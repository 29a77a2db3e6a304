"""Make buckets on an S3 server if they are missing: `python deploy/buckets.py http://s3:9000 dvc mlflow`.

The keys are those of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
"""

import argparse

import boto3


def make_buckets(endpoint: str, names: list[str]) -> None:
    """Make the buckets that do not exist."""
    client = boto3.client("s3", endpoint_url=endpoint)
    known = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for name in names:
        if name not in known:
            client.create_bucket(Bucket=name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint")
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    make_buckets(options.endpoint, options.names)
