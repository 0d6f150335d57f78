"""A worker: `celery_worker BROKER BACKEND`. Says so when it is ready."""

import sys
import warnings

from celery.platforms import SecurityWarning
from celery.signals import worker_ready

from example_app.celery_tasks import connected
from example_app.servers.programs import end_with_input, say

OPTIONS = "--pool=threads --concurrency=8 --loglevel=critical --without-mingle --without-gossip --without-heartbeat"

if __name__ == "__main__":
    end_with_input()
    warnings.simplefilter("ignore", SecurityWarning)  # that it runs as root, where we do
    worker_ready.connect(lambda **_: say("ready"), weak=False)
    worker = connected(broker=sys.argv[1], backend=sys.argv[2])
    worker.conf.worker_redirect_stdouts = False
    worker.worker_main(["--quiet", "worker", *OPTIONS.split()])
