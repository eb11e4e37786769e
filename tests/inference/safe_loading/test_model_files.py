"""Model files of all kinds: those that load, and those that nobody vouches for."""

import io
import json
import os
import pickle
import stat
import sys
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

import cyclegan_keras
from cyclegan_keras.cli.main import main
from cyclegan_keras.inference.safe_loading import archives, model_configs, model_files
from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_resnet_generator,
    build_unet_generator,
)

NETWORKS = {
    "unet": lambda: build_unet_generator((32, 32, 3), 2),
    "dropout": lambda: build_unet_generator((32, 32, 3), 1, dropout=0.5),
    "any size": lambda: build_unet_generator((None, None, 3), 1),
    "deep_unet": lambda: build_deep_unet_generator((64, 64, 3), 1),
    "resnet": lambda: build_resnet_generator((16, 16, 3), 2, 1),
    "resize": lambda: build_resnet_generator((16, 16, 3), 2, 1, upsampling="resize"),
}


def tiny(*more):
    """A translator with 12 weights: a kernel of 3 × 3, and a bias."""
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 1, name="conv"), *more])


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "g_AB.keras"
    tiny().save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Checks that a file is refused, in one line with its name, and before Keras sees any of it."""

    def never(*arguments, **settings):
        pytest.fail("Keras was asked to load it.")

    def check(content, match, name="x.keras"):
        path = tmp_path / name
        path.write_bytes(content)
        monkeypatch.setattr(keras.saving, "load_model", never)
        with pytest.raises(ValueError, match=match) as caught:
            cyclegan_keras.load_generator(path)
        assert repr(str(path)) in str(caught.value)
        assert str(caught.value).isprintable()

    return check


def zipped(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A name that comes twice.
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return file.getvalue()


def with_config(good, change):
    config = json.loads(good["config.json"])
    change(config)
    return zipped({**good, "config.json": json.dumps(config)})


def with_layer(good, **layer):
    """Puts an object where the only layer was."""

    def change(config):
        config["config"]["layers"][1] = {"registered_name": None, "config": {}, **layer}

    return with_config(good, change)


def with_weights(good, change):
    file = io.BytesIO(good["model.weights.h5"])
    with h5py.File(file, "r+") as h5:
        change(h5["layers/conv2d/vars"])
    return zipped({**good, "model.weights.h5": file.getvalue()})


# Files that load.


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_comes_back_the_same(network, tmp_path, random_images):
    model = NETWORKS[network]()
    model.save(tmp_path / "g.keras")
    again = cyclegan_keras.load_generator(tmp_path / "g.keras")
    size = model.input_shape[1] or 32
    x = random_images(2, size, size, 3)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))
    assert not again.compiled


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float64"])
def test_every_precision_comes_back_the_same(policy, dtype_policy, tmp_path):
    dtype_policy(policy)
    model = build_unet_generator((32, 32, 3), 1)
    model.save(tmp_path / "g.keras")
    dtype_policy("float32")
    again = cyclegan_keras.load_generator(tmp_path / "g.keras")
    assert again.layers[1].dtype_policy.name == policy
    assert len(again.weights) == len(model.weights) > 10
    for weight, other in zip(again.weights, model.weights, strict=True):
        assert weight.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(other))


def test_a_copy_as_of_averaged_weights_loads(tmp_path):
    copy = keras.models.clone_model(tiny())
    copy.save(tmp_path / "g.keras")
    again = cyclegan_keras.load_generator(tmp_path / "g.keras")
    np.testing.assert_array_equal(again.get_weights()[0], copy.get_weights()[0])


def test_arithmetic_shared_layers_and_models_in_models_load(tmp_path, random_images):
    img = keras.Input((8, 8, 3))
    inner = tiny(layers.PReLU(), layers.Dropout(0.5))
    x = layers.Rescaling([1.0, 2.0, 3.0], offset=np.zeros(3))(inner(inner(img) * 2.0) + img)
    x = ops.concatenate([x[..., :1], ops.clip(x, -1.0, 1.0)[..., 1:]], axis=-1)
    x = layers.SpectralNormalization(layers.Conv2D(3, 1, kernel_regularizer="l2"))(x)
    model = keras.Model(img, layers.Activation("tanh")(x))
    model.save(tmp_path / "g.keras")
    again = cyclegan_keras.load_generator(tmp_path / "g.keras")
    x = random_images(1, 8, 8, 3)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))


def test_a_file_may_be_packed_again_and_have_any_name(good, tmp_path):
    (tmp_path / "model.zip").write_bytes(zipped(good, zipfile.ZIP_DEFLATED))
    again = cyclegan_keras.load_generator(tmp_path / "model.zip")
    with h5py.File(io.BytesIO(good["model.weights.h5"])) as h5:
        np.testing.assert_array_equal(again.get_weights()[0], h5["layers/conv2d/vars/0"])


class Negative(layers.Layer):
    """A user's own."""

    def call(self, inputs):
        return -inputs


