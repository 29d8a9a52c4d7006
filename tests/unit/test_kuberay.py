"""deploy/kuberay.yaml against KubeRay's schema made strict, the rules of its operator, and what it promises."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]  # it ships no types

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.cli.parser import parse
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.storage.remote import Remote
from tests.unit.kuberay_operator import refusals

REPOSITORY = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "schemas"
TEXT = (REPOSITORY / "deploy" / "kuberay.yaml").read_text()
PINS = dict(re.findall(r"^([\w.-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE))
Document = dict[str, Any]
Spoil = Callable[[Document], object]

DEFINITIONS = {
    name: schema
    for file in ("kubernetes.json", "rayjob.json")
    for name, schema in json.loads((SCHEMAS / file).read_text()).items()
}


@pytest.fixture
def account() -> Document:
    return _documents()[0]


@pytest.fixture
def job() -> Document:
    return _documents()[1]


def _documents() -> list[Document]:
    return list(yaml.safe_load_all(TEXT))


def _check(document: Document, kind: str) -> None:
    Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": DEFINITIONS}).validate(document)


def _head(job: Document) -> Document:
    head: Document = job["spec"]["rayClusterSpec"]["headGroupSpec"]
    return head


def _workers(job: Document) -> Document:
    (workers,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    return dict(workers)


def _pods(job: Document) -> list[Document]:
    return [_head(job)["template"]["spec"], _workers(job)["template"]["spec"]]


def test_the_schema_accepts_the_file(account: Document, job: Document) -> None:
    _check(account, "V1ServiceAccount")
    _check(job, "RayJob")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda job: job.update(apiVersion="ray.io/v1alpha1"),
        lambda job: job["metadata"].update(nmae="ray-qa"),
        lambda job: job["spec"].update(backOffLimit=2),
        lambda job: job["spec"].update(preRunningDeadlineSeconds=0),
        lambda job: job["spec"]["rayClusterSpec"].update(rayVersion=2.6),
        lambda job: job["spec"]["rayClusterSpec"]["authOptions"].update(mode="Token"),
        lambda job: job["spec"]["rayClusterSpec"]["autoscalerOptions"].update(idleTimeoutMinutes=5),
        lambda job: _head(job)["rayStartParams"].update({"num-cpus": 2}),
        lambda job: _head(job).pop("template"),
        lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].update(maxReplica=8),
        lambda job: _pods(job)[0].update(serviceaccountName="ray-qa"),
        lambda job: _pods(job)[1]["tolerations"][0].update(effect="NoSchedul"),
        lambda job: _pods(job)[1]["nodeSelector"].update(spot=True),
        lambda job: _pods(job)[1]["containers"][0].pop("name"),
        lambda job: _pods(job)[1]["containers"][0]["resources"].update(limit={"cpu": "3"}),
    ],
)
def test_the_schema_does_not_accept_just_anything(job: Document, spoil: Spoil) -> None:
    spoil(job)
    with pytest.raises(ValidationError):
        _check(job, "RayJob")


def test_the_schema_is_strict_everywhere() -> None:
    lax = [
        name for name, schema in DEFINITIONS.items() if "enum" not in schema and "additionalProperties" not in schema
    ]
    assert lax == []


def test_the_operator_refuses_nothing_in_the_file(job: Document) -> None:
    assert refusals(job) == []


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        (lambda job: job["metadata"].update(name="a" * 48), "name too long"),
        (lambda job: job["metadata"].update(name="ray_qa"), "name is no DNS label"),
        (lambda job: job["spec"].update(backoffLimit=-1), "retries below zero"),
        (lambda job: job["spec"].update(submissionMode="InteractiveMode"), "interactive with retries"),
        (
            lambda job: job["spec"].update(clusterSelector={"ray.io/cluster": "c"}),
            "selector with retries",
        ),
        (lambda job: job["spec"].update(suspend=True, shutdownAfterJobFinishes=False), "suspend without shutdown"),
        (
            lambda job: job["spec"].update(ttlSecondsAfterFinished=9, shutdownAfterJobFinishes=False),
            "ttl without",
        ),
        (lambda job: job["spec"].update(deletionStrategy={"deletionRules": []}), "deletion strategy"),
        (lambda job: job["spec"].update(activeDeadlineSeconds=0), "deadline not above zero"),
        (lambda job: job["spec"].update(runtimeEnvYAML="- pip"), "runtime environment is no mapping"),
        (lambda job: job["spec"].pop("rayClusterSpec"), "neither cluster nor selector"),
        (lambda job: job["spec"]["rayClusterSpec"].update(rayVersion="2.51.0"), "token without a Ray"),
        (lambda job: job["spec"]["rayClusterSpec"].pop("rayVersion"), "token without a Ray"),
        (
            lambda job: job["spec"]["rayClusterSpec"]["authOptions"].update(enableK8sTokenAuth=True),
            "Kubernetes",
        ),
        (lambda job: _pods(job)[0].update(restartPolicy="Always"), "a pod that restarts"),
        (lambda job: _head(job).update(resources={"CPU": "2"}), "resources said twice"),
        (lambda job: _head(job)["rayStartParams"].update(labels="a=b"), "labels among the start parameters"),
        (lambda job: _pods(job)[1]["containers"].clear(), "no container"),
        (lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].update(minReplicas=9), "bounds of replicas"),
    ],
)
def test_the_operators_rules_are_not_empty(job: Document, spoil: Spoil, broken: str) -> None:
    spoil(job)
    (refusal,) = refusals(job)
    assert refusal.startswith(broken)


def test_a_try_is_a_new_cluster_there_are_three_and_nothing_stays(job: Document) -> None:
    spec = job["spec"]

    assert spec["backoffLimit"] == 2
    assert spec["shutdownAfterJobFinishes"] is True
    assert 0 < spec["preRunningDeadlineSeconds"] <= 3600
    assert "Each try is a new cluster" in TEXT


def test_ray_is_of_the_version_of_the_image(job: Document) -> None:
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == PINS["ray"]
    images = {container["image"] for pod in _pods(job) for container in pod["containers"]}
    assert len(images) == 1


def test_the_token_is_asked_for_and_neither_it_nor_a_key_is_in_the_file(job: Document) -> None:
    assert job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert "AWS_" not in TEXT
    assert not re.search(r"[0-9a-f]{32}", TEXT)


def test_pods_show_a_role_to_the_bucket(account: Document, job: Document) -> None:
    assert {pod["serviceAccountName"] for pod in _pods(job)} == {account["metadata"]["name"]}
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]


def test_workers_have_one_gpu_on_spot_nodes_and_come_and_go(job: Document) -> None:
    cluster, workers = job["spec"]["rayClusterSpec"], _workers(job)
    pod = workers["template"]["spec"]

    assert cluster["enableInTreeAutoscaling"] is True
    assert 0 < cluster["autoscalerOptions"]["idleTimeoutSeconds"] <= 900
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (0, 0, 8)
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["nodeSelector"] == {"karpenter.sh/capacity-type": "spot"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]


def test_the_head_has_no_gpu_room_to_read_and_is_not_taken_away(job: Document) -> None:
    head = _head(job)
    pod = head["template"]["spec"]

    assert head["rayStartParams"] == {"num-cpus": "2", "num-gpus": "0"}
    assert pod["nodeSelector"] == {"karpenter.sh/capacity-type": "on-demand"}
    assert "nvidia.com/gpu" not in pod["containers"][0]["resources"]["limits"]
    assert "tolerations" not in pod


def test_nothing_runs_as_root(job: Document) -> None:
    for pod in _pods(job):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_job_has_flags_that_exist_and_asks_for_no_more_than_there_will_be(job: Document) -> None:
    flags = job["spec"]["entrypoint"].removeprefix("ray-qa annotate ")
    config = parse(AnnotateConfig, "ray-qa annotate", flags.split())

    assert (config.replicas, config.gpus_per_replica) == (f"1:{_workers(job)['maxReplicas']}", 1)
    assert isinstance(config.folder, Remote)


def test_the_comment_on_finetune_has_flags_that_exist(job: Document) -> None:
    (shown,) = re.findall(r"ray-qa finetune (.+\n#.+)", TEXT)
    config = parse(FinetuneConfig, "ray-qa finetune", shown.replace("#", "").split())

    assert config.gpus_per_worker == 1
    assert int(config.workers) <= _workers(job)["maxReplicas"]


def test_what_must_be_changed_is_marked() -> None:
    for placeholder in (
        "000000000000",
        "s3://bucket/corpus --output",
        "image: &image",
        "capacity-type: spot",
        "gke-spot, ",
    ):
        before, _, after = TEXT.partition(placeholder)
        near = [*before.splitlines()[-5:], *after.splitlines()[:4]]
        assert "CHANGE" in "".join(near), placeholder
