"""Whether the template says what it said before; for once, not to be kept.

    .venv/bin/python -m scripts.compare_templates <commit before>

Compared as canonical JSON, part by part and resource by resource: with the loops written out, and
after SAM's transform as well, which is what CloudFormation gets to see.
"""

import copy
import json
import os
import subprocess
import sys
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from relay_sandbox.deployment.loops import expanded

Json = dict[str, Any]


def canonical(value: Any) -> str:
    """One text for one meaning."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def text(commit: str) -> str:
    """The template of a commit; that of the working tree for an empty one."""
    command = ["git", "show", f"{commit}:template.yaml"] if commit else ["cat", "template.yaml"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(f"{commit or 'now':12} {found.count(chr(10)):5} lines")
    return found


def translated(template: Json) -> Json:
    """After SAM's transform."""
    source = copy.deepcopy(template)
    for resource in source["Resources"].values():
        for folder in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][folder] = "s3://bucket/code.zip"
    result: Json = Translator({}, Parser(), boto_session=boto3.Session()).translate(source, {})
    return result


def grants(resources: Json) -> Json:
    """Every statement of a role's inline policies and of the managed ones that it refers to."""
    found: Json = {}
    for name, role in resources.items():
        if role["Type"] != "AWS::IAM::Role":
            continue
        managed = [
            resources[one["Ref"]]["Properties"]
            for one in role["Properties"].get("ManagedPolicyArns", [])
        ]
        documents = [*role["Properties"]["Policies"], *managed]
        found[name] = sorted(
            canonical(s) for p in documents for s in p["PolicyDocument"]["Statement"]
        )
    return found


def unlike(before: Json, after: Json) -> list[str]:
    """The names of what is gone, new or unlike."""
    names = [*before, *(name for name in after if name not in before)]
    return [name for name in names if canonical(before.get(name)) != canonical(after.get(name))]


def compare(what: str, before: Json, after: Json) -> int:
    """Print what is unlike; return how much is."""
    differ = unlike(before, after)
    print(f"{what}: {len(before)} before, {len(after)} now, unlike: {differ}")
    return len(differ)


def main(commit: str) -> int:
    """Print what is alike and what is not; return how much is not."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    before, after = (expanded(yaml_parse(text(one))) for one in (commit, ""))
    count = 0
    for part in ("Parameters", "Conditions", "Outputs", "Mappings", "Metadata"):
        count += compare(part, before[part], after[part])
    count += compare("Resources, loops written out", before["Resources"], after["Resources"])
    old, new = translated(before), translated(after)
    count += compare("Resources after SAM's transform", old["Resources"], new["Resources"])
    count += compare(
        "Other parts after it",
        *({k: v for k, v in t.items() if k != "Resources"} for t in (old, new)),
    )
    roles = grants(new["Resources"])
    count += compare("Grants of roles", grants(old["Resources"]), roles)
    print("grants:", sum(map(len, roles.values())))
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
