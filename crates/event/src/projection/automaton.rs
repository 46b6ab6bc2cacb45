//! The paths compiled to an automaton over the keys of an object.
//!
//! A state is the set of what remains to be read of each path. A flat name does not tell where its keys end, so each
//! of its possible splits is an edge: keys are known, hence the states are finite and made in advance.

use std::collections::HashMap;

use crate::path::FieldPath;

/// No state.
pub(super) const NONE: u32 = u32::MAX;

/// How many ends of keys are looked at in one flat name: the number of edges grows with its square.
pub(crate) const MAX_SPLITS: usize = 64;

/// A state, by its number; 0 is the root.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The next state by key.
    pub(super) members: Members,
    /// The state of an array's elements, or [`NONE`].
    pub(super) element: u32,
    /// Slots of flat paths that end here.
    pub(super) flat: Box<[u32]>,
    /// Slots of walks by keys that end here.
    pub(super) keys: Box<[u32]>,
}

/// What remains to be read of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Rest {
    /// All of a flat name.
    Whole { slot: u32 },
    /// A flat name from an offset, at which a key or an array level has just ended.
    Flat { slot: u32, from: usize },
    /// The keys of a walk from an index.
    Keys { slot: u32, from: usize },
}

/// Compiles `paths`, whose indices are the slots.
pub(super) fn compile(paths: &[FieldPath]) -> Vec<State> {
    let root = (0u32..).zip(paths).map(|(slot, path)| match path {
        FieldPath::Flat(_) | FieldPath::Dotted(_) => Rest::Whole { slot },
        FieldPath::Keys(_) => Rest::Keys { slot, from: 0 },
    });
    let mut builder = Builder { paths, numbers: HashMap::new(), waiting: Vec::new() };
    builder.number(root.collect());
    let mut states = Vec::new();
    while let Some(rests) = builder.waiting.get(states.len()).cloned() {
        let state = builder.state(&rests);
        states.push(state);
    }
    states
}

struct Builder<'a> {
    paths: &'a [FieldPath],
    numbers: HashMap<Vec<Rest>, u32>,
    waiting: Vec<Vec<Rest>>,
}

impl Builder<'_> {
    fn number(&mut self, mut rests: Vec<Rest>) -> u32 {
        rests.sort_unstable();
        rests.dedup();
        if let Some(number) = self.numbers.get(&rests) {
            return *number;
        }
        let number = self.waiting.len() as u32;
        self.numbers.insert(rests.clone(), number);
        self.waiting.push(rests);
        number
    }

    fn state(&mut self, rests: &[Rest]) -> State {
        let (mut flat, mut keys, mut elements) = (Vec::new(), Vec::new(), Vec::new());
        let mut exact: Vec<(String, Rest)> = Vec::new();
        let mut folded: Vec<(String, Rest)> = Vec::new();
        for rest in rests {
            match *rest {
                Rest::Whole { slot } => {
                    let name = self.name(slot);
                    exact.extend(splits(name, 0).map(|end| (name[..end].to_owned(), Rest::Flat { slot, from: end })));
                    if name.starts_with("{}") {
                        elements.push(Rest::Flat { slot, from: 2 });
                    }
                }
                Rest::Flat { slot, from } => {
                    let name = self.name(slot);
                    if self.is_dotted(slot) {
                        // Arrays are passed through, however deep.
                        elements.push(Rest::Flat { slot, from });
                    }
                    let rest = &name[from..];
                    if rest.is_empty() {
                        flat.push(slot);
                    } else if rest.starts_with('.') {
                        let start = from + 1;
                        exact.extend(
                            splits(name, start)
                                .map(|end| (name[start..end].to_owned(), Rest::Flat { slot, from: end })),
                        );
                    } else if rest.starts_with("{}") {
                        elements.push(Rest::Flat { slot, from: from + 2 });
                    }
                }
                Rest::Keys { slot, from } => match self.walk(slot).get(from) {
                    None => keys.push(slot),
                    Some(key) => folded.push((key.to_ascii_lowercase(), Rest::Keys { slot, from: from + 1 })),
                },
            }
        }
        State {
            members: self.members(exact, folded),
            element: if elements.is_empty() { NONE } else { self.number(elements) },
            flat: flat.into(),
            keys: keys.into(),
        }
    }

    fn members(&mut self, exact: Vec<(String, Rest)>, folded: Vec<(String, Rest)>) -> Members {
        let mut by_key: HashMap<(bool, String), Vec<Rest>> = HashMap::new();
        for (key, rest) in &exact {
            by_key.entry((false, key.clone())).or_default().push(*rest);
        }
        for (key, rest) in folded {
            for (wanted, _) in exact.iter().filter(|(wanted, _)| wanted.eq_ignore_ascii_case(&key)) {
                by_key.entry((false, wanted.clone())).or_default().push(rest);
            }
            by_key.entry((true, key)).or_default().push(rest);
        }
        let mut edges: Vec<_> = by_key.into_iter().collect();
        edges.sort_unstable();
        let edges = edges.into_iter().map(|((folded, key), rests)| Edge {
            key: key.into_bytes().into(),
            folded,
            state: self.number(rests),
        });
        Members::new(edges.collect())
    }

    fn name(&self, slot: u32) -> &str {
        match self.paths.get(slot as usize) {
            Some(FieldPath::Flat(name) | FieldPath::Dotted(name)) => name,
            _ => "",
        }
    }

    fn is_dotted(&self, slot: u32) -> bool {
        matches!(self.paths.get(slot as usize), Some(FieldPath::Dotted(_)))
    }

    fn walk(&self, slot: u32) -> &[std::sync::Arc<str>] {
        match self.paths.get(slot as usize) {
            Some(FieldPath::Keys(keys)) => keys,
            _ => &[],
        }
    }
}

