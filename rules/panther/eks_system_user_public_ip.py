"""A name that only the cluster itself should use, calling from a public address."""

from ipaddress import ip_address

NODE_GROUPS = {"system:nodes", "system:authenticated"}


def is_public(text):
    try:
        return ip_address(text).is_global
    except ValueError:
        return False


def from_amazon(event, caller):
    """Whether the caller's own address, and not one that the request is about, belongs to Amazon."""
    tables = event.get("p_enrichment") or {}
    for row in (tables.get("ipinfo_asn") or {}).get("sourceIPs") or []:
        if row.get("p_match") == caller and row.get("domain") in ("amazon.com", "amazonaws.com"):
            return True
    for rows in (tables.get("MISP Warning Lists") or {}).values():
        for row in rows:
            lists = row.get("warning_lists") or []
            if row.get("p_match") == caller and any("aws" in (named.get("id") or "") for named in lists):
                return True
    return False


def rule(event):
    username = event.deep_get("user", "username", default="")
    if not username.startswith(("system:", "eks:")):
        return False
    if event.get("stage") != "ResponseComplete":
        return False
    if event.deep_get("responseStatus", "code") == 403:
        return False
    # The add-on manager runs in a Lambda function outside of the cluster's network.
    if username == "eks:addon-manager":
        return False
    addresses = event.get("sourceIPs", [])
    if not addresses or not is_public(addresses[0]):
        return False
    is_node = NODE_GROUPS <= set(event.deep_get("user", "groups", default=[]))
    return not (is_node and from_amazon(event, addresses[0]))


def title(event):
    username = event.deep_get("user", "username")
    return f"[{username}] called from the public address [{event.get('sourceIPs')[0]}]"


def dedup(event):
    return event.deep_get("user", "username")