def test_ones_own_layers_load_once_they_are_registered(tmp_path):
    registered = keras.saving.get_custom_objects()
    path = tmp_path / "g.keras"
    before = dict(registered)
    try:
        keras.saving.register_keras_serializable("mine")(Negative)
        tiny(Negative()).save(path)
        assert isinstance(cyclegan_keras.load_generator(path).layers[-1], Negative)
    finally:
        registered.clear()
        registered.update(before)
    with pytest.raises(ValueError, match=r"names 'Negative' of .*register_keras_serializable"):
        cyclegan_keras.load_generator(path)
    # A name for this one time, as Keras has it.
    with keras.saving.custom_object_scope({"mine>Negative": Negative}):
        assert isinstance(cyclegan_keras.load_generator(path).layers[-1], Negative)


def test_what_is_registered_must_be_a_layer_or_the_like(good, refused):
    layer = {"class_name": "FusedAdam", "registered_name": "cyclegan_keras>FusedAdam"}
    assert keras.saving.get_registered_object(layer["registered_name"]) is not None
    refused(with_layer(good, module="cyclegan_keras.optimizers", **layer), "names 'FusedAdam'")


def test_how_it_was_compiled_is_not_looked_at(tmp_path):
    inner = tiny()
    inner.compile("adam", "mse")
    model = keras.Sequential([keras.Input((8, 8, 3)), inner])
    model.compile("adam", "mse")
    model.save(tmp_path / "g.keras")
    again = cyclegan_keras.load_generator(tmp_path / "g.keras")
    assert not again.compiled
    assert not again.layers[0].compiled


def test_keras_gets_what_was_checked_and_nothing_is_left(good, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = tmp_path / "g.keras"
    path.write_bytes(zipped(good))
    load_model = keras.saving.load_model

    def replace_then_load(other, **settings):
        assert settings == {"compile": False, "safe_mode": True}
        path.write_bytes(b"another file by now")
        return load_model(other, **settings)

    monkeypatch.setattr(keras.saving, "load_model", replace_then_load)
    assert cyclegan_keras.load_generator(path).count_params() == 12
    with pytest.raises(ValueError, match="is no zip file"):
        cyclegan_keras.load_generator(path)
    assert list((tmp_path / "temporary").iterdir()) == []


# Files that are none.


@pytest.mark.parametrize(
    ("content", "name", "match"),
    [
        (b"", "x.keras", "it is empty"),
        (b"no model", "x.keras", "it is no zip file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "x.keras", r"seems to be an HDF5 file \(\.h5\)"),
        (b"old", "x.hdf5", "seems to be an HDF5 file"),
        (pickle.dumps([1.0]), "x.keras", "seems to be a pickle"),
        (bytes(4) + b"TFL3" + bytes(99), "x.keras", "seems to be a TensorFlow Lite model"),
        (b"\x08\x07\x12\x07pytorch", "x.onnx", "seems to be an ONNX model"),
        (zipped({"archive/data.pkl": b"", "a": b""}), "x.pth", "seems to be a PyTorch file"),
    ],
)
def test_other_files_are_named(content, name, match, refused):
    refused(content, match, name)


def test_a_real_pickle_and_a_real_pytorch_file_are_not_opened(tmp_path, refused):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "canary"),)

    refused(pickle.dumps(Evil()), "seems to be a pickle")
    torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")
    torch.save({"x": Evil()}, tmp_path / "x.pt")
    refused((tmp_path / "x.pt").read_bytes(), "seems to be a PyTorch file")
    assert not (tmp_path / "canary").exists()


