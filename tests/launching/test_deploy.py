"""The files in `deploy` are what Kubernetes and shells take, and say the same as the program."""

import pathlib
import shlex
import subprocess

import pytest

from cyclegan_keras.cli import train
from cyclegan_keras.cli.main import main
from cyclegan_keras.cluster import of_environment
from cyclegan_keras.cluster.team import STATUS_LOST

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def documents():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))


@pytest.fixture
def job(documents):
    return documents[1]["spec"]


def test_they_follow_the_schema(documents):
    validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    assert [one["kind"] for one in documents] == ["Service", "Job", "NetworkPolicy"]
    for one in documents:
        validate.validate(one, "1.30", strict=True)


def test_the_workers_are_those_of_the_job(documents, job):
    service, _, policy = documents
    (container,) = job["template"]["spec"]["containers"]
    env = {one["name"]: one for one in container["env"]}
    cluster = of_environment(
        {"CYCLEGAN_WORKERS": env["CYCLEGAN_WORKERS"]["value"], "CYCLEGAN_INDEX": "0"}
    )
    assert cluster.num_workers == job["completions"] == job["parallelism"]
    name = service["metadata"]["name"]
    # An indexed job calls its pods so, and a headless service gives them names.
    assert [one.split(":")[0] for one in cluster.workers] == [
        f"{documents[1]['metadata']['name']}-{index}.{name}" for index in range(4)
    ]
    assert job["template"]["spec"]["subdomain"] == name
    assert service["spec"]["clusterIP"] == "None"
    ports = {one.split(":")[1] for one in cluster.workers}
    assert ports == {str(policy["spec"]["ingress"][0]["ports"][0]["port"])}
    labels = job["template"]["metadata"]["labels"].items()
    for selector in (service["spec"]["selector"], policy["spec"]["podSelector"]["matchLabels"]):
        assert selector.items() <= labels
    assert "job-completion-index" in env["CYCLEGAN_INDEX"]["valueFrom"]["fieldRef"]["fieldPath"]


def test_exit_statuses_are_those_of_the_program(job):
    rules = {
        tuple(one["onExitCodes"]["values"]): one["action"]
        for one in job["podFailurePolicy"]["rules"]
        if "onExitCodes" in one
    }
    assert rules == {(STATUS_LOST,): "Ignore", (2,): "FailJob"}
    # Kubernetes takes such a policy with this alone.
    assert job["template"]["spec"]["restartPolicy"] == "Never"


def parsed(words, monkeypatch):
    found = []
    monkeypatch.setattr(train, "run", lambda arguments: found.append(arguments) or 0)
    assert main(words[1:]) == 0
    return train.config_from(found[0])


def test_the_commands_are_ours(job, monkeypatch):
    (container,) = job["template"]["spec"]["containers"]
    assert parsed(container["command"], monkeypatch).recipe == "paper"
    script = (DEPLOY / "slurm.sh").read_text("utf-8")
    words = shlex.split(script.partition("srun ")[2].partition("status=$?")[0].replace("\\\n", " "))
    assert parsed(words[words.index("cyclegan") :], monkeypatch).batch_size == 8


def test_the_script_is_one_of_a_shell():
    done = subprocess.run(["sh", "-n", str(DEPLOY / "slurm.sh")], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
