"""What deploy/kubernetes promises, read from its files: no cluster."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from compose_file import ROOT, AnyValue, image_environment, image_files, read_services

FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMA = ROOT / "tests" / "schemas" / "kubernetes" / "kubernetes-1.34.json"
OVERLAYS = ["cpu", "gpu"]
# What kustomize and KEDA read, and Kubernetes' own schema does not know.
OTHERS = {"Kustomization", "ScaledObject"}
# Has only what it changes; the overlays are looked at put together.
PATCH = "overlays/gpu/gpu-worker/card.yaml"
USER_ID = 10001

Manifest = dict[str, Any]


def manifests(path: Path = FOLDER) -> Iterator[tuple[str, Manifest]]:
    for file in sorted(path.rglob("*.yaml")):
        for manifest in yaml.safe_load_all(file.read_text()):
            yield str(file.relative_to(FOLDER)), manifest


def of_kind(*kinds: str) -> list[Manifest]:
    return [manifest for file, manifest in manifests() if manifest["kind"] in kinds and file != PATCH]


def pods() -> Iterator[tuple[str, Manifest]]:
    for manifest in of_kind("Deployment", "Job"):
        yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def render(overlay: str) -> list[Manifest]:
    """What `kubectl apply -k` would send."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("No kubectl on the PATH: the overlays are not put together, only their files are looked at")
    done = subprocess.run(
        [program, "kustomize", FOLDER / "overlays" / overlay], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def problems_of(manifest: Manifest) -> list[str]:
    """What Kubernetes' own description of a kind does not allow; a word that it does not know is a problem, too."""
    schema = json.loads(SCHEMA.read_text())
    names = [kind["$ref"].rsplit("/", 1)[1] for kind in schema["oneOf"]]
    (name,) = [name for name in names if name.endswith(f".{manifest['kind']}")]
    validator = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})
    return [f"{'.'.join(map(str, error.path))}: {error.message[:200]}" for error in validator.iter_errors(manifest)]


def test_every_manifest_is_what_kubernetes_expects():
    for file, manifest in manifests():
        if manifest["kind"] not in OTHERS and file != PATCH:
            assert problems_of(manifest) == [], file


def test_a_misspelt_word_and_a_wrong_type_would_be_noticed():
    (orchestrator,) = (found for found in of_kind("Deployment") if found["metadata"]["name"] == "orchestrator")
    assert problems_of(orchestrator | {"spec": orchestrator["spec"] | {"replica": 2}})
    assert problems_of(orchestrator | {"spec": orchestrator["spec"] | {"replicas": "two"}})
    container = orchestrator["spec"]["template"]["spec"]["containers"][0]
    container["livenessProbe"]["httpGet"]["path"] = 7
    assert problems_of(orchestrator)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_puts_together_what_kubernetes_expects(overlay: str):
    rendered = render(overlay)
    for manifest in rendered:
        assert manifest["kind"] == "ScaledObject" or problems_of(manifest) == []
    deployments = {found["metadata"]["name"]: found["spec"] for found in rendered if found["kind"] == "Deployment"}
    assert ("gpu-worker" in deployments) == (overlay == "gpu")
    selectors = [json.dumps(spec["selector"], sort_keys=True) for spec in deployments.values()]
    assert len(set(selectors)) == len(selectors), "two Deployments would take each other's pods"
    for name, spec in deployments.items():
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items(), name
        (container,) = spec["template"]["spec"]["containers"]
        assert container["image"] == f"labelyard:{'gpu' if name == 'gpu-worker' else 'cpu'}"
    for scaled in (found["spec"] for found in rendered if found["kind"] == "ScaledObject"):
        target = deployments[scaled["scaleTargetRef"]["name"]]
        assert "replicas" not in target, "kubectl apply would undo what KEDA did"