/// Where a key that begins at `start` may end.
fn splits(name: &str, start: usize) -> impl Iterator<Item = usize> {
    let inner = name[start..]
        .char_indices()
        .filter(move |(at, c)| *c == '.' || (*c == '{' && name[start + at..].starts_with("{}")))
        .map(move |(at, _)| start + at)
        .take(MAX_SPLITS);
    inner.chain([name.len()])
}

#[derive(Debug, Clone)]
struct Edge {
    key: Box<[u8]>,
    /// Whether the ASCII case of the key does not count.
    folded: bool,
    state: u32,
}

/// The states by key: open addressing over a hash of the key's ends and length, compared in full.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// The hash and the index in `edges`, or [`NONE`]. A power of two long, or empty.
    table: Box<[(u32, u32)]>,
    edges: Box<[Edge]>,
}

impl Members {
    fn new(edges: Vec<Edge>) -> Members {
        if edges.is_empty() {
            return Members::default();
        }
        let size = (edges.len() * 4).next_power_of_two();
        let mut table = vec![(0, NONE); size];
        for (index, edge) in (0u32..).zip(&edges) {
            let hash = hash(&edge.key);
            let mut place = hash as usize & (size - 1);
            while table[place].1 != NONE {
                place = (place + 1) & (size - 1);
            }
            table[place] = (hash, index);
        }
        Members { table: table.into(), edges: edges.into() }
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The state after `key`, or [`NONE`]. A key spelt as in a flat name goes before the same key in another case.
    #[inline(always)]
    pub(super) fn get(&self, key: &[u8]) -> u32 {
        let hash = hash(key);
        let mut place = hash as usize;
        let mut found = NONE;
        let mask = self.table.len().wrapping_sub(1);
        while let Some((stored, index)) = self.table.get(place & mask) {
            let Some(edge) = self.edges.get(*index as usize) else { break };
            if *stored == hash {
                if edge.folded {
                    if edge.key.eq_ignore_ascii_case(key) {
                        found = edge.state;
                    }
                } else if *edge.key == *key {
                    return edge.state;
                }
            }
            place += 1;
        }
        found
    }
}

/// A hash that is the same for keys that differ only in ASCII case.
#[inline(always)]
fn hash(key: &[u8]) -> u32 {
    let (first, last) = if let (Some(first), Some(last)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else {
        let byte = |place: Option<&u8>| u64::from(place.copied().unwrap_or_default());
        (byte(key.first()) | (byte(key.get(1)) << 8), byte(key.last()))
    };
    let case = 0x2020_2020_2020_2020;
    let mixed = (first | case).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (last | case).wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(29)
        ^ (key.len() as u64).wrapping_mul(0x1656_67b1_9e37_79f9);
    (mixed >> 32) as u32
}
