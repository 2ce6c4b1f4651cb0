"""Keras on tensorflow, imported late and without its start-up chatter."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def import_keras() -> Any:
    """Import keras with the tensorflow backend and let tensorflow look for its devices.

    Settings that the user made in the environment are kept. What tensorflow's C++ side says meanwhile (oneDNN is on,
    there is no GPU driver) would stand between a run's own lines and cannot be turned off, as its logging is not set up
    yet; it is shown only when the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _stderr_unless_it_fails():
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()
    return keras


@contextmanager
def _stderr_unless_it_fails() -> Iterator[None]:
    """Hold back what is written to the process's standard error, and show it when an exception goes by."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(original, held.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
