"""How gunicorn serves the ready application; what is here can be overridden by ``GUNICORN_CMD_ARGS``."""

import os

bind = "0.0.0.0:8000"
worker_class = "gthread"
# Each worker may hash one password at a time, for which it takes 19 MiB.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 8
# Longer than a proxy keeps a connection that nobody uses, or requests would meet one that has just been closed.
keepalive = 75
# In memory: on a disk that is slow, workers would be taken for dead.
worker_tmp_dir = "/dev/shm"
# Nobody steers it from inside of a container.
control_socket_disable = True
