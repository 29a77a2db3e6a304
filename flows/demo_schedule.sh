#!/bin/sh
# Run the graph once by schedule: a standing server, a work pool, a deployment that is due every minute, and a worker.
# Ends green when the scheduled run has completed. Run it in the repository: sh flows/demo_schedule.sh
set -eu

PATH="$PWD/.venv/bin:$PATH"
PORT="${PORT:-4210}"
export PATH PREFECT_HOME="$PWD/.prefect/demo" PREFECT_API_URL="http://127.0.0.1:$PORT/api" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=true

server= worker=
trap 'kill $worker $server 2>/dev/null || true; wait' EXIT
trap 'exit 130' INT TERM

prefect server start --host 127.0.0.1 --port "$PORT" >"$PREFECT_HOME.server.log" 2>&1 &
server=$!
until python -c "import requests, os; requests.get(os.environ['PREFECT_API_URL'] + '/health', timeout=2).raise_for_status()" 2>/dev/null; do
    kill -0 "$server" || { cat "$PREFECT_HOME.server.log"; exit 1; }
    sleep 1
done

prefect work-pool create local-process --type process --overwrite
prefect --no-prompt deploy --name nightly --cron "* * * * *" # instead of prefect.yaml's hour, so that nobody waits for the night
prefect worker start --pool local-process &
worker=$!

waited=0
until prefect flow-run ls --state COMPLETED --limit 1 | grep -q retrain; do
    prefect flow-run ls --state FAILED --state CRASHED | grep retrain && exit 1
    test "$waited" -lt "${LIMIT_SECONDS:-3600}" || { echo "no scheduled run completed within $waited s"; exit 1; }
    sleep 5
    waited=$((waited + 5))
done
prefect flow-run ls