def test_an_old_h5_file_with_code_in_it_is_not_opened(tmp_path, monkeypatch):
    """CVE-2025-9905: Keras does not keep code in such files from running."""
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Lambda(lambda x: x)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / "old.h5")
    with pytest.raises(ValueError, match=r"seems to be an HDF5 file"):
        cyclegan_keras.load_generator(tmp_path / "old.h5")


def test_folders_pipes_and_what_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No model '.*nowhere\.keras'\. Train one"):
        cyclegan_keras.load_generator(tmp_path / "nowhere.keras")
    with pytest.raises(ValueError, match="it is a folder"):
        cyclegan_keras.load_generator(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ValueError, match="it is a SavedModel"):
        cyclegan_keras.load_generator(tmp_path)
    os.mkfifo(tmp_path / "pipe.keras")
    with pytest.raises(ValueError, match="it is a pipe"):
        cyclegan_keras.load_generator(tmp_path / "pipe.keras")
    with pytest.raises(OSError, match=r"Cannot read the model .*Not a directory"):
        cyclegan_keras.load_generator(tmp_path / "saved_model.pb" / "x.keras")
    with pytest.raises(ValueError, match=r"Cannot load the model 'a\\x00b'"):
        cyclegan_keras.load_generator("a\0b")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "x.keras").touch(mode=0)
    assert stat.S_IMODE((tmp_path / "x.keras").stat().st_mode) == 0
    with pytest.raises(OSError, match=r"Cannot read the model .*Permission denied"):
        cyclegan_keras.load_generator(tmp_path / "x.keras")


