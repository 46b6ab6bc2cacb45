# What twelve published searches find in a log, counted without masthead: run with `jq -n -S -f hand_count.jq LOG`.
# Gives, by the name of the rule, one object for each row: its count and the fields it is grouped by.

# Fields by their whole name; a name has as many values as it has places.
def flat($name):
  if type == "object" then to_entries[] | .key as $key | .value | flat(if $name == "" then $key else "\($name).\($key)" end)
  elif type == "array" then .[] | flat($name + "{}")
  else {name: $name, value: (if type == "string" then . else tojson end)} end;
def fields: reduce flat("") as $field ({}; .[$field.name] += [$field.value]);

def is($name; $value): any(.[$name][]?; ascii_downcase == ($value | ascii_downcase));
def like($name; $regex): any(.[$name][]?; test($regex; "i"));

# A field that some row has is "0" in the rows that lack it.
def fillnull: (map(keys_unsorted) | add // [] | unique) as $names
  | map(. as $row | reduce $names[] as $name ($row; if has($name) then . else .[$name] = ["0"] end));

# Rows that lack a field fall away; one with several values counts for each.
def group($by): map(. as $row | select(all($by[]; in($row))) | [$by[] as $name | $row[$name]] | [combinations])
  | add // [] | group_by(.) | map({count: length} + ([$by, .[0]] | transpose | map({key: .[0], value: .[1]}) | from_entries));
def renamed: map(with_entries(.key |= ({"sourceIPs{}": "src_ip", "user.username": "user"}[.] // .)));

def who: ["sourceIPs{}", "stage", "user.username", "userAgent", "verb"];
def call: ["objectRef.name", "objectRef.namespace", "objectRef.resource", "requestReceivedTimestamp", "requestURI",
  "responseStatus.code", "user.groups{}", "user.uid"] + who;
def object: ["kind", "objectRef.name", "objectRef.namespace", "objectRef.resource", "requestObject.kind",
  "responseStatus.code"] + who;
def rows($filter; $by): $filter | fillnull | group($by) | renamed;

[inputs | fields] as $log
| ($log | map(select(is("objectRef.resource"; "secrets") and is("verb"; "get")))) as $secrets
| "requestObject.metadata.annotations.kubectl.kubernetes.io/last-applied-configuration" as $applied
| {
  "Kubernetes Node Port Creation": rows($log | map(select(is("objectRef.resource"; "services") and is("verb"; "create")
      and is("requestObject.spec.type"; "NodePort"))); object + ["requestObject.spec.type"]),
  "Kubernetes Access Scanning": ($log | map(select(is("user.groups{}"; "system:unauthenticated")
      and is("responseStatus.code"; "403"))) | group(["sourceIPs{}"]) | map(select(.count > 5)) | renamed),
  "Kubernetes Create or Update Privileged Pod": rows($log | map(select(is("objectRef.resource"; "pods")
      and (is("verb"; "create") or is("verb"; "update")) and like($applied; "\"privileged\":true"))); object + [$applied]),
  "Kubernetes DaemonSet Deployed": rows($log | map(select(is("objectRef.resource"; "daemonsets") and is("verb"; "create")));
      object),
  "Kubernetes Cron Job Creation": rows($log | map(select(is("objectRef.resource"; "cronjobs") and is("verb"; "create")));
      object + ["requestObject.spec.schedule", "requestObject.spec.jobTemplate.spec.template.spec.containers{}.image"]),
  "Kubernetes Pod Created in Default Namespace": rows($log | map(select(is("objectRef.resource"; "pods")
      and is("verb"; "create") and (.["objectRef.namespace"] // [] | any(IN("default", "kube-system", "kube-public")))));
      call),
  "Kubernetes Unauthorized Access": rows($log | map(select(is("verb"; "create") and is("responseStatus.reason"; "Forbidden")));
      (call - ["objectRef.name"]) + ["responseStatus.message"]),
  "Kubernetes Abuse of Secret by Unusual Location": rows($secrets; call),
  "Kubernetes Abuse of Secret by Unusual User Agent": rows($secrets | map(select(is("userAgent"; "Helm/3.13.2") | not)); call),
  "Kubernetes Abuse of Secret by Unusual User Group": rows($secrets | map(select(is("user.groups{}"; "admin") | not)); call),
  "Kubernetes Abuse of Secret by Unusual User Name": rows($secrets | map(select(is("user.username"; "admin") | not)); call),
  "Kubernetes AWS detect suspicious kubectl calls": rows($log | map(select(is("user.username"; "system:anonymous")
      and is("user.groups{}"; "system:unauthenticated"))); call)
}
