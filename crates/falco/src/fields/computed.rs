//! Fields whose value does not stand in the event as it is.
//!
//! The same value is spelled in two ways. A filter over events reads the array it needs by its keys, so that the event is
//! not parsed once more; a stage over rows has no such walks and reads the event's text.

use masthead_ir::expr::{ArithOp, CompareOp, Func};
use masthead_ir::pattern::{Case, Pattern};
use masthead_ir::{Expr, FieldPath, Value};
use masthead_schema::field;

use super::table::Read;
use super::{Access, Place, call};

/// What follows the repository in the name of an image.
pub(super) const BEHIND_REPOSITORY: &str = "[:@].*";

const CONTAINERS: &[&str] = &["requestObject", "spec", "containers"];
const VOLUMES: &[&str] = &["requestObject", "spec", "volumes"];
const SUBJECTS: &[&str] = &["requestObject", "subjects"];

/// Kinds of volumes (Kubernetes API, `Volume`), those of past versions too.
const VOLUME_TYPES: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "persistentVolumeClaim",
    "photonPersistentDisk",
    "portworxVolume",
    "projected",
    "quobyte",
    "rbd",
    "scaleIO",
    "secret",
    "storageos",
    "vsphereVolume",
];

/// Stands for the pod's setting until that is put in.
const OF_THE_POD: &str = "pod";

fn text(text: impl AsRef<str>) -> Expr {
    Expr::Literal(Value::text(text))
}

fn null() -> Expr {
    call(Func::Null, [])
}

/// What a path leads to in a JSON text.
fn extract(json: Expr, path: impl AsRef<str>) -> Expr {
    call(Func::JsonExtract, [json, text(path)])
}

fn is_not_null(value: Expr) -> Expr {
    call(Func::IsNotNull, [value])
}

/// The name of an image without tag and digest. The plugin cuts at the first colon, also at that of a registry's port.
pub(super) fn repository(image: Expr) -> Expr {
    call(Func::Replace, [image, text(format!(r"(?s){BEHIND_REPOSITORY}\z")), text("")])
}

/// The element of an array at a place, or all.
fn step(index: Option<usize>) -> String {
    index.map_or_else(|| "{}".to_owned(), |index| format!("{{{index}}}"))
}

/// Builds values.
pub(super) struct Reader {
    place: Place,
}

impl Reader {
    pub(super) fn new(place: Place) -> Reader {
        Reader { place }
    }

    /// The field of which a part of the event is read.
    fn base(&self, keys: &[&str]) -> FieldPath {
        match self.place {
            Place::Event => FieldPath::keys(keys),
            Place::Row => FieldPath::flat("_raw"),
        }
    }

    /// What a path leads to from a part of the event.
    fn below(&self, keys: &[&str], path: &str) -> Expr {
        let base = Expr::Field(self.base(keys));
        match self.place {
            Place::Event if path.is_empty() => base,
            Place::Event => extract(base, path),
            Place::Row => call(Func::Spath, [base, text(format!("{}{path}", keys.join(".")))]),
        }
    }

    /// A part of the event, objects as JSON text.
    pub(super) fn json_access(&self, keys: &[&str]) -> Access {
        match self.place {
            Place::Event => Access::at(FieldPath::keys(keys)),
            Place::Row => Access::computed(self.below(keys, "")),
        }
    }

    /// What `value` makes of each element that a path leads to from an array; those of which it makes null are left out.
    fn each(&self, array: &[&str], path: &str, value: impl Fn(Expr) -> Expr) -> Expr {
        // The field of the list stands for one element in the second argument.
        let element = Expr::Field(self.base(array));
        call(Func::MvMap, [self.below(array, path), value(element)])
    }

