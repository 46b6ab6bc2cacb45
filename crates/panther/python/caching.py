"""The key-value store that rules share, in memory and only for this run.

Time is not watched: what is put stays until it is replaced, reset or deleted, since a scan of past records has no clock
of its own.
"""

_counters = {}
_strings = {}
_dictionaries = {}


def monitor(func):
    """Measures a function in a live system; here it changes nothing."""
    return func


def get_counter(key, force_ttl_check=False):
    return _counters.get(key, 0)


def increment_counter(key, val=1, epoch_seconds=None):
    _counters[key] = _counters.get(key, 0) + val
    return _counters[key]


def reset_counter(key):
    _counters.pop(key, None)


def set_key_expiration(key, epoch_seconds):
    return None


def get_string_set(key, force_ttl_check=False):
    return set(_strings.get(key, ()))


def put_string_set(key, val, epoch_seconds=None):
    _strings[key] = {val} if isinstance(val, str) else {str(member) for member in val}


def add_to_string_set(key, val, epoch_seconds=None):
    members = {val} if isinstance(val, str) else {str(member) for member in val}
    _strings[key] = get_string_set(key) | members
    return get_string_set(key)


def remove_from_string_set(key, val, epoch_seconds=None):
    members = {val} if isinstance(val, str) else {str(member) for member in val}
    _strings[key] = get_string_set(key) - members
    return get_string_set(key)


def reset_string_set(key):
    _strings.pop(key, None)


def get_dictionary(key, force_ttl_check=False):
    return dict(_dictionaries.get(key, {}))


def put_dictionary(key, val, epoch_seconds=None):
    if not isinstance(val, dict):
        raise TypeError("put_dictionary: value is not a dictionary")
    _dictionaries[key] = dict(val)


def evaluate_threshold(key, threshold=10, expiry_seconds=3600):
    if increment_counter(key) >= threshold:
        reset_counter(key)
        return True
    return False


def check_account_age(key):
    """Whether an account was put into the store as new."""
    return bool(isinstance(key, str) and get_string_set(key))
