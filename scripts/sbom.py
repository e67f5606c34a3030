"""`make sbom`: what is installed, as CycloneDX 1.5, one file for each place where it is.

Packages and their digests come from uv.lock; what others wrote and stands in this repository from
vendored.json. What the Lambda runtime brings (boto3) is Amazon's, and in none of them.
"""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "sbom"
LISTS = {
    "layer": ["--no-default-groups", "--prune", "boto3", "--prune", "rich", "--prune", "typer"],
    "development": ["--only-group", "dev"],
    "sam-cli": ["--only-group", "sam"],
    "node": ["--only-group", "node"],
}
MEANINGS = {
    "layer": "runs in your AWS account",
    "development": "runs the command, the sandbox and the tests",
    "sam-cli": "builds and deploys",
    "node": "runs another DynamoDB for `make faults`",
}

Json = dict[str, Any]


def locked(name: str) -> Json:
    """The bill of materials of one list, as uv writes it."""
    command = [str(ROOT / "scripts" / "uv"), "export", "--quiet", "--locked", *LISTS[name]]
    command += ["--format", "cyclonedx1.5", "--preview-features", "sbom-export"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    bill: Json = json.loads(done.stdout)
    return bill


def from_npm(name: str, version: str, integrity: str) -> Json:
    """One component, from what npm says of it; its digest is in base64 there."""
    algorithm, _, digest = integrity.partition("-")
    algorithm = {"sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}[algorithm]
    purl = f"pkg:npm/{name.replace('@', '%40')}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": algorithm, "content": base64.b64decode(digest).hex()}],
    }


def vendored() -> list[Json]:
    """What others wrote and stands in this repository."""
    packages: Json = json.loads((ROOT / "scripts" / "vendored.json").read_text("utf-8"))
    return [from_npm(name, one["version"], one["integrity"]) for name, one in packages.items()]


def dynalite() -> list[Json]:
    """What npm installs for `make faults`."""
    lock: Json = json.loads((ROOT / "tests/faults/dynalite/package-lock.json").read_text("utf-8"))
    return [
        from_npm(path.rpartition("node_modules/")[2], one["version"], one["integrity"])
        for path, one in lock["packages"].items()
        if path
    ]


OTHERS = {"development": vendored, "node": dynalite}


def bill_of(name: str) -> Json:
    """The bill of materials of one list, complete."""
    bill = locked(name)
    others = OTHERS.get(name, list)()
    known = {one["bom-ref"]: one for one in [*bill.get("components", []), *others]}
    return bill | {"components": list(known.values())}


def main() -> int:
    """Write all lists, once all of them are there; return 0."""
    bills = {name: bill_of(name) for name in LISTS}
    FOLDER.mkdir(exist_ok=True)
    for name, bill in bills.items():
        file = FOLDER / f"{name}.cdx.json"
        file.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        count = len(bill["components"])
        print(f"{file.relative_to(ROOT)!s:26} {count:4} components  {MEANINGS[name]}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError:
        sys.exit("uv could not read uv.lock: see above")  # it has said why
