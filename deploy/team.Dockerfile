# The servers and the worker of deploy/compose.yaml, with the versions of constraints.txt.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 UV_COMPILE_BYTECODE=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1 DVC_NO_ANALYTICS=1
RUN apt-get update && apt-get install --yes --no-install-recommends git libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
WORKDIR /app

COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY reidops reidops
COPY deploy/buckets.py deploy/buckets.py
RUN pip install --no-cache-dir uv \
    && uv pip install --system --no-cache -c constraints.txt '.[pipeline,team]' \
    && git config --system --add safe.directory /repository