def test_odd_names_and_odd_texts_stay_in_one_line(good, tmp_path, capsys):
    def change(config):
        config["config"]["layers"][1]["class_name"] = "\x1b[2J\nEvil" + "x" * 10_000

    path = tmp_path / "a\nb\x1b[2J.keras"
    path.write_bytes(with_config(good, change))
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    argv = ["translate", "--model", str(path), "--output", str(tmp_path / "o")]
    assert main([*argv, str(tmp_path / "x.png")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cyclegan: error: Cannot load the model ")
    assert error.count("\n") == 1
    assert error[:-1].isprintable()
    assert len(error) < 1000


def test_what_keras_repeats_of_a_file_moves_no_cursor(good, tmp_path):
    def elsewhere(node):
        node["args"][0]["config"]["keras_history"][0] = "\x1b[2J" + "x" * 10_000
        return [node]

    with pytest.raises(ValueError, match=r"Unknown layer: \?\[2Jx{100,300}…") as caught:
        load(graph(good, elsewhere), tmp_path)
    assert str(caught.value).isprintable()


# Archives.


def test_other_members_than_kerass_are_refused(good, refused):
    for members in (
        {**good, "assets/words.txt": b""},
        {name: content for name, content in good.items() if name != "metadata.json"},
        [*good.items(), ("config.json", b"{}")],
        [*list(good.items())[:2], ("config.json", b"{}")],
        {**dict(list(good.items())[:2]), "model.weights.npz": b""},
        {**dict(list(good.items())[:2]), "../model.weights.h5": b""},
    ):
        refused(zipped(members), r"must have the members .*, and no others")


def test_bombs_are_refused_unread(good, refused, monkeypatch):
    read = zipfile.ZipExtFile.read
    sizes = []

    def watched(self, *arguments):
        data = read(self, *arguments)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", watched)
    for name in ("config.json", "metadata.json"):
        bomb = zipped({**good, name: bytes(1_000_001)}, zipfile.ZIP_DEFLATED)
        refused(bomb, rf"'{name}' in it would take 1000001 bytes, and 1000000 are")
    weights = bytes(10**6)
    bomb = zipped({**good, "model.weights.h5": weights}, zipfile.ZIP_DEFLATED)
    limit = archives.MAX_GROWTH * len(bomb)
    refused(bomb, rf"'model\.weights\.h5' in it would take 1000000 bytes, and {limit} are")
    assert sizes == []


def test_unusual_methods_passwords_and_tables_of_contents_are_refused(good, refused):
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refused(zipped(good, method), "encrypted, or compressed in an unusual way")
    whole = bytearray(zipped(good))
    start = whole.index(b"PK\1\2")
    whole[start + 8] |= 1
    refused(bytes(whole), "encrypted, or compressed in an unusual way")
    end = zipped(good)[-22:]
    # That it has 16 MB of contents, and that its real end is elsewhere.
    refused(zipped(good)[:-22] + end[:12] + b"\0\0\0\1" + end[16:], "table of contents")
    refused(zipped(good)[:-22] + b"PK\6\7" + bytes(16) + end, "must have the members")


def test_damage_is_noticed(good, refused):
    whole = zipped(good)
    for length in (30, len(whole) // 2, len(whole) - 1):
        refused(whole[:length], "it is damaged: its end is missing")
    place = whole.index(good["metadata.json"])
    refused(whole[:place] + b"?" + whole[place + 1 :], "it is damaged: Bad CRC-32")
    # That its contents begin so much later, which puts the members before the beginning.
    contents = int.from_bytes(whole[-6:-2], "little") + 1000
    moved = whole[:-6] + contents.to_bytes(4, "little") + whole[-2:]
    refused(moved, "it is damaged: its parts are where nothing can be")


# Descriptions.

EVIL_MODULE = "evil_module_of_a_file"


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        # CVE-2024-3660 and CVE-2025-9905: Python in the file.
        ({"module": "keras.layers", "class_name": "Lambda"}, "names 'Lambda' of 'keras.layers'"),
        ({"module": None, "class_name": "__lambda__"}, "names '__lambda__'"),
        # CVE-2025-1550: any module.
        ({"module": EVIL_MODULE, "class_name": "x"}, f"names 'x' of '{EVIL_MODULE}'"),
        ({"module": f"keras.{EVIL_MODULE}", "class_name": "x"}, "names 'x' of 'keras."),
        ({"module": EVIL_MODULE, "class_name": "__typespec__"}, "names '__typespec__'"),
        # CVE-2025-8747 and CVE-2025-9906: functions of Keras that fetch files, or allow all.
        (
            {"module": "keras.utils", "class_name": "function", "config": "get_file"},
            "names the function 'get_file' of 'keras.utils'",
        ),
        (
            {"module": "builtins", "class_name": "function", "config": "deserialize"},
            "names the function 'deserialize' of 'builtins'",
        ),
        (
            {
                "module": "keras.config",
                "class_name": "function",
                "config": "enable_unsafe_deserialization",
                "registered_name": "relu",
            },
            "names the function 'enable_unsafe_deserialization'",
        ),
        # The one name may be looked up and the other.
        (
            {
                "module": "keras.activations",
                "class_name": "function",
                "config": "relu",
                "registered_name": "deserialize",
            },
            "names the function 'relu'",
        ),
        # CVE-2025-12058 and CVE-2026-1462: other files, and CVE-2025-49655: a pickle.
        ({"module": "keras.layers", "class_name": "StringLookup"}, "names 'StringLookup'"),
        ({"module": "keras.layers", "class_name": "TextVectorization"}, "'TextVectorization'"),
        ({"module": "keras.layers", "class_name": "TFSMLayer"}, "names 'TFSMLayer'"),
        ({"module": "keras.layers", "class_name": "JaxLayer"}, "names 'JaxLayer'"),
        ({"module": "keras.layers", "class_name": "TorchModuleWrapper"}, "'TorchModuleWrapper'"),
        # A known name of another module, and the other way round.
        ({"module": "keras.src.layers", "class_name": "Conv2D"}, "names 'Conv2D' of 'keras.src"),
        ({"module": "keras.layers", "class_name": "Layer"}, "names 'Layer' of 'keras.layers'"),
        # Keras 2's way of writing.
        ({"class_name": "Conv2D"}, "is one of an older Keras"),
        ({"module": "keras.layers", "class_name": ["Conv2D"]}, "is not one of a Keras 3 model"),
        # 4 GB out of one letter.
        (
            {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "U1000000000"}},
            "an array that is not of float16",
        ),
    ],
)
def test_only_layers_for_images_may_be_named(layer, match, good, refused, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{EVIL_MODULE}.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'x')")
    refused(with_layer(good, **layer), match)
    assert EVIL_MODULE not in sys.modules
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("place", ["activation", "kernel_initializer", "dtype", "name", "padding"])
def test_they_may_not_be_named_deeper_in_either(place, good, refused):
    def change(config):
        evil = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
        config["config"]["layers"][1]["config"][place] = [{"x": evil}]

    refused(with_config(good, change), "names 'Lambda' of 'keras.layers'")


