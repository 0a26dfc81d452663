"""A JupyterLab that ends with the tests."""

import contextlib
import os
import signal
import subprocess


@contextlib.contextmanager
def jupyterlab(command, log, **options):
    """Start JupyterLab with `command` and give its process; in the end, stop it.

    If JupyterLab is told to stop while it answers a request, its event loop ends, but
    it waits for the thread in which that request read a file, and nothing ends that
    thread. After ten seconds JupyterLab is killed.
    """
    with log.open("w") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True, **options
        )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)  # `make`, too, and what it started
            server.wait()
