"""Runs one rule over one log record and tells what it says.

`judge` is the one function that the host calls. Everything of one record happens in this one call, because rules keep
variables between `rule` and `title`.
"""

from collections.abc import Mapping

from panther_core.enriched_event import PantherEvent
from panther_core.immutable import held
from unittest.mock import MagicMock

_LIMIT = 1000
_TRUNCATED = "... (truncated)"
_MAX_DESTINATIONS = 10
_SEVERITIES = {
    "INFO": "informational",
    "INFORMATIONAL": "informational",
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "CRITICAL": "critical",
}
_KUBERNETES_LOG_TYPE = "Amazon.EKS.Audit"
_ENTITIES = {
    "p_any_usernames": "user",
    "p_any_emails": "email_address",
    "p_any_ip_addresses": "ip_address",
    "p_any_domain_names": "domain",
    "p_any_aws_arns": "aws_arn",
    "p_any_aws_account_ids": "aws_account",
    "p_any_md5_hashes": "file_hash",
    "p_any_sha1_hashes": "file_hash",
    "p_any_sha256_hashes": "file_hash",
}
_models = {}


def judge(module, event, envelope, config):
    """The verdict of a rule's module over an event; plain JSON values in and out."""
    errors = []
    verdict = {"matched": False, "errors": errors}
    saved = _put_mocks(module, config.get("mocks") or ())
    try:
        record = event if isinstance(event, dict) else {"value": event}
        if envelope:
            record = _with_standard_fields(record, envelope, config)
        view = PantherEvent(record, _data_model(record.get("p_log_type"), config, errors))
        matched = _call(module, "rule", view, errors, bool)
        verdict["matched"] = bool(matched)
        if matched:
            _describe(module, view, config, verdict, errors)
            verdict["summary"] = {name: _summed_up(record, name) for name in config.get("summary") or ()}
            verdict["entities"] = [
                (kind, value) for name, kind in _ENTITIES.items() for value in _strings(record.get(name))[:_LIMIT]
            ]
    finally:
        for name, existed, value in reversed(saved):
            if existed:
                setattr(name[0], name[1], value)
            elif hasattr(*name):
                delattr(*name)
    return verdict


def _describe(module, view, config, verdict, errors):
    """Calls the optional functions of a rule that matched; what is missing or fails falls back to the rule's file."""
    fallback = config.get("display_name") or config.get("rule_id") or ""
    title = _text(module, "title", view, errors)
    title = _cut(title or fallback)
    dedup = _text(module, "dedup", view, errors)
    verdict["title"] = title
    verdict["dedup"] = _cut(dedup) if dedup else title
    verdict["severity"] = _severity(module, view, config, errors)
    for name in ("description", "reference", "runbook"):
        text = _text(module, name, view, errors)
        if text is None or text == "DEFAULT":
            text = config.get(name) or None
        verdict[name] = text if text is None else _cut(text)
    verdict["destinations"] = _destinations(module, view, config, errors)
    context = _call(module, "alert_context", view, errors, _json_object)
    if context is not None:
        verdict["context"] = context


def _call(module, name, view, errors, read):
    """What `read` makes of a function's result; None if there is no such function or one of them raises."""
    function = getattr(module, name, None)
    if function is None:
        return None
    try:
        return read(function(view))
    except Exception as error:
        errors.append({"function": name, "message": _message(error), "line": _line(module, error)})
        return None


def _message(error):
    try:
        text = str(error)
    except Exception:
        text = ""
    name = type(error).__name__
    return _cut(f"{name}: {text}" if text else name)