def test_a_card_goes_to_one_worker_that_insists_on_it():
    spec = yaml.safe_load((FOLDER / PATCH).read_text())["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "LABELYARD_DEVICE", "value": "gpu"} in container["env"]
    assert spec["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_every_pod_is_locked_down_has_probes_and_says_what_it_needs():
    for name, pod in pods():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] == USER_ID, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        assert "memory" in container["resources"]["limits"], name
        if name != "migrate":
            assert {"startupProbe", "livenessProbe"} <= set(container), name


def test_nothing_is_mounted_that_is_not_there_and_the_image_writes_only_where_something_is_mounted():
    claims = {found["metadata"]["name"] for found in of_kind("PersistentVolumeClaim")}
    for name, pod in pods():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
        assert {mount["name"] for mount in mounts.values()} == set(volumes), name
        used = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes.values() if "emptyDir" not in volume}
        assert used <= claims, name
        assert "/tmp" in mounts, name
        if name in ("orchestrator", "label-worker", "train-worker"):
            image = image_environment("cpu")
            assert {image["LABELYARD_HOME"], image["KERAS_HOME"], image["LABELYARD_UPLOADS"]} <= set(mounts)
            assert mounts["/sources"]["readOnly"] is True
            assert mounts["/uploads"].get("readOnly", False) == (name != "orchestrator")


def test_commands_are_those_of_docker_compose():
    services = read_services(AnyValue())
    for name, pod in pods():
        command = pod["containers"][0]["command"]
        assert command == services[name]["command"], name
        assert set(re.findall(r"/opt/\S+", " ".join(command))) <= set(image_files("cpu"))


def test_no_secret_is_in_the_files_and_each_part_gets_its_own():
    assert of_kind("Secret") == []
    secrets = {
        name: [source["secretRef"]["name"] for source in pod["containers"][0]["envFrom"] if "secretRef" in source]
        for name, pod in pods()
    }
    assert secrets == {
        "migrate": ["labelyard-owner"],
        "orchestrator": ["labelyard-orchestrator"],
        "label-worker": ["labelyard-worker"],
        "train-worker": ["labelyard-worker"],
        "flower": ["labelyard-flower"],
    }
    assert not re.search(r"(?i)password|://\w+:\w+@", str(list(manifests())))


def test_budgets_services_and_policies_choose_pods_that_there_are():
    names = {name for name, _ in pods()} | {"gpu-worker"}
    chosen = re.findall(
        r"app\.kubernetes\.io/name': '([\w-]+)'",
        str(of_kind("Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment")),
    )
    assert chosen
    assert set(chosen) <= names
    (outside,) = (found for found in of_kind("NetworkPolicy") if found["metadata"]["name"] == "outside")
    assert set(outside["spec"]["podSelector"]["matchExpressions"][0]["values"]) < names
    (nothing,) = (found for found in of_kind("NetworkPolicy") if found["metadata"]["name"] == "nothing")
    assert nothing["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_keda_asks_for_a_figure_that_an_orchestrator_shows():
    scaled = of_kind("ScaledObject")
    assert len(scaled) == len(OVERLAYS)
    shown = "".join(path.read_text() for path in (ROOT / "orchestrator").rglob("*.py"))
    for spec in (found["spec"] for found in scaled):
        assert spec["minReplicaCount"] < spec["maxReplicaCount"]
        for trigger in spec["triggers"]:
            assert trigger["type"] == "prometheus"
            assert set(trigger["metadata"]) == {"serverAddress", "query", "threshold"}
            assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA wants text"
            (metric,) = re.findall(r"labelyard_\w+", trigger["metadata"]["query"])
            assert metric in shown, metric


def test_every_file_is_used():
    used: set[Path] = set()
    for path in FOLDER.rglob("kustomization.yaml"):
        kustomization = yaml.safe_load(path.read_text())
        patched = [patch["path"] for patch in kustomization.get("patches", ()) if "path" in patch]
        for name in (*kustomization.get("resources", ()), *patched):
            target = (path.parent / name).resolve()
            assert target.exists(), f"{path} names {name}"
            used.add(target / "kustomization.yaml" if target.is_dir() else target)
    overlays = {FOLDER / "overlays" / name / "kustomization.yaml" for name in OVERLAYS}
    assert used | overlays == set(FOLDER.rglob("*.yaml"))
