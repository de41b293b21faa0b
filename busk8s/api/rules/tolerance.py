"""What a pod's rules let pass because the stored object has it already.

Owns      the names of the rules that came later than objects that break them.
Leaves    finding out what a stored object breaks (ratcheting).
Invariant a rule is let pass only where the old object broke that same rule.
Source    Kubernetes' "ratcheting" of pod validation; PodValidationOptions of core validation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Tolerance:
    """
    selector_values   label values in selectors of pod affinity, and of the workload itself.
    node_values       label values in required node affinity.
    spread_selectors  any selector of a topology spread constraint.
    spread_keys       `matchLabelKeys` of those.
    token_paths       paths of projected tokens that leave their volume.
    huge_pages        amounts that are no multiple of the page's size.
    host_sysctls      sysctls of a namespace the pod shares with its host.
    deletion_cost     a deletion cost that is no number.
    init_restart      init containers that are to be restarted on resize.
    shared_devices    block devices in a user namespace.
    """

    selector_values: bool = False
    node_values: bool = False
    spread_selectors: bool = False
    spread_keys: bool = False
    token_paths: bool = False
    huge_pages: bool = False
    host_sysctls: bool = False
    deletion_cost: bool = False
    init_restart: bool = False
    shared_devices: bool = False

    def with_selector_values(self) -> Tolerance:
        return replace(self, selector_values=True)


STRICT = Tolerance()
