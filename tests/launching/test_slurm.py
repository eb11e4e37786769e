"""Slurm's lists of nodes and tasks."""

import pytest

from cyclegan_keras.launching.slurm import cluster_of, hosts, numbers

# Of a job of three tasks on two nodes, as `srun` sets them.
TASK = {
    "SLURM_JOB_ID": "1000",
    "SLURM_STEP_NODELIST": "gpu[01-02]",
    "SLURM_STEP_TASKS_PER_NODE": "2,1",
    "SLURM_PROCID": "2",
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("login", ["login"]),
        ("gpu[01-03,07],login", ["gpu01", "gpu02", "gpu03", "gpu07", "login"]),
        ("r[1-2]n[08-09]", ["r1n08", "r1n09", "r2n08", "r2n09"]),
        ("a[9-11]-ib", ["a9-ib", "a10-ib", "a11-ib"]),
        ("host.example.org,h2", ["host.example.org", "h2"]),
    ],
)
def test_lists_of_hosts(text, names):
    assert list(hosts(text)) == names


def test_lists_of_numbers():
    assert list(numbers("2(x3),1")) == [2, 2, 2, 1]
    assert list(numbers("4")) == [4]


@pytest.mark.parametrize("wrong", ["a[", "a[1-x]", "a]b"])
def test_what_is_no_list_of_hosts(wrong):
    with pytest.raises(ValueError, match="understood"):
        list(hosts(wrong))


def test_what_is_no_list_of_numbers():
    with pytest.raises(ValueError, match="2\\(3\\)"):
        list(numbers("2(3)"))


def test_a_task_is_a_worker():
    cluster, place = cluster_of(TASK)
    assert [one.split(":")[0] for one in cluster.workers] == ["gpu01", "gpu01", "gpu02"]
    ports = [int(one.split(":")[1]) for one in cluster.workers]
    assert ports[0] == ports[2] == ports[1] - 1
    assert 20_000 <= min(ports) < max(ports) < 40_064
    assert (cluster.index, place) == (2, "0/1")
    assert cluster_of({**TASK, "SLURM_PROCID": "1"})[1] == "1/2"
    assert cluster_of({**TASK, "SLURM_GPUS_PER_TASK": "1"})[1] is None
    other = cluster_of({**TASK, "SLURM_JOB_ID": "1001"})[0]
    assert not {*other.workers} & {*cluster.workers}


def test_the_step_counts_before_the_job():
    job = {"SLURM_JOB_NODELIST": "x[1-9]", "SLURM_TASKS_PER_NODE": "8(x9)"}
    assert cluster_of({**TASK, **job})[0].num_workers == 3


@pytest.mark.parametrize("missing", [*TASK])
def test_outside_of_slurm_it_says_so(missing):
    environ = {name: value for name, value in TASK.items() if name != missing}
    with pytest.raises(ValueError, match="srun"):
        cluster_of(environ)
