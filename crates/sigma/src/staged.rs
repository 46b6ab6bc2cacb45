//! Values on their way through modifiers that change or encode them (Sigma specification 2.1, "Modifiers").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ast::{SigmaValue, Valued};
use crate::problem::Problem;
use crate::text::SigmaText;

/// How many variants one value may have.
const MAX_VARIANTS: usize = 1_000;
/// How many values may come of the placeholders of one value.
const MAX_EXPANDED: usize = 10_000;
/// What command-line options may begin with.
const DASHES: [char; 5] = ['-', '/', '–', '—', '―'];

/// A value on its way through the modifiers: text, or bytes once it was encoded.
#[derive(Clone)]
pub(crate) enum Staged {
    Text(SigmaText),
    Bytes(Vec<u8>),
    Number(String),
    Bool(bool),
    Null,
}

/// What became of one value of a rule: every way to write it.
pub(crate) struct Variants<'v> {
    pub(crate) of: &'v Valued,
    pub(crate) staged: Vec<Staged>,
}

impl Staged {
    fn of(value: &SigmaValue) -> Option<Staged> {
        Some(match value {
            SigmaValue::Text(text) => Staged::Text(text.clone()),
            SigmaValue::Number(number) => Staged::Number(number.clone()),
            SigmaValue::Bool(truth) => Staged::Bool(*truth),
            SigmaValue::Null => Staged::Null,
            SigmaValue::Collection => return None,
        })
    }

    /// The value as a text.
    pub(crate) fn shown(&self) -> String {
        match self {
            Staged::Text(text) => text.shown(),
            Staged::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Staged::Number(number) => number.clone(),
            Staged::Bool(truth) => truth.to_string(),
            Staged::Null => String::new(),
        }
    }

    /// The number that it is, or spells.
    pub(crate) fn number(&self) -> Option<String> {
        let text = match self {
            Staged::Number(number) => number.clone(),
            Staged::Text(text) => text.as_plain()?.to_owned(),
            _ => return None,
        };
        text.parse::<f64>().is_ok().then_some(text)
    }
}

impl<'v> Variants<'v> {
    /// A value before any modifier.
    pub(crate) fn read(valued: &'v Valued) -> Result<Variants<'v>, Problem> {
        let Some(staged) = Staged::of(&valued.value) else {
            let message = "a list or mapping cannot be a value here";
            return Err(Problem::invalid("sigma-value", message, &valued.span));
        };
        Ok(Variants { of: valued, staged: vec![staged] })
    }

    /// Replaces every variant by what a modifier makes of it.
    pub(crate) fn each(self, change: &Change<'_>) -> Result<Variants<'v>, Problem> {
        let mut staged = Vec::with_capacity(self.staged.len());
        for value in self.staged {
            staged.extend(change(value, self.of)?);
        }
        Ok(Variants { of: self.of, staged })
    }
}

/// What a modifier makes of a value.
pub(crate) type Change<'c> = dyn Fn(Staged, &Valued) -> Result<Vec<Staged>, Problem> + 'c;

/// Every way to write the dashes of command-line options.
pub(crate) fn windash(value: Staged, valued: &Valued) -> Result<Vec<Staged>, Problem> {
    let Staged::Text(text) = value else { return Ok(vec![value]) };
    let shown = text.shown();
    let chars: Vec<char> = shown.chars().collect();
    let is_word = |at: usize| chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let option = |at: &usize| DASHES.contains(&chars[*at]) && (*at == 0 || !is_word(at - 1)) && is_word(at + 1);
    let places: Vec<usize> = (0..chars.len()).filter(option).collect();
    let mut variants = vec![chars.clone()];
    for place in places {
        if variants.len() * DASHES.len() > MAX_VARIANTS {
            let message = "the text has too many options for `windash`";
            return Err(Problem::unsupported("sigma-value", message, &valued.span)
                .help("give each option as a value of its own, with `all`"));
        }
        let with = |variant: &Vec<char>, dash: char| {
            let mut variant = variant.clone();
            variant[place] = dash;
            variant
        };
        variants = variants.iter().flat_map(|variant| DASHES.iter().map(|dash| with(variant, *dash))).collect();
    }
    let text = |variant: Vec<char>| Staged::Text(text.with_shown(&variant.into_iter().collect::<String>()));
    Ok(variants.into_iter().map(text).collect())
}

/// The texts that come of the values of placeholders.
pub(crate) fn expand(
    value: Staged,
    valued: &Valued,
    values_of: &dyn Fn(&str) -> Option<Vec<SigmaText>>,
) -> Result<Vec<Staged>, Problem> {
    let Staged::Text(text) = value else { return Ok(vec![value]) };
    let mut expanded = Vec::new();
    let mut open = vec![text.with_placeholders()];
    while let Some(text) = open.pop() {
        let Some(name) = text.placeholder() else {
            expanded.push(Staged::Text(text));
            continue;
        };
        let problem = |message: String| Problem::unsupported("sigma-placeholder", message, &valued.span);
        let Some(found) = values_of(name) else {
            return Err(problem(format!("the placeholder `%{name}%` has no values"))
                .help("give them in a file with the key `placeholders`, or in a processing pipeline's `vars`"));
        };
        if open.len() + expanded.len() + found.len() > MAX_EXPANDED {
            return Err(problem(format!("more than {MAX_EXPANDED} values come of the placeholders")));
        }
        open.extend(text.filled(&found).into_iter().rev());
    }
    Ok(expanded)
}

/// The text of a value in two-byte units.
pub(crate) fn utf16(
    value: &Staged,
    valued: &Valued,
    order: fn(u16) -> [u8; 2],
    mark: &[u8],
) -> Result<Vec<Staged>, Problem> {
    let plain = plain_bytes(value, valued)?;
    let units = String::from_utf8_lossy(&plain).encode_utf16().flat_map(order).collect::<Vec<u8>>();
    Ok(vec![Staged::Bytes([mark, &units].concat())])
}

/// A value in Base64.
pub(crate) fn base64(value: &Staged, valued: &Valued) -> Result<Vec<Staged>, Problem> {
    let encoded = STANDARD.encode(plain_bytes(value, valued)?);
    Ok(vec![Staged::Text(SigmaText::plain(&encoded))])
}

/// What a value looks like inside of a longer text in Base64, at each of the three places it may begin at.
pub(crate) fn base64_offsets(value: &Staged, valued: &Valued) -> Result<Vec<Staged>, Problem> {
    const START: [usize; 3] = [0, 2, 3];
    const END: [usize; 3] = [0, 3, 2];
    let bytes = plain_bytes(value, valued)?;
    let at = |offset: usize| {
        let padded: Vec<u8> = std::iter::repeat_n(b' ', offset).chain(bytes.iter().copied()).collect();
        let text = STANDARD.encode(&padded);
        let end = text.len() - END[padded.len() % 3];
        Staged::Text(SigmaText::plain(text.get(START[offset]..end).unwrap_or_default()))
    };
    Ok((0..3).map(at).collect())
}

fn plain_bytes(value: &Staged, valued: &Valued) -> Result<Vec<u8>, Problem> {
    let wrong = |message: &str| Problem::invalid("sigma-value", message, &valued.span);
    match value {
        Staged::Text(text) => match text.as_plain() {
            Some(plain) => Ok(plain.as_bytes().to_vec()),
            None => Err(wrong("text with wildcards cannot be encoded")),
        },
        Staged::Bytes(bytes) => Ok(bytes.clone()),
        Staged::Number(number) => Ok(number.as_bytes().to_vec()),
        Staged::Bool(_) | Staged::Null => Err(wrong("only text can be encoded")),
    }
}
