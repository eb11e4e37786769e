"""Damaged and hostile model files, made from good ones."""

import io
import json
import pathlib
import random
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import h5py

CONFIG, WEIGHTS = "config.json", "model.weights.h5"

# Kinds of mutation by name. Each makes the bytes of a file from those of a good one.
Mutation = Callable[[random.Random, bytes], bytes]

NUMBERS = (-1, 0, 1, 2, 3, 255, 2**16, 10**9, 2**31, 2**63, 10**30, 1e308, -0.5, 1e-320)
CLASSES = """Lambda TFSMLayer TorchModuleWrapper JaxLayer StringLookup TextVectorization Pipeline
    Conv2D Conv3D Dense LSTM TimeDistributed Functional Sequential Model UpSampling2D Reshape PReLU
    Embedding function __lambda__ __typespec__ __tensor__ __numpy__ __bytes__ __keras_tensor__
    get_file load_model Adam DTypePolicy QuantizedDTypePolicy GlorotUniform Identity Add""".split()
MODULES = """keras keras.layers keras.utils keras.models keras.src.models.functional keras.config
    keras.src.saving.serialization_lib keras.src.ops.numpy keras.activations builtins os subprocess
    this antigravity keras_hub tensorflow""".split()


def members_of(data: bytes) -> dict[str, bytes]:
    """Takes a good file apart."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """Puts a file together, with checksums that are right."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            # A name that comes twice is a warning, and meant.
            archive.NameToInfo.pop(name, None)
            archive.writestr(name, content)
    return file.getvalue()


def _replaced(data: bytes, name: str, content: bytes) -> bytes:
    return zipped(list({**members_of(data), name: content}.items()))


def _flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        position = rng.randrange(len(changed))
        changed[position] = rng.choice((0, 255, changed[position] ^ 1 << rng.randrange(8)))
    return bytes(changed)


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _shuffled(rng: random.Random, data: bytes) -> bytes:
    """A piece is copied to another place, over what is there or between."""
    start, to = rng.randrange(len(data)), rng.randrange(len(data))
    piece = data[start : start + rng.choice((1, 8, 64, 4096))]
    return data[:to] + piece + data[to + rng.choice((0, len(piece))) :]


def _in_contents(rng: random.Random, data: bytes) -> bytes:
    """Bytes change where sizes, methods and places are: in the headers."""
    heads = [
        i for i in range(len(data) - 4) if data[i : i + 4] in (b"PK\1\2", b"PK\3\4", b"PK\5\6")
    ]
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 4))):
        changed[min(rng.choice(heads) + rng.randrange(46), len(data) - 1)] = rng.randrange(256)
    return bytes(changed)


