"""Keras on tensorflow, imported late and without its start-up chatter."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sealproof.detectors.base import UnavailableError, broken_text

SETTINGS = {"backend": "tensorflow", "floatx": "float32", "image_data_format": "channels_last"}
"""What the mimics are made for: they are networks of tensorflow, trained and scored in single precision."""

_VARIABLE = "KERAS_"


@cache
def import_keras() -> Any:
    """Import keras as `SETTINGS` has it, and let tensorflow look for its devices.

    What the user set for other work (`KERAS_BACKEND`, `keras.json`, `KERAS_HOME`, `KERAS_MAX_EPOCHS`) does not hold
    here: it would change numbers, or end in an error deep within a network. What tensorflow's C++ side says meanwhile
    (oneDNN is on, there is no GPU driver) would stand between a run's own lines and cannot be turned off, as its
    logging is not set up yet; it is shown only when the import fails.

    Raises:
        UnavailableError: The program imported keras before, with other settings, or keras or tensorflow is broken.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _stderr_unless_it_fails(), _without_settings_of_the_user():
            import keras
            import tensorflow as tf

            tf.config.list_physical_devices()
    except Exception as error:  # a broken package raises what it likes while it is imported
        raise UnavailableError(broken_text("keras with tensorflow, which mimics run on,", error)) from error
    for name, wanted in SETTINGS.items():
        actual = getattr(keras.config, name)()
        if actual != wanted:
            raise UnavailableError(
                f"The {name} of keras must be '{wanted}' for mimics. This program imported keras before with "
                f"'{actual}': set it to '{wanted}' (keras.json, KERAS_BACKEND)."
            )
    return keras


@contextmanager
def _without_settings_of_the_user() -> Iterator[None]:
    """Hide the user's variables and files from keras, which reads them while it is imported."""
    own = {name: value for name, value in os.environ.items() if name.startswith(_VARIABLE)}
    with tempfile.TemporaryDirectory() as nothing:
        for name in own:
            del os.environ[name]
        os.environ.update(KERAS_HOME=nothing, KERAS_BACKEND=SETTINGS["backend"])
        try:
            yield
        finally:
            del os.environ["KERAS_HOME"], os.environ["KERAS_BACKEND"]
            os.environ.update(own)


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