def _line(module, error):
    """The deepest line of the rule's own program that the exception passed; 0 if none."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == module.__name__:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _string(value):
    if not isinstance(value, str):
        raise TypeError(f"the function returned {type(value).__name__}, expected str")
    return value


def _text(module, name, view, errors):
    return _call(module, name, view, errors, _string)


def _cut(text):
    return text if len(text) <= _LIMIT else text[: _LIMIT - len(_TRUNCATED)] + _TRUNCATED


def _severity(module, view, config, errors):
    static = config.get("severity")

    def known(value):
        name = _string(value).upper()
        if name == "DEFAULT":
            return static
        if name not in _SEVERITIES:
            raise ValueError(f"the function returned {value!r}, expected a severity or DEFAULT")
        return _SEVERITIES[name]

    return _call(module, "severity", view, errors, known) or static


def _destinations(module, view, config, errors):
    def names(value):
        if value is None or value == "DEFAULT":
            return None
        if isinstance(value, str) or isinstance(value, Mapping):
            raise TypeError(f"the function returned {type(value).__name__}, expected a list of str")
        listed = [_string(member) for member in value]
        return [] if listed == ["SKIP"] else listed[:_MAX_DESTINATIONS]

    found = _call(module, "destinations", view, errors, names)
    return config.get("destinations") if found is None else found


def _json_object(value):
    plain = _plain(value)
    if not isinstance(plain, dict):
        raise TypeError(f"the function returned {type(value).__name__}, expected a mapping")
    return plain


def _plain(value):
    """A value as JSON has it; TypeError for what JSON has no form for."""
    value = held(value)
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _key(key):
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, (int, float)):
        return str(key)
    raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")


def _put_mocks(module, mocks):
    """Puts mock objects that return a value in the place of names; returns what stood there."""
    saved = []
    for path, value in mocks:
        target, name = module, path
        owner, dot, last = path.rpartition(".")
        if dot:
            for step in owner.split("."):
                target = getattr(target, step, None)
            name = last
            if target is None:
                try:
                    target = __import__(owner, fromlist=["*"])
                except ImportError:
                    target, name = module, path
        saved.append(((target, name), name in vars(target), vars(target).get(name)))
        setattr(target, name, MagicMock(name=path, return_value=value))
    return saved


def _data_model(log_type, config, errors):
    """The data model of a log type: name to ("path", keys) or ("method", function)."""
    described = (config.get("data_models") or {}).get(log_type)
    if not described:
        return None
    ready = _models.get(log_type)
    if ready is not None and ready[0] == described:
        return ready[1]
    model = {}
    module = None
    for name, path, method in described.get("mappings") or ():
        if path is not None:
            model[name] = ("path", tuple(path))
            continue
        if module is None:
            try:
                module = __import__(described["module"], fromlist=["*"])
            except Exception as error:
                errors.append({"function": "udm", "message": _message(error), "line": 0})
                return model
        function = getattr(module, method, None)
        if function is not None:
            model[name] = ("method", function)
    _models[log_type] = (described, model)
    return model


def _with_standard_fields(record, envelope, config):
    """The record with the fields that the platform adds to every record, where it lacks them."""
    log_type = record.get("p_log_type") or envelope.get("log_type") or _guess_log_type(record, config)
    time = _platform_time(record.get("requestReceivedTimestamp") or record.get("stageTimestamp"))
    source = envelope.get("source") or ""
    fields = {
        "p_log_type": log_type,
        "p_event_time": time,
        "p_parse_time": _platform_time(record.get("stageTimestamp")) or time,
        "p_row_id": envelope.get("row_id"),
        "p_source_id": source or None,
        "p_source_label": envelope.get("label") or envelope.get("cluster") or source or None,
    }
    if log_type == _KUBERNETES_LOG_TYPE:
        fields.update(_kubernetes_indicators(record))
    added = {name: value for name, value in fields.items() if value and name not in record}
    return {**record, **added} if added else record


def _guess_log_type(record, config):
    api_version = record.get("apiVersion")
    if isinstance(api_version, str) and api_version.startswith("audit.k8s.io/"):
        return _KUBERNETES_LOG_TYPE
    log_types = config.get("log_types") or ()
    return log_types[0] if len(log_types) == 1 else None


def _platform_time(text):
    """A time as the platform writes it: `2022-11-29 00:09:04.380000000`; None if it is no RFC 3339 text in UTC."""
    if not isinstance(text, str) or len(text) < 19:
        return None
    day, clock = text[:10], text[11:].rstrip("Z")
    whole, _, fraction = clock.partition(".")
    if len(whole) != 8 or not (fraction == "" or fraction.isdigit()):
        return None
    return f"{day} {whole}.{fraction[:9]:0<9}"


def _kubernetes_indicators(record):
    """Indicators of a Kubernetes audit record: addresses, users, and what AWS put into the user's extra fields."""
    user = _mapping(record.get("user"))
    extra = _mapping(user.get("extra"))
    arns = {arn for name in ("arn", "canonicalArn") for arn in _strings(extra.get(name)) if arn.startswith("arn:")}
    accounts = {arn.split(":")[4] for arn in arns if arn.count(":") >= 5}
    uid = user.get("uid")
    if isinstance(uid, str) and uid.startswith("aws-iam-authenticator:"):
        accounts.add(uid.split(":")[1])
    users = set(_strings(user.get("username")))
    users.update(_strings(_mapping(record.get("impersonatedUser")).get("username")))
    return {
        "p_any_ip_addresses": sorted(set(_strings(record.get("sourceIPs")))),
        "p_any_usernames": sorted(users),
        "p_any_aws_arns": sorted(arns),
        "p_any_aws_account_ids": sorted(account for account in accounts if len(account) == 12 and account.isdigit()),
    }


def _summed_up(record, name):
    """The values of a summary attribute: a field, or a path whose steps are set apart by `:` or `.`."""
    found = record.get(name)
    for separator in ":.":
        if found is None and separator in name:
            found = record
            for step in name.split(separator):
                found = _mapping(found).get(step)
    members = found if isinstance(found, list) else [found]
    scalars = (member for member in members if isinstance(member, (str, int, float)))
    return [str(member)[:_LIMIT] for member in scalars][:_LIMIT]


def _mapping(value):
    return value if isinstance(value, dict) else {}


def _strings(value):
    members = value if isinstance(value, list) else [value]
    return [member for member in members if isinstance(member, str) and member]
