"""Which workers there are, as the environment says."""

import json

import pytest

from cyclegan_keras.cluster import Cluster, of_environment

TWO = ("a:2222", "b:2223")


def tf_config(cluster, kind="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize(
    ("environ", "workers", "index"),
    [
        ({"CYCLEGAN_WORKERS": "a:2222,b:2223", "CYCLEGAN_INDEX": "1"}, TWO, 1),
        ({"CYCLEGAN_WORKERS": " a:2222 , b:2223 ", "CYCLEGAN_INDEX": "0"}, TWO, 0),
        (tf_config({"worker": [*TWO]}, index=1), TWO, 1),
        (tf_config({"chief": ["a:2222"], "worker": ["b:2223"]}, "chief"), TWO, 0),
        (tf_config({"chief": ["a:2222"], "worker": ["b:2223"]}), TWO, 1),
        # As Ray gives the index.
        (tf_config({"worker": [*TWO]}, index="1"), TWO, 1),
        ({"CYCLEGAN_WORKERS": "[::1]:2222,10.0.0.2:80", "CYCLEGAN_INDEX": "0"}, None, 0),
    ],
)
def test_a_description_is_read(environ, workers, index):
    cluster = of_environment(environ)
    assert cluster.workers == (workers or ("[::1]:2222", "10.0.0.2:80"))
    assert cluster.index == index
    assert cluster.is_chief == (index == 0)
    assert of_environment(cluster.environment()) == cluster


@pytest.mark.parametrize(
    "environ", [{}, {"CYCLEGAN_WORKERS": " "}, {"TF_CONFIG": "{}"}, {"TF_CONFIG": ""}]
)
def test_no_description_is_none(environ):
    assert of_environment(environ) is None


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"CYCLEGAN_WORKERS": "a:1,b:2"}, "CYCLEGAN_INDEX=''"),
        ({"CYCLEGAN_WORKERS": "a:1,b:2", "CYCLEGAN_INDEX": "-1"}, "'-1'"),
        ({"CYCLEGAN_WORKERS": "a:1,b:2", "CYCLEGAN_INDEX": "2"}, "from 0 to 1"),
        ({"CYCLEGAN_WORKERS": "a:1,a:1", "CYCLEGAN_INDEX": "0"}, "another port"),
        ({"CYCLEGAN_WORKERS": "a,b:2", "CYCLEGAN_INDEX": "0"}, "'a'"),
        ({"CYCLEGAN_WORKERS": "a:0,b:2", "CYCLEGAN_INDEX": "0"}, "'a:0'"),
        ({"CYCLEGAN_WORKERS": "a:1,b:65536", "CYCLEGAN_INDEX": "0"}, "'b:65536'"),
        ({"CYCLEGAN_WORKERS": "a:1,,b:2", "CYCLEGAN_INDEX": "0"}, "''"),
        ({"TF_CONFIG": "{"}, "JSON"),
        ({"TF_CONFIG": "[]"}, "TF_CONFIG"),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}}'}, "KeyError"),
        (tf_config({"worker": ["a:1"], "ps": ["b:1"]}), "ps"),
        (tf_config({"worker": ["a:1"]}, "evaluator"), "evaluator"),
        (tf_config({"worker": ["a:1"]}, index=3), "from 0 to 0"),
        (tf_config({"worker": [1]}), "'1'"),
    ],
)
def test_a_wrong_description_says_what_is_wrong(environ, named):
    with pytest.raises(ValueError, match=r"must|CYCLEGAN") as raised:
        of_environment(environ)
    assert named in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_one_worker_is_a_cluster_too():
    assert Cluster(("a:1",), 0).num_workers == 1