def test_what_a_real_file_with_code_brings_is_not_run(tmp_path, refused):
    code = f"lambda x: (__import__('os').mkdir({str(tmp_path / 'canary')!r}), x)[1]"
    evil = tiny(layers.Lambda(eval(code)))
    os.rmdir(tmp_path / "canary")
    evil.save(tmp_path / "evil.keras")
    assert b"__lambda__" in (tmp_path / "evil.keras").read_bytes()
    refused((tmp_path / "evil.keras").read_bytes(), "names 'Lambda'")
    assert not (tmp_path / "canary").exists()


def test_the_list_names_what_there_is_and_nothing_that_runs_code():
    for module, name in model_configs.ALLOWED:
        home = sys.modules[module] if module.startswith("keras.src") else eval(module)
        assert issubclass(getattr(home, name), model_configs._REGISTRABLE)
    for name in model_configs.ACTIVATIONS:
        assert keras.activations.get(name).__module__ == "keras.src.activations.activations"
    assert not {"get", "serialize", "deserialize"} & model_configs.ACTIVATIONS


def graph(good, nodes):
    """A model with one layer that is called as told."""
    img = keras.Input((8, 8, 3), name="img")
    model = keras.Model(img, layers.ZeroPadding2D(0, name="pad")(img))
    config = json.loads(model.to_json())
    layer = config["config"]["layers"][1]
    layer["inbound_nodes"] = nodes(layer["inbound_nodes"][0])
    return zipped({**good, "config.json": json.dumps(config)})


def test_layers_may_only_be_called_on_outputs_of_layers(good, refused):
    """On anything else they would be computed at once: a padding of 10**5 pixels, say."""
    array = {"class_name": "__tensor__", "config": {"value": [[[[1.0]]]], "dtype": "float32"}}
    tensor = {"class_name": "__keras_tensor__", "config": {}}
    zeros = {"module": "keras.initializers", "class_name": "Zeros"}
    for node in (
        {"args": [array], "kwargs": {}},
        {"args": [], "kwargs": {"inputs": "/etc/passwd"}},
        # Inside of an object it is not seen.
        {"args": [{**zeros, "config": {"seed": tensor}}], "kwargs": {}},
        [["img", 0, 0, {}]],
        {},
    ):
        refused(graph(good, lambda old, node=node: [old, node]), "called on nothing")
    refused(graph(good, lambda old: {"0": old}), "called on nothing")


def test_no_more_is_described_than_a_translator_has(good, refused):
    # Three for each call: the tensor, the layer, and the layer's policy.
    refused(graph(good, lambda old: [old] * 1667), "more than 5000 objects")
    deep = '{"config": ' * 200 + "1" + "}" * 200
    text = good["config.json"].decode().replace('"registered_name": null', f'"x": {deep}', 1)
    refused(zipped({**good, "config.json": text}), "nested more than 100 levels deep")
    deeper = text.replace(deep, "[" * 10**5 + "]" * 10**5)
    refused(zipped({**good, "config.json": deeper}), "is no JSON: .*recursion")
    for text, match in (
        ("{", "is no JSON"),
        ("[]", "not one of a Keras 3 model"),
        ("{}", "not one of a Keras 3 model"),
        (b"\xff", "is no JSON"),
        ('{"class_name": NaN}', "a number that is none: NaN"),
        ('{"class_name": 1' + "0" * 5000 + "}", "Exceeds the limit"),
    ):
        refused(zipped({**good, "config.json": text}), match)


def test_a_model_in_a_model_counts_as_often_as_it_is_called():
    """Twice called at each of 13 levels, it is called 8192 times."""
    tensor = {"class_name": "__keras_tensor__", "config": {}}
    nodes = [{"args": [tensor], "kwargs": {}}] * 2
    model = {"module": "keras.layers", "class_name": "Conv2D", "config": {}}
    counts = []
    for _ in range(13):
        model = {"module": "keras", "class_name": "Sequential", "config": {"layers": [model]}}
        model["inbound_nodes"] = nodes
        counts.append(model_configs._count(model, 100))
    # 2 · (1 + what is inside) + the 2 tensors it is called on.
    assert counts == [10 * 2**level - 4 for level in range(13)]


# Weights.


