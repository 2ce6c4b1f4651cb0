"""Keras on tensorflow, imported late and without its start-up chatter."""

import os
from typing import Any


def import_keras() -> Any:
    """Import keras with the tensorflow backend.

    Settings that the user made in the environment are kept. tensorflow's notes about missing GPU drivers and oneDNN
    would otherwise stand between a run's own lines; its warnings and errors are still shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    return keras
