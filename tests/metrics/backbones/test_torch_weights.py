import pathlib
import pickle
import struct

import numpy as np
import pytest

from cyclegan_keras.metrics.backbones.torch_weights import MAGIC, VERSION, read_state_dict

NUMBERS = np.arange(6, dtype=np.float32) + 0.5


def push(value: object) -> bytes:
    """The instructions that put a plain value on the stack."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(offset: int, size: tuple, stride: tuple, storage: bytes = b"FloatStorage") -> bytes:
    """A tensor over all six numbers, as PyTorch pickles it."""
    where = b"(" + push("storage") + b"ctorch\n" + storage + b"\n" + push("7") + push("cpu")
    view = where + push(6) + b"NtQ" + push(offset) + push(size) + push(stride) + b"\x89}t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"R"


def write(folder: pathlib.Path, value: bytes, numbers: bytes | None = None) -> pathlib.Path:
    """A file in the old format, by hand: header, a dict of one value, keys, numbers."""
    header = (MAGIC, VERSION, {"little_endian": True})
    parts = [pickle.dumps(part, 2) for part in header]
    parts += [b"\x80\x02}" + push("w") + value + b"s.", pickle.dumps(["7"], 2)]
    parts.append(struct.pack("<q", 6) + NUMBERS.tobytes() if numbers is None else numbers)
    path = folder / "weights.pth"
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    ("offset", "size", "stride", "expected"),
    [
        (0, (2, 3), (3, 1), [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]),
        (0, (3, 2), (1, 3), [[0.5, 3.5], [1.5, 4.5], [2.5, 5.5]]),
        (1, (2, 2), (2, 1), [[1.5, 2.5], [3.5, 4.5]]),
        (5, (), (), 5.5),
    ],
)
def test_a_tensor_is_a_view_of_its_storage(offset, size, stride, expected, tmp_path):
    state = read_state_dict(write(tmp_path, tensor(offset, size, stride)))
    assert list(state) == ["w"]
    assert state["w"].dtype == np.float32
    np.testing.assert_array_equal(state["w"], np.float32(expected), strict=True)


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (1, (2, 3), (3, 1)),
        (0, (7,), (1,)),
        (0, (2,), (6,)),
        (-1, (2,), (1,)),
        (5, (3,), (-1,)),
        (0, (0,), (1,)),
    ],
)
def test_memory_outside_of_a_storage_is_not_read(offset, size, stride, tmp_path):
    with pytest.raises(ValueError, match="outside of its storage 7"):
        read_state_dict(write(tmp_path, tensor(offset, size, stride)))


class _Touch:
    def __init__(self, path: pathlib.Path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def test_no_code_from_the_file_runs(tmp_path):
    canary = tmp_path / "canary"
    hostile = _Touch(canary)
    pickle.loads(pickle.dumps(hostile, 2))
    assert canary.exists()  # So much for a plain pickle.
    canary.unlink()
    with pytest.raises(ValueError, match="which no state dict needs"):
        read_state_dict(write(tmp_path, push(hostile)))
    assert not canary.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins getattr",
        "posix system",
        "collections namedtuple",
        "torch load",
        "torch.nn Module",
    ],
)
def test_only_the_names_of_a_state_dict_are_known(name, tmp_path):
    module, attribute = name.split()
    value = f"c{module}\n{attribute}\n".encode()
    with pytest.raises(ValueError, match=f"it names {module}.{attribute}, which no state dict"):
        read_state_dict(write(tmp_path, value))


def test_attributes_that_a_file_sets_do_not_stay(tmp_path):
    # Gives what makes tensors another size. Neither this tensor nor the next file's may have it.
    meddling = b"ctorch._utils\n_rebuild_tensor_v2\n" + push((None, {"size": (2,)})) + b"b"
    whole = tensor(0, (6,), (1,))
    for value in (whole + meddling + b"0", whole):
        np.testing.assert_array_equal(read_state_dict(write(tmp_path, value))["w"], NUMBERS)


@pytest.mark.parametrize(
    ("value", "numbers", "reason"),
    [
        (push(3), None, "it holds other things than tensors"),
        (tensor(0, (6,), (1,), b"ComplexFloatStorage"), None, "torch.ComplexFloatStorage"),
        (tensor(0, (6,), (1,)), b"", "."),
        (tensor(0, (6,), (1,)), struct.pack("<q", 6) + bytes(23), "."),
        (tensor(0, (6,), (1,)), struct.pack("<q", 5) + bytes(24), "storage 7 is cut off"),
        (tensor(0, (6,), (1,)), struct.pack("<q", 7) + bytes(24), "storage 7 is cut off"),
        (tensor(0, (6,), (1,)), struct.pack("<q", 2**62) + bytes(24), "."),
    ],
)
def test_damage_is_named(value, numbers, reason, tmp_path):
    with pytest.raises(ValueError, match=rf"Cannot read '.*weights.pth': .*{reason}"):
        read_state_dict(write(tmp_path, value, numbers))


@pytest.mark.parametrize("content", [b"", b"PK\3\4 the newer format", pickle.dumps({"a": 1})])
def test_other_formats_are_refused(content, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"must be a state dict of tensors"):
        read_state_dict(path)
    with pytest.raises(FileNotFoundError, match="No weights"):
        read_state_dict(tmp_path / "none.pth")


def test_what_pytorch_itself_writes(tmp_path):
    torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")
    # A module's state dict carries its versions with it.
    state = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2), torch.nn.BatchNorm2d(4)).state_dict()
    shared = torch.arange(24.0).reshape(4, 6)
    state["transposed"], state["part"] = shared.T, shared[1:3, 2:5]
    for dtype in (torch.float16, torch.float64, torch.int32, torch.int64, torch.bool):
        state[str(dtype)] = torch.tensor([0, 1, 3]).to(dtype)
    path = tmp_path / "weights.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    arrays = read_state_dict(path)
    assert list(arrays) == list(state)
    for name, expected in state.items():
        np.testing.assert_array_equal(arrays[name], expected.numpy(), strict=True)
