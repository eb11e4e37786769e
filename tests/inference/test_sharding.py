import collections
import itertools

import pytest
from PIL import Image

from cyclegan_keras.inference.planning import Plan, plan
from cyclegan_keras.inference.sharding import Shard, digest_of

NAMES = [f"{i % 7}/{i:04d}.jpg" for i in range(2000)]


@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_each_picture_is_in_one_shard_and_shards_are_even(count):
    shards = [Shard(number, count) for number in range(1, count + 1)]
    held = [[name for name in NAMES if shard.holds(name)] for shard in shards]
    assert collections.Counter(itertools.chain(*held)) == dict.fromkeys(NAMES, 1)
    # Within four standard deviations of a fair deal.
    assert max(map(len, held)) - len(NAMES) / count <= 4 * (len(NAMES) / count) ** 0.5


def test_the_hash_is_the_same_everywhere():
    # BLAKE2b of 8 bytes: `printf a/b.png | b2sum -l 64`.
    assert digest_of("a/b.png") == 0x7EA4FC4732436554


@pytest.mark.parametrize(
    "text", ["", "2", "0/2", "3/2", "-1/2", "1/2/3", "a/b", "1/0", "²/4", "1 /2"]
)
def test_what_is_no_shard_is_told(text):
    with pytest.raises(ValueError, match=r"shard .*I/N.*Received: "):
        Shard.parse(text)


def test_a_shard_is_read_as_it_is_written():
    assert Shard.parse("2/4") == Shard(2, 4)
    assert str(Shard(2, 4)) == "2/4"


@pytest.fixture
def folder(tmp_path):
    for i in range(40):
        path = tmp_path / "in" / str(i % 3) / f"{i:02d}.{'png' if i % 2 else 'jpg'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 2)).save(path)
    Image.new("RGB", (4, 2)).save(tmp_path / "in" / "1" / "00.png")
    (tmp_path / "in" / "1" / "00.jpg").write_bytes((tmp_path / "in" / "0" / "00.jpg").read_bytes())
    return tmp_path / "in"


@pytest.mark.parametrize("file_format", [None, "png"])
def test_the_plans_of_all_shards_are_the_plan(file_format, folder, tmp_path):
    # `1/00.jpg` and `1/00.png` become two names, whichever shards they are in.
    whole = plan([folder], tmp_path / "out", file_format=file_format)
    assert len(whole) == 42
    parts = [
        Plan([folder], tmp_path / "out", file_format=file_format, shard=Shard(number, 3))
        for number in (1, 2, 3)
    ]
    assert [len(list(part)) for part in parts] == [len(part) for part in parts]
    assert sorted(job for part in parts for job in part) == sorted(whole)


def test_a_shard_refuses_names_that_meet_in_another(folder, tmp_path):
    (folder / "00.jpg.png").write_bytes((folder / "1" / "00.png").read_bytes())
    for name in ("00.jpg", "00.png"):
        (folder / name).write_bytes((folder / "1" / name).read_bytes())
    for number in (1, 2, 3):
        with pytest.raises(ValueError, match=r"would both become .*00\.jpg\.png"):
            Plan([folder], tmp_path / "out", file_format="png", shard=Shard(number, 3))


def test_a_shard_minds_only_its_own_translations(folder, tmp_path):
    jobs = list(Plan([folder], tmp_path / "out", shard=Shard(1, 2)))
    jobs[0][1].parent.mkdir(parents=True)
    jobs[0][1].touch()
    assert len(Plan([folder], tmp_path / "out", shard=Shard(2, 2))) == 42 - len(jobs)
    with pytest.raises(FileExistsError, match="--skip-existing"):
        Plan([folder], tmp_path / "out", shard=Shard(1, 2))
    skipped = []
    left = Plan([folder], tmp_path / "out", shard=Shard(1, 2), skip_existing=True)
    left.on_skipped = lambda *job: skipped.append(job)
    assert len(left) == len(jobs) - 1
    assert list(left) == jobs[1:]
    assert skipped == jobs[:1]


def test_one_picture_in_a_file_is_no_shard(folder, tmp_path):
    with pytest.raises(ValueError, match=r"--shard needs a folder.*out\.png"):
        Plan([folder / "00.jpg"], tmp_path / "out.png", shard=Shard(1, 2), check=False)


def test_a_given_file_is_not_taken_again_with_its_folder(folder, tmp_path):
    names = [target.name for _, target in plan([folder / "1" / "00.png", folder], tmp_path / "out")]
    assert len(names) == 42
    assert plan([folder, folder / "1"], tmp_path / "out")[0][1].parent == tmp_path / "out" / "0"
    inner = plan([folder, folder / "1"], tmp_path / "out", check=False)
    assert {target.parent.name for source, target in inner if source.parent.name == "1"} == {"out"}