    /// The value of a field without a key.
    pub(super) fn value(&self, read: &Read, index: Option<usize>) -> Expr {
        let step = step(index);
        match *read {
            Read::At(path) => Expr::Field(field(path)),
            Read::Json(keys) => self.below(keys, ""),
            Read::Each { array, rest } => self.elements(array, &step, rest),
            Read::First { array, rest } => self.elements(array, "{0}", rest),
            Read::Elements { array } => self.below(array, "{}"),
            Read::Repository { array } => repository(self.elements(array, &step, "image")),
            Read::FirstRepository { array } => repository(self.elements(array, "{0}", "image")),
            Read::Joined { array, rest } => self
                .each(array, &step, |element| call(Func::MvJoin, [extract(element, format!("{rest}{{}}")), text(" ")])),
            Read::HostPorts { array } => self.each(array, &format!("{step}.ports{{}}"), |port| {
                // With the host's network, a container's port is one of the host.
                call(Func::Coalesce, [extract(port.clone(), "hostPort"), extract(port, "containerPort")])
            }),
            Read::Effective { array, rest } => self.effective(array, &step, rest),
            Read::AnyPrivileged => self.any_privileged(),
            Read::VolumeTypes => self.volume_types(&step),
            Read::Subjects { kind, with_namespace } => self.subjects(kind, with_namespace),
            Read::PodName => pod_name(),
            Read::Whole => Expr::Field(FieldPath::flat("_raw")),
            Read::RawTime => raw_time(),
            Read::Constant(value) => text(value),
            // They need a key.
            Read::HasHostPath | Read::UriParameter | Read::Pointer => null(),
        }
    }

    /// What elements of an array have. A list that they have gives its members.
    fn elements(&self, array: &[&str], step: &str, rest: &str) -> Expr {
        let path = format!("{step}.{rest}");
        // A list reads as JSON text, its members as such.
        call(Func::Coalesce, [self.below(array, &format!("{path}{{}}")), self.below(array, &path)])
    }

    /// The value of a field with a key.
    pub(super) fn keyed(&self, read: &Read, key: &str) -> Access {
        match read {
            Read::Pointer => self.pointer(key),
            Read::UriParameter => Access::computed(uri_parameter(key)),
            Read::HasHostPath => Access::computed(self.has_host_path(key)),
            other => Access::computed(self.value(other, None)),
        }
    }

    /// The setting of each container, where it has none that of the pod, else 0.
    fn effective(&self, array: &[&str], step: &str, setting: &str) -> Expr {
        let own = self.each(array, step, |container| {
            call(Func::Coalesce, [extract(container, format!("securityContext.{setting}")), text(OF_THE_POD)])
        });
        let pod = self.below(&["requestObject", "spec", "securityContext", setting], "");
        let pod = call(Func::Coalesce, [pod, text("0")]);
        call(Func::Replace, [own, text(format!(r"\A{OF_THE_POD}\z")), pod])
    }

    /// `true` or `false` for a request that has containers.
    fn any_privileged(&self) -> Expr {
        let pattern = Pattern::Text { text: "true".to_owned(), case: Case::Sensitive, numeric: false };
        let path = field("requestObject.spec.containers.securityContext.privileged");
        self.truth_if(CONTAINERS, Expr::Test { field: path, pattern })
    }

    /// `true` or `false` for a request that has volumes. A star at the end of the path stands for anything.
    fn has_host_path(&self, path: &str) -> Expr {
        let case = Case::Sensitive;
        let pattern = match path.strip_suffix('*') {
            Some(start) => Pattern::Prefix { text: start.to_owned(), case },
            None => Pattern::Text { text: path.to_owned(), case, numeric: false },
        };
        self.truth_if(VOLUMES, Expr::Test { field: field("requestObject.spec.volumes.hostPath.path"), pattern })
    }

    /// A truth as text, null if a part of the event is not there.
    fn truth_if(&self, keys: &[&str], truth: Expr) -> Expr {
        let there = is_not_null(self.below(keys, ""));
        call(Func::Case, [truth, text("true"), there, text("false")])
    }

    /// A volume's kind is the key beside its name. An expression cannot ask for keys, only whether one is there.
    fn volume_types(&self, step: &str) -> Expr {
        let kinds = VOLUME_TYPES.iter().map(|kind| {
            let there = is_not_null(self.below(VOLUMES, &format!("{step}.{kind}")));
            call(Func::If, [there, text(kind), null()])
        });
        call(Func::MvAppend, kinds)
    }

