import json
import shutil

import pytest

from cyclegan_keras import DataLoader
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.metrics import evaluator, features, from_settings
from cyclegan_keras.metrics.monitors import MONITORS
from tests.colour_features import MeanColours


@pytest.fixture
def unpaired(fruit_dir, tmp_path):
    shutil.copytree(fruit_dir, tmp_path / "set")
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({"test_pairs": False}))
    return DataLoader("set", (32, 32), tmp_path)


@pytest.mark.parametrize(
    ("settings", "with_pairs", "without"),
    [
        ({}, "truth", "kernel"),
        ({"monitor": "cycle"}, "cycle", "cycle"),
        ({"monitor": "fid"}, "frechet", "frechet"),
        ({"extractor": "none"}, "truth", None),
        ({"monitor": "ground_truth"}, "truth", None),
        ({"monitor": "kid", "extractor": "none"}, None, None),
    ],
)
def test_the_monitor_of_the_settings(settings, with_pairs, without, loader, unpaired):
    config = TrainConfig(evaluate_every=5, **settings)
    for data, name in ((loader, with_pairs), (unpaired, without)):
        if name is None:
            with pytest.raises(ValueError, match=r"`monitor` cannot be .*Received: monitor="):
                from_settings.choose_monitor(config, data)
        else:
            assert from_settings.choose_monitor(config, data) is MONITORS[name]


def test_the_evaluator_of_the_settings(loader, monkeypatch, capsys):
    extractor = MeanColours()
    monkeypatch.setattr(features, "choose", lambda name: extractor)
    assert from_settings.make_evaluator(TrainConfig(), loader).extractor is None
    assert capsys.readouterr().out == ""
    config = TrainConfig(evaluate_every=500, monitor="kid")
    assert from_settings.make_evaluator(config, loader).extractor is extractor
    # The real images are seen before the training begins.
    assert extractor.seen == 4 + 4 + 6 + 6
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"Monitor KID (kernel distance), features of {extractor.name}, every 500 steps"
    )


@pytest.mark.parametrize("name", MONITORS)
def test_a_monitor_finds_and_shows_its_value(name, loader):
    metrics = evaluator.Evaluator(loader, MeanColours()).evaluate(
        {"g_AB": lambda imgs, training: imgs, "g_BA": lambda imgs, training: -imgs}
    )
    monitor = MONITORS[name]
    keys = ("cycle_A", "cycle_B") if name == "cycle" else (f"{name}_AB", f"{name}_BA")
    found = [monitor.value(generator, metrics.metrics) for generator in ("g_AB", "g_BA")]
    assert found == [metrics.metrics[key] for key in keys]
    assert len(set(found)) == 2 or name == "cycle"
    assert monitor.shown(1 / 3) == ("0.3333" if name == "kernel" else "0.33")
