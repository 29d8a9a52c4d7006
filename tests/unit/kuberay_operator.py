"""What KubeRay's operator refuses in a RayJob that fits its schema, in our own words: rules only its code has.

After ``ray-operator/controllers/ray/utils/validation.go`` of ray-project/kuberay, in a copy that knows the fields of
1.7, less the rules for what ``schemas/rayjob.json`` leaves out. Deletion strategies, which a feature gate may open or
shut, count as shut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

RayJob = dict[str, Any]
Spec = dict[str, Any]

NAME_LENGTH = 47
"""A service's 63 characters, less what the operator appends for the cluster and for its services."""

LABEL = re.compile(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?")


def refusals(job: RayJob) -> list[str]:
    """A phrase for every rule that is broken."""
    return [*_of_metadata(job["metadata"]), *_of_job(job["spec"]), *_of_cluster(job["spec"].get("rayClusterSpec"))]


def _of_metadata(metadata: Spec) -> Iterator[str]:
    if len(metadata["name"]) > NAME_LENGTH:
        yield "name too long"
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", metadata["name"]):
        yield "name is no DNS label"


def _of_job(spec: Spec) -> Iterator[str]:
    selector, mode = spec.get("clusterSelector"), spec.get("submissionMode", "K8sJobMode")
    shutdown, retries = spec.get("shutdownAfterJobFinishes", False), spec.get("backoffLimit", 0)
    if spec.get("suspend") and (not shutdown or selector):
        yield "suspend without shutdown, or with a selector"
    if spec.get("ttlSecondsAfterFinished", 0) < 0:
        yield "ttl below zero"
    if spec.get("ttlSecondsAfterFinished", 0) > 0 and not shutdown:
        yield "ttl without shutdown"
    if "deletionStrategy" in spec:
        yield "deletion strategy, which a feature gate shuts"
    if not selector and "rayClusterSpec" not in spec:
        yield "neither cluster nor selector"
    if selector and (retries > 0 or mode == "SidecarMode"):
        yield "selector with retries, or as a sidecar"
    if mode == "InteractiveMode" and retries > 0:
        yield "interactive with retries"
    if mode == "SidecarMode" and spec.keys() & {"submitterPodTemplate", "submitterConfig"}:
        yield "sidecar with a submitter of its own"
    if mode == "SidecarMode" and _restarts(spec["rayClusterSpec"]["headGroupSpec"]):
        yield "sidecar in a head that restarts"
    if retries < 0:
        yield "retries below zero"
    if any(spec.get(name, 1) <= 0 for name in ("activeDeadlineSeconds", "preRunningDeadlineSeconds")):
        yield "deadline not above zero"
    if not isinstance(yaml.safe_load(spec.get("runtimeEnvYAML", "")), dict | None):
        yield "runtime environment is no mapping"


def _of_cluster(cluster: Spec | None) -> Iterator[str]:
    if cluster is None:
        return
    head, workers = cluster["headGroupSpec"], cluster.get("workerGroupSpecs", [])
    grows, auth = cluster.get("enableInTreeAutoscaling", False), cluster.get("authOptions", {})
    options, version = cluster.get("autoscalerOptions", {}), cluster.get("rayVersion")
    second = grows and options.get("version", "v2") == "v2"  # unless said: by Ray's version, 2 since Ray 2.47
    for group in (head, *workers):
        yield from _of_group(group)
        if second and _restarts(group):
            yield "a pod that restarts under the second autoscaler"
    for group in workers:
        yield from _of_workers(group, grows=grows, second=second)
    yield from _of_environment(head, grows=grows, versioned="version" in options)
    if options.get("idleTimeoutSeconds", 0) < 0:
        yield "idle timeout below zero"
    if "KUBERAY_GEN_AUTOSCALER_START_CMD" in _names(options):
        yield "the autoscaler's own command in its environment"
    if cluster.get("upgradeStrategy", {}).get("type"):
        yield "upgrade of a job's cluster"
    if auth.get("enableK8sTokenAuth"):
        yield "Kubernetes' tokens in a job"
    if auth and auth.get("mode", "token") == "token" and (not version or _version(version) < (2, 52)):
        yield "token without a Ray that knows tokens"


def _of_group(group: Spec) -> Iterator[str]:
    params = group.get("rayStartParams", {})
    if not group["template"]["spec"]["containers"]:
        yield "no container"
    if group.get("resources") and params.keys() & {"num-cpus", "num-gpus", "memory", "resources"}:
        yield "resources said twice"
    if "labels" in params:
        yield "labels among the start parameters"
    if not all(
        re.fullmatch(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?", each) for each in group.get("labels", {}).values()
    ):
        yield "label's value"


def _of_workers(group: Spec, *, grows: bool, second: bool) -> Iterator[str]:
    fewest, most = group.get("minReplicas", 0), group.get("maxReplicas", 2**31 - 1)
    if not 0 <= fewest <= most:
        yield "bounds of replicas"
    if not grows and not group.keys() >= {"minReplicas", "maxReplicas"}:
        yield "no bounds of replicas without an autoscaler"
    if group.get("suspend"):
        yield "suspended workers"
    if group.get("idleTimeoutSeconds", 0) < 0 or ("idleTimeoutSeconds" in group and not second):
        yield "workers' idle timeout"
    if group.get("priority") and not second:
        yield "priority without the second autoscaler"


def _of_environment(head: Spec, *, grows: bool, versioned: bool) -> Iterator[str]:
    """The head's environment must not turn on what the specification has fields for."""
    names = {name for container in head["template"]["spec"]["containers"][:1] for name in _names(container)}
    if "RAY_REDIS_ADDRESS" in names:
        yield "fault tolerance by environment"
    if "REDIS_USERNAME" in names or "redis-username" in head.get("rayStartParams", {}):
        yield "Redis' user by environment"
    if "RAY_enable_autoscaler_v2" in names and (versioned or not grows):
        yield "autoscaler's version by environment"


def _restarts(group: Spec) -> bool:
    return bool(group["template"]["spec"].get("restartPolicy", "Never") != "Never")


def _names(container: Spec) -> list[str]:
    return [variable["name"] for variable in container.get("env", [])]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