def test_weights_that_are_elsewhere_are_refused(good, refused, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.ones((3, 3), "float32")
    (tmp_path / "secret").write_bytes(bytes(36))

    def external_link(group):
        group["0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")

    def soft_link(group):
        group["0"] = h5py.SoftLink("/layers/conv2d/vars/1")

    def external_storage(group):  # CVE-2026-1669
        group.create_dataset("0", (1, 1, 3, 3), "f4", external=[(str(tmp_path / "secret"), 0, 36)])

    def virtual(group):  # CVE-2026-12480
        layout = h5py.VirtualLayout((3, 3), "f4")
        layout[...] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (3, 3))
        group.create_virtual_dataset("0", layout)

    for change in (external_link, soft_link, external_storage, virtual):

        def instead(group, change=change):
            del group["0"]
            change(group)

        refused(with_weights(good, instead), "its weights are elsewhere: ")

    def linked_group(group):
        group.file["layers/x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")

    refused(with_weights(good, linked_group), "'x' is a ExternalLink")


def test_weights_that_are_more_than_their_bytes_are_refused(good, refused):
    """CVE-2026-0897, and what else takes little room in a file."""

    def compressed(group):
        group.create_dataset("2", (1000, 1000), "f4", compression="gzip")

    def in_pieces(group):
        group.create_dataset("2", (10**5, 10**6), "f4", chunks=(1, 10**6))

    def never_written(group):
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
        space = h5py.h5s.create_simple((10**5, 10**6))
        h5py.h5d.create(group.id, b"2", h5py.h5t.IEEE_F32LE, space, creation)

    def text(group):
        group["2"] = "text"

    def nothing(group):
        group["2"] = h5py.Empty("f4")

    def a_type(group):
        group["2"] = np.dtype("f4")

    def twice(group):
        group["2"] = group["0"]

    def in_a_circle(group):
        group["2"] = group.file["layers"]

    for change, match in (
        (compressed, "compressed or in pieces"),
        (in_pieces, "compressed or in pieces"),
        (never_written, r"as many bytes as its shape says. Received: shape \(100000, 1000000\)"),
        (text, "has no numbers"),
        (nothing, "has no numbers"),
        (a_type, "neither a group nor an array"),
        (twice, "is there twice"),
        (in_a_circle, "is there twice"),
    ):
        refused(with_weights(good, change), match)


def test_weights_that_overlap_are_refused(good, refused):
    """Four arrays of 50 kB in the same place are 200 kB, in a file of less."""
    file = io.BytesIO(good["model.weights.h5"])
    with h5py.File(file, "r+") as h5:
        group = h5["layers/conv2d/vars"]
        for name in "abcd":
            group[name] = np.full(12_500, ord(name), "float32")
        places = sorted(group[name].id.get_offset() for name in "abcd")
    data = file.getvalue()
    for place in places[1:]:
        data = data.replace(place.to_bytes(8, "little"), places[0].to_bytes(8, "little"))
    # The last ones are at the end, which the file also says of itself.
    assert places[-1] + 50_000 == len(data) == int.from_bytes(data[40:48], "little")
    data = data[: places[-1]]
    data = data[:40] + len(data).to_bytes(8, "little") + data[48:]
    refused(zipped({**good, "model.weights.h5": data}), r"would take more than the \d+ bytes")


def test_damaged_weights_are_refused(good, refused):
    weights = good["model.weights.h5"]
    for data in (b"", b"no weights", weights[:100], weights[:-1], b"\x89HDF\r\n\x1a\n"):
        refused(zipped({**good, "model.weights.h5": data}), "its weights are damaged")


def load(data, tmp_path):
    (tmp_path / "x.keras").write_bytes(data)
    return cyclegan_keras.load_generator(tmp_path / "x.keras")


