"""Whether the template with loops says what the one without said; for once, not to be kept.

    .venv/bin/python -m scripts.compare_templates <commit before the loops>

Every part and resource is compared as canonical JSON after the loops are written out; of roles
all but their policies, and then the set of grants of each function, wherever they stand.
"""

import json
import subprocess
import sys
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from relay_sandbox.deployment.loops import expanded

Json = dict[str, Any]


def canonical(value: Any) -> str:
    """One text for one meaning."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def template(commit: str) -> Json:
    """The template of a commit; that of the working tree for an empty one."""
    command = ["git", "show", f"{commit}:template.yaml"] if commit else ["cat", "template.yaml"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(f"{commit or 'now':12} {text.count(chr(10)):5} lines")
    return expanded(yaml_parse(text))


def grants(resources: Json, role: Json) -> list[str]:
    """Every statement of a role's inline policies and of the managed ones that it refers to."""
    own = role["Properties"]["Policies"]
    managed = [
        resources[one["Ref"]]["Properties"]
        for one in role["Properties"].get("ManagedPolicyArns", [])
    ]
    return sorted(canonical(s) for p in [*own, *managed] for s in p["PolicyDocument"]["Statement"])


def shell(role: Json) -> Json:
    """A role without its policies."""
    kept = {
        k: v for k, v in role["Properties"].items() if k not in {"Policies", "ManagedPolicyArns"}
    }
    return role | {"Properties": kept}


def main(commit: str) -> int:
    """Print what is alike and what is not; return how much is not."""
    before, after = template(commit), template("")
    old, new = before["Resources"], after["Resources"]
    roles = [name for name, one in old.items() if one["Type"] == "AWS::IAM::Role"]
    differ = [
        name
        for name, one in old.items()
        if name not in roles and canonical(one) != canonical(new.get(name))
    ]
    shells = [name for name in roles if canonical(shell(old[name])) != canonical(shell(new[name]))]
    granted = [name for name in roles if grants(old, old[name]) != grants(new, new[name])]
    parts = [
        name
        for name in before
        if name not in {"Resources", "Transform"}
        and canonical(before[name]) != canonical(after[name])
    ]
    print(f"resources before: {len(old)}, gone: {sorted(old.keys() - new.keys())}")
    print(f"new: {sorted(new.keys() - old.keys())}")
    print(f"{len(old) - len(roles)} resources that are no roles, of these unlike: {differ}")
    print(
        f"{len(roles)} roles, of these with another shell: {shells}, with other grants: {granted}"
    )
    print(f"grants: {sum(len(grants(new, new[name])) for name in roles)}")
    print(f"other parts that are unlike: {parts}; new: {sorted(after.keys() - before.keys())}")
    return len(differ) + len(shells) + len(granted) + len(parts) + len(old.keys() - new.keys())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
