"""What the manifests, the image and the settings have to agree on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEPLOYMENT = (ROOT / "deploy/kubernetes/deployment.yaml").read_text(encoding="utf-8")


def number(name: str) -> float:
    found = re.search(rf"{name}: (\d+)", DEPLOYMENT)
    assert found is not None
    return float(found[1])


def test_a_pod_that_leaves_cuts_no_answer_off() -> None:
    settings = tomllib.loads((ROOT / "sentient.toml").read_text(encoding="utf-8"))
    server = {**settings["server"], **settings["profile"]["production"]["server"]}
    assert server["drain_timeout"] >= server["run_timeout"]
    assert number("terminationGracePeriodSeconds") > server["drain_delay"] + server["drain_timeout"] + 20


def test_the_image_and_the_pod_are_one_user() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert user is not None
    assert (float(user[1]), float(user[2])) == (number("runAsUser"), number("runAsGroup"))