def test_weights_that_are_missing_or_do_not_fit_are_refused(good, tmp_path):
    def drop(group):
        del group["1"]

    with pytest.raises(ValueError, match=r"objects could not be loaded"):
        load(with_weights(good, drop), tmp_path)

    def reshape(group):
        del group["0"]
        group["0"] = np.zeros((1, 1, 3, 4), "float32")

    with pytest.raises(ValueError, match=r"objects could not be loaded"):
        load(with_weights(good, reshape), tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_must_be_finite(value, good, tmp_path):
    def spoil(group):
        group["0"][0, 0, 1, 2] = value

    with pytest.raises(ValueError, match=r"not finite numbers.*Received: '.*conv/kernel'"):
        load(with_weights(good, spoil), tmp_path)


def test_a_description_cannot_ask_for_more_weights_than_there_are(good, tmp_path):
    def change(config):
        config["config"]["layers"][1]["config"]["filters"] = 10**10

    # A kernel of 1 × 1 × 3 × 10**10, 120 GB.
    with pytest.raises(ValueError, match="asks for 30000000000 weights or more, and it has 12"):
        load(with_config(good, change), tmp_path)


def test_numbers_that_overflow_are_an_error_and_no_warning(good, tmp_path, recwarn):
    def change(config):
        layer = config["config"]["layers"][1]
        layer["config"].update(kernel_size=[4, 4], dilation_rate=[1e308, 1e308])
        del layer["build_config"]

    warnings.simplefilter("always")
    with pytest.raises(ValueError, match=r"Cannot load the model .*overflow"):
        load(with_config(good, change), tmp_path)
    assert not [warning for warning in recwarn if warning.category is RuntimeWarning]


def test_the_limit_of_weights_is_twice_the_files_and_a_thousand():
    with model_files.no_more_weights_than(12):
        keras.Variable(np.zeros(1024, "float32"))
        with pytest.raises(ValueError, match="asks for 1025 weights or more, and it has 12"):
            keras.Variable(np.zeros(1, "float32"))
    keras.Variable(np.zeros(2000, "float32"))


# Models that are no translators.


def test_what_is_no_translator_is_refused(tmp_path):
    def save(*parts):
        keras.Sequential(list(parts)).save(tmp_path / "x.keras")

    img = keras.Input((8, 8, 3))
    for parts, shapes in (
        (
            [img, layers.Conv2D(1, 1)],
            r"input shape \(None, 8, 8, 3\), output shape \(None, 8, 8, 1",
        ),
        ([img, layers.Flatten()], r"output shape \(None, 192\)"),
        ([img, layers.UpSampling2D()], r"output shape \(None, 16, 16, 3\)"),
        ([keras.Input((8, 8, 4)), layers.ReLU()], r"input shape \(None, 8, 8, 4\)"),
    ):
        save(*parts)
        with pytest.raises(ValueError, match=f"is no translator: .*Received: .*{shapes}"):
            cyclegan_keras.load_generator(tmp_path / "x.keras")
    save(keras.Input((8, 20_000, 3)), layers.ReLU())
    with pytest.raises(ValueError, match="height and width of 1 to 16384 pixels"):
        cyclegan_keras.load_generator(tmp_path / "x.keras")


def test_what_is_no_model_by_itself_is_refused(good, tmp_path):
    layer = json.loads(good["config.json"])["config"]["layers"][1]
    del layer["build_config"]
    zeros = {"module": "keras.initializers", "class_name": "Zeros", "config": {}}
    for config in (layer, {**zeros, "registered_name": None}):
        with pytest.raises(ValueError, match=r"Cannot load the model .*x\.keras'"):
            load(zipped({**good, "config.json": json.dumps(config)}), tmp_path)
    # Without weights that do not fit, Keras would take it for loaded.
    relu = {"module": "keras.layers", "class_name": "ReLU", "config": {"name": "relu"}}
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_group("vars")
    config = json.dumps({**relu, "registered_name": None})
    members = {**good, "config.json": config, "model.weights.h5": weights.getvalue()}
    with pytest.raises(ValueError, match="describes a ReLU, and no model"):
        load(zipped(members), tmp_path)


def test_a_model_of_any_shape_loads_as_such(tmp_path, random_images):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Flatten()])
    model.save(tmp_path / "eye.keras")
    again = model_files.load_model(tmp_path / "eye.keras")
    x = random_images(2, 8, 8, 3)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))
    with pytest.raises(ValueError, match="is no translator"):
        cyclegan_keras.load_generator(tmp_path / "eye.keras")
    model.layers[0].bias.assign([0.0, np.nan])
    model.save(tmp_path / "eye.keras")
    with pytest.raises(ValueError, match=r"not finite numbers.*bias'"):
        model_files.load_model(tmp_path / "eye.keras")
    with pytest.raises(FileNotFoundError, match=r"No model '.*none\.keras'\. Give a \.keras file"):
        model_files.load_model(tmp_path / "none.keras")
