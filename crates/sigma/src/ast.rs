//! A rule as it is written: what processing pipelines change before it is compiled.

use std::ops::Range;

use masthead_rulefile::{Node, NodeValue, Scalar};

use crate::text::SigmaText;

/// A value of a detection item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SigmaValue {
    Text(SigmaText),
    /// A number, as written.
    Number(String),
    Bool(bool),
    Null,
    /// A list or mapping, which no value can be.
    Collection,
}

/// One field, keyword list or nested group of a search identifier.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The field; none for keywords.
    pub(crate) field: Option<String>,
    /// Modifiers in the order in which they are written.
    pub(crate) modifiers: Vec<String>,
    pub(crate) values: Vec<Valued>,
    /// The bytes of the key in the file, or of the value where there is no key.
    pub(crate) span: Range<usize>,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Valued {
    pub(crate) value: SigmaValue,
    pub(crate) span: Range<usize>,
}

/// A search identifier, or a part of one.
#[derive(Debug, Clone)]
pub(crate) enum Detection {
    Item(Item),
    All(Vec<Detection>),
    Any(Vec<Detection>),
}

impl Detection {
    /// Reads what stands under a search identifier.
    pub(crate) fn read(node: &Node) -> Detection {
        match &node.value {
            NodeValue::Mapping(entries) => {
                Detection::All(entries.iter().map(|(key, value)| Detection::Item(Item::read(key, value))).collect())
            }
            NodeValue::Sequence(items) => {
                let scalar = |item: &Node| matches!(item.value, NodeValue::Scalar(..));
                if items.iter().all(scalar) {
                    return Detection::Item(Item::keywords(node));
                }
                Detection::Any(items.iter().map(Detection::read).collect())
            }
            NodeValue::Scalar(..) => Detection::Item(Item::keywords(node)),
        }
    }

    /// Whether a part of it is an empty list or mapping.
    pub(crate) fn is_hollow(&self) -> bool {
        match self {
            Detection::Item(item) => item.field.is_none() && item.values.is_empty(),
            Detection::All(parts) | Detection::Any(parts) => parts.is_empty() || parts.iter().any(Detection::is_hollow),
        }
    }

    /// Whether some item meets a test.
    pub(crate) fn any_item(&self, test: &dyn Fn(&Item) -> bool) -> bool {
        match self {
            Detection::Item(item) => test(item),
            Detection::All(parts) | Detection::Any(parts) => parts.iter().any(|part| part.any_item(test)),
        }
    }

    /// Replaces every item by what `change` makes of it; none: it goes.
    pub(crate) fn replace_items(self, change: &mut dyn FnMut(Item) -> Option<Detection>) -> Option<Detection> {
        match self {
            Detection::Item(item) => change(item),
            Detection::All(parts) => {
                let parts: Vec<Detection> = parts.into_iter().filter_map(|part| part.replace_items(change)).collect();
                (!parts.is_empty()).then_some(Detection::All(parts))
            }
            Detection::Any(parts) => {
                let parts: Vec<Detection> = parts.into_iter().filter_map(|part| part.replace_items(change)).collect();
                (!parts.is_empty()).then_some(Detection::Any(parts))
            }
        }
    }
}

impl Item {
    fn read(key: &Node, value: &Node) -> Item {
        let mut names = key.text().unwrap_or_default().split('|');
        let field = names.next().filter(|name| !name.is_empty()).map(str::to_owned);
        let listed = matches!(value.value, NodeValue::Sequence(_));
        let values = if listed { value.items().iter().map(valued).collect() } else { vec![valued(value)] };
        Item { field, modifiers: names.map(str::to_owned).collect(), values, span: key.span.clone() }
    }

    fn keywords(node: &Node) -> Item {
        let listed = matches!(node.value, NodeValue::Sequence(_));
        let values = if listed { node.items().iter().map(valued).collect() } else { vec![valued(node)] };
        Item { field: None, modifiers: Vec::new(), values, span: node.span.clone() }
    }
}

fn valued(node: &Node) -> Valued {
    let value = match &node.value {
        NodeValue::Scalar(_, Scalar::Null) => SigmaValue::Null,
        NodeValue::Scalar(_, Scalar::Bool(truth)) => SigmaValue::Bool(*truth),
        NodeValue::Scalar(text, Scalar::Int(_) | Scalar::Float(_)) => SigmaValue::Number(text.clone()),
        NodeValue::Scalar(text, Scalar::Text) => SigmaValue::Text(SigmaText::parse(text)),
        NodeValue::Sequence(_) | NodeValue::Mapping(_) => SigmaValue::Collection,
    };
    Valued { value, span: node.span.clone() }
}

/// Where the events of a rule come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LogSource {
    pub(crate) category: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) service: Option<String>,
}

impl LogSource {
    pub(crate) fn read(node: &Node) -> LogSource {
        let of = |key: &str| node.get(key).and_then(Node::text).map(|text| text.trim().to_ascii_lowercase());
        LogSource { category: of("category"), product: of("product"), service: of("service") }
    }

    /// Whether everything that this one says is said by the other, too.
    pub(crate) fn covers(&self, other: &LogSource) -> bool {
        let covered = |own: &Option<String>, other: &Option<String>| own.is_none() || own == other;
        covered(&self.category, &other.category)
            && covered(&self.product, &other.product)
            && covered(&self.service, &other.service)
    }

    /// Whether its events are Kubernetes audit events.
    pub(crate) fn is_kubernetes_audit(&self) -> bool {
        self.product.as_deref() == Some("kubernetes")
            && self.service.as_deref().is_none_or(|service| service == "audit")
            || self.category.as_deref() == Some("kubernetes") && self.service.as_deref() == Some("audit")
    }

    /// The log type of its events: what it says, joined by dots (`windows.process_creation`, `aws.cloudtrail`).
    pub(crate) fn log_type(&self) -> String {
        let parts = [&self.product, &self.category, &self.service];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(".")
    }
}
