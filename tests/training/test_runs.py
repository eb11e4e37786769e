import keras
import numpy as np
import pytest

from cyclegan_keras.config import TrainConfig
from cyclegan_keras.networks import build_unet_generator
from cyclegan_keras.training import runs


def test_every_run_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [str(runs.make_run_dir(TrainConfig(epochs=n), "fruit")) for n in (1, 2, 3)]
    assert names == ["runs/fruit", "runs/fruit-2", "runs/fruit-3"]
    epochs = [TrainConfig.from_json(tmp_path / name / "config.json").epochs for name in names]
    assert epochs == [1, 2, 3]


def test_an_empty_folder_may_be_used_and_no_other(tmp_path):
    (tmp_path / "run").mkdir()
    config = TrainConfig(run_dir=str(tmp_path / "run"))
    assert runs.make_run_dir(config, "fruit") == tmp_path / "run"
    with pytest.raises(FileExistsError, match="a run overwrites nothing"):
        runs.make_run_dir(config, "fruit")
    with pytest.raises(FileExistsError):
        runs.make_run_dir(TrainConfig(run_dir=__file__), "fruit")


def test_a_model_is_saved_whole_or_not_at_all(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    path = tmp_path / "m.keras"
    runs.save_whole(model, path)
    before = path.read_bytes()

    class Fails:
        def save(self, partial):
            partial.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        runs.save_whole(Fails(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]


def test_a_copy_in_full_precision_has_the_same_weights(dtype_policy, random_images):
    full = build_unet_generator((32, 32, 3), gf=2, name="g_AB")
    assert runs.in_full_precision(full) is full
    dtype_policy("mixed_float16")
    half = build_unet_generator((32, 32, 3), gf=2, name="g_AB")
    half.set_weights(full.get_weights())
    dtype_policy("float32")
    copy = runs.in_full_precision(half)
    assert copy.name == "g_AB"
    x = random_images(2, 32, 32, 3)
    np.testing.assert_array_equal(np.asarray(copy(x)), np.asarray(full(x)))
    assert not np.array_equal(np.asarray(half(x)), np.asarray(full(x)))