def _members(rng: random.Random, data: bytes) -> bytes:
    members = list(members_of(data).items())
    index = rng.randrange(len(members))
    name, content = members[index]
    match rng.randrange(5):
        case 0:
            members[index] = (
                rng.choice(("../x", "/x", "x\x00", "assets/x", name.upper())),
                content,
            )
        case 1:
            members.append((name, content))
        case 2:
            del members[index]
        case 3:
            members.append((rng.choice(("assets/", "assets/x", "model.weights.npz")), content))
        case _:
            members[index] = (name, rng.randbytes(rng.choice((0, 1, 100, 10_000))))
    return zipped(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _bomb(rng: random.Random, data: bytes) -> bytes:
    members = members_of(data)
    name = rng.choice(list(members))
    members[name] += bytes(rng.choice((10**6, 10**7, 10**8)))
    return zipped(list(members.items()), rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields each container in a JSON value, with each key or index in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, (dict, list)):
            yield from _places(item)


def _config(change: Callable[[random.Random, list[tuple[Any, Any]]], None]) -> Mutation:
    def mutate(rng: random.Random, data: bytes) -> bytes:
        config = json.loads(members_of(data)[CONFIG])
        for _ in range(rng.choice((1, 1, 2, 5))):
            change(rng, list(_places(config)))
        return _replaced(data, CONFIG, json.dumps(config).encode())

    return mutate


def _rename(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    words = {"class_name": CLASSES, "module": MODULES, "registered_name": CLASSES}
    container, key = rng.choice([place for place in places if place[1] in words])
    container[key] = rng.choice([*words[key], None])


def _other_number(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice([(c, k) for c, k in places if isinstance(c[k], (int, float))])
    container[key] = rng.choice(NUMBERS)


def _other_text(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice([(c, k) for c, k in places if isinstance(c[k], str)])
    texts = (
        "",
        "/etc/passwd",
        "a/b",
        "x" * 10**5,
        "\ud800",
        "\x1b[2J\n",
        "softmax",
        "int8",
        *CLASSES,
    )
    container[key] = rng.choice(texts)


def _other_value(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice(places)
    donor, at = rng.choice(places)
    container[key] = rng.choice(
        (None, [], {}, True, 7, "x", [[]], json.loads(json.dumps(donor[at])))
    )


def _drop(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice(places)
    if key in container if isinstance(container, dict) else key < len(container):
        del container[key]


def _repeat(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice([place for place in places if isinstance(place[0], list)])
    container.extend([container[key]] * rng.choice((1, 2, 1000)))


def _deep(rng: random.Random, data: bytes) -> bytes:
    depth = rng.choice((50, 500, 10**5))
    opening, closing = rng.choice((("[", "]"), ('{"config": ', "}")))
    config = members_of(data)[CONFIG].decode()
    start = rng.choice([i for i, letter in enumerate(config) if letter == ":"]) + 1
    nested = config[:start] + opening * depth + "1" + closing * depth + "," + config[start:]
    return _replaced(data, CONFIG, nested.encode())


def _nested_calls(rng: random.Random, data: bytes) -> bytes:
    """A model in a model, and so on, each called twice by the next one."""
    config = json.loads(members_of(data)[CONFIG])
    layer = config["config"]["layers"][0]
    shape = layer["config"]["batch_shape"]
    for level in range(rng.choice((2, 5, 20))):
        outer = {
            "name": f"m{level}",
            "trainable": True,
            "layers": [layer, {**config, "name": config["config"]["name"], "inbound_nodes": []}],
            "input_layers": [[layer["name"], 0, 0]],
            "output_layers": [[config["config"]["name"], 2, 0]],
        }
        for source in ([layer["name"], 0, 0], [config["config"]["name"], 0, 0]):
            tensor = {"shape": shape, "dtype": "float32", "keras_history": source}
            tensors = [{"class_name": "__keras_tensor__", "config": tensor}]
            outer["layers"][1]["inbound_nodes"].append({"args": tensors, "kwargs": {}})
        config = {**config, "config": outer}
    return _replaced(data, CONFIG, json.dumps(config).encode())


def _weights(change: Mutation) -> Mutation:
    return lambda rng, data: _replaced(data, WEIGHTS, change(rng, members_of(data)[WEIGHTS]))


def _hostile_weights(canary: pathlib.Path) -> Mutation:
    """Weights that are in another file, where a reader waits for ever, or that are none."""

    def put(rng: random.Random, group: Any, name: str, shape: tuple[int, ...]) -> None:
        match rng.randrange(7):
            case 0:
                group[name] = h5py.ExternalLink(str(canary), "/x")
            case 1:
                group[name] = h5py.SoftLink("/layers")
            case 2:
                external = [(str(canary), 0, h5py.h5f.UNLIMITED)]
                group.create_dataset(name, shape, "f4", external=external)
            case 3:
                layout = h5py.VirtualLayout(shape, "f4")
                layout[...] = h5py.VirtualSource(str(canary), "x", shape)
                group.create_virtual_dataset(name, layout)
            case 4:
                group.create_dataset(name, (10**5, 10**6), "f4", chunks=(1, 10**6))
            case 5:
                group.create_dataset(name, shape, h5py.string_dtype())
            case _:
                group[name] = group["/"]

    def mutate(rng: random.Random, weights: bytes) -> bytes:
        file = io.BytesIO(weights)
        with h5py.File(file, "r+") as h5:
            found: list[Any] = []
            h5.visititems(lambda _, item: found.append(item))
            item = rng.choice([item for item in found if isinstance(item, h5py.Dataset)])
            group, name, shape = item.parent, item.name.rpartition("/")[2], item.shape
            del group[name]
            put(rng, group, name, shape)
        return file.getvalue()

    return mutate


def mutations(canary: pathlib.Path) -> dict[str, Mutation]:
    """Lists the kinds of mutation.

    Args:
        canary: What hostile files want to be read.

    Returns:
        The kinds by name.
    """
    return {
        "none": lambda rng, data: data,
        "zip bytes": _flipped,
        "zip headers": _in_contents,
        "zip cut off": _cut,
        "zip shuffled": _shuffled,
        "members": _members,
        "bomb": _bomb,
        "config names": _config(_rename),
        "config numbers": _config(_other_number),
        "config texts": _config(_other_text),
        "config values": _config(_other_value),
        "config missing": _config(_drop),
        "config repeated": _config(_repeat),
        "config deep": _deep,
        "config nested calls": _nested_calls,
        "weights bytes": _weights(_flipped),
        "weights shuffled": _weights(_shuffled),
        "weights cut off": _weights(_cut),
        "weights hostile": _weights(_hostile_weights(canary)),
    }