    fn subjects(&self, kind: &str, with_namespace: bool) -> Expr {
        self.each(SUBJECTS, "{}", |subject| {
            let is_kind = Expr::Compare {
                op: CompareOp::Eq,
                left: Box::new(extract(subject.clone(), "kind")),
                right: Box::new(text(kind)),
            };
            let name = extract(subject.clone(), "name");
            let concat = |left: Expr, right: Expr| Expr::Arith {
                op: ArithOp::Concat,
                left: Box::new(left),
                right: Box::new(right),
            };
            let name =
                if with_namespace { concat(concat(extract(subject, "namespace"), text(":")), name) } else { name };
            call(Func::If, [is_kind, name, null()])
        })
    }

    /// What a JSON pointer (RFC 6901) leads to: a number in it may be the place of an element.
    fn pointer(&self, pointer: &str) -> Access {
        let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
        let keys: Vec<String> = pointer.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let is_place = |key: &&str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit());
        let dotted = keys.join(".");
        if masthead_schema::field::SCALARS.contains(&dotted.as_str()) {
            return Access::at(field(&dotted));
        }
        let Some(first) = keys.iter().position(is_place).filter(|first| *first > 0) else {
            return self.json_access(&keys);
        };
        let (array, rest) = keys.split_at(first);
        let mut path = String::new();
        for key in rest {
            let separator = if path.is_empty() { "" } else { "." };
            path.push_str(&if is_place(key) { format!("{{{key}}}") } else { format!("{separator}{key}") });
        }
        let mut ways = vec![self.below(array, &path)];
        if self.place == Place::Event && rest.len() == 1 {
            // An array of scalars that is read by keys is a list already.
            let place = rest.first().and_then(|key| key.parse::<i64>().ok()).unwrap_or(i64::MAX);
            ways.push(call(Func::MvIndex, [self.below(array, ""), Expr::Literal(Value::Int(place))]));
        }
        Access::computed(call(Func::Coalesce, ways))
    }
}

/// The name in the answer, for a request about a pod itself.
fn pod_name() -> Expr {
    let case = Case::Sensitive;
    let pods = Pattern::Text { text: "pods".to_owned(), case, numeric: false };
    let is_pod = Expr::Test { field: field("objectRef.resource"), pattern: pods };
    let some = Pattern::Regex("(?s).".to_owned());
    let below = Expr::Test { field: field("objectRef.subresource"), pattern: some };
    let itself = Expr::And(vec![is_pod, Expr::Not(Box::new(below))]);
    call(Func::If, [itself, Expr::Field(field("responseObject.metadata.name")), null()])
}

fn raw_time() -> Expr {
    let seconds = Box::new(Expr::Field(FieldPath::flat("_time")));
    let nanoseconds = Box::new(Expr::Literal(Value::Int(1_000_000_000)));
    Expr::Arith { op: ArithOp::Mul, left: seconds, right: nanoseconds }
}

/// The first value of a parameter in the query of the request's address.
fn uri_parameter(key: &str) -> Expr {
    let key: String = key.chars().map(written_in_query).collect();
    let expression = format!(r"(?s)\A[^?#]*\?(?:[^#&]*&)*?{key}(?:=([^&#]*))?(?:[&#].*)?\z");
    let uri = || Expr::Field(field("requestURI"));
    let value = call(Func::Replace, [uri(), text(&expression), text(r"\1")]);
    let blanks = call(Func::Replace, [value, text(r"\+"), text(" ")]);
    let found = call(Func::Match, [uri(), text(expression)]);
    call(Func::If, [found, call(Func::UrlDecode, [blanks]), null()])
}

/// The ways in which a query may spell a character, as a regular expression.
fn written_in_query(char: char) -> String {
    let mut bytes = [0; 4];
    let plain = char.encode_utf8(&mut bytes);
    if char.is_ascii_alphanumeric() {
        return plain.to_owned();
    }
    let literal = regex::escape(plain);
    let escaped: String = plain.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let blank = if char == ' ' { r"|\+" } else { "" };
    format!("(?:{literal}|(?i:{escaped}){blank})")
}
