"""What this package needs of Keras and TensorFlow, and one sentence for where it is not so."""

import os
import re
import sys

# As in requirements.txt.
KERAS, TENSORFLOW = (3, 15, 1), (2, 21)


class SetupError(ImportError):
    """Keras or TensorFlow is missing, too old, or set up in a way that this package cannot use."""


def check() -> None:
    """Raises an error that teaches if the Keras that is loaded is none to compute with.

    Raises:
        SetupError: If Keras or TensorFlow is too old, or Keras has another backend.
    """
    import keras

    _check_version("Keras", keras.__version__, KERAS)
    if (backend := keras.backend.backend()) != "tensorflow":
        raise SetupError(_other_backend(backend))
    import tensorflow as tf

    _check_version("TensorFlow", tf.__version__, TENSORFLOW)


def check_settings() -> None:
    """Raises an error that teaches if Keras is set to images that no network here takes.

    Raises:
        SetupError: If it expects the channels of images first.
    """
    import keras

    if keras.config.image_data_format() != "channels_last":
        raise SetupError(
            "cyclegan_keras needs images with their channels last. Call "
            '`keras.config.set_image_data_format("channels_last")`, or set "image_data_format" in '
            f"{_settings_file()} to it. Received: image_data_format='channels_first'"
        )


def in_words(error: Exception) -> SetupError:
    """Says why Keras could not be imported.

    Args:
        error: What importing it raised.

    Returns:
        An error to raise in its place.
    """
    if isinstance(error, SetupError):
        return error
    config = sys.modules.get("keras.src.backend.config")
    backend = config.backend() if config is not None else "tensorflow"
    if backend != "tensorflow":
        return SetupError(_other_backend(backend))
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("tensorflow"):
        return SetupError(
            f"cyclegan_keras needs TensorFlow {_dotted(TENSORFLOW)} or newer, which is not "
            "installed. Install it with `pip install tensorflow`."
        )
    return SetupError(
        f"cyclegan_keras needs Keras {_dotted(KERAS)} and TensorFlow {_dotted(TENSORFLOW)} or "
        f"newer, and Keras cannot be imported here: {' '.join(str(error).split())}"
    )


def _other_backend(backend: str) -> str:
    if os.environ.get("KERAS_BACKEND"):
        place = "the environment variable KERAS_BACKEND"
    else:
        place = f'"backend" in {_settings_file()}'
    return (
        f"cyclegan_keras computes with the TensorFlow backend of Keras. Set {place} to "
        f"'tensorflow', and start Python anew. Received: backend={backend!r}"
    )


def _settings_file() -> str:
    folder = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    return os.path.join(folder, "keras.json")


def _check_version(name: str, version: str, least: tuple[int, ...]) -> None:
    # Of "2.21.0-rc1" and "3.16.0.dev2026", the numbers at the start.
    numbers = re.match(r"\d+(\.\d+)*", version)
    if numbers is None or tuple(map(int, numbers[0].split("."))) < least:
        raise SetupError(
            f"cyclegan_keras needs {name} {_dotted(least)} or newer. Install it with "
            f"`pip install --upgrade {name.lower()}`. Received: {name} {version}"
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
