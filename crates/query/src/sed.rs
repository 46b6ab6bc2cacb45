//! Commands of the stream editor: `s/expression/replacement/flags` and `y/letters/letters/`.

use masthead_ir::eval::regex::CompiledRegex;

/// A command.
#[derive(Debug)]
pub(crate) enum Sed {
    Substitute { regex: CompiledRegex, replacement: String, all: bool },
    Translate(Vec<(char, char)>),
}

impl Sed {
    /// Reads a command. The letter after `s` or `y` is the delimiter; a backslash before it makes it plain.
    pub(crate) fn parse(text: &str) -> Result<Sed, String> {
        let mut letters = text.trim().chars();
        let (command, delimiter) = (letters.next(), letters.next());
        let (Some(command), Some(delimiter)) = (command, delimiter) else {
            return Err(format!("`{text}` is no sed command"));
        };
        let mut parts = vec![String::new()];
        let mut escaped = false;
        for letter in letters {
            let part = parts.last_mut().ok_or("no part")?;
            match letter {
                _ if escaped => {
                    if letter != delimiter {
                        part.push('\\');
                    }
                    part.push(letter);
                    escaped = false;
                }
                '\\' => escaped = true,
                _ if letter == delimiter => parts.push(String::new()),
                _ => part.push(letter),
            }
        }
        let [from, to, flags] = parts.as_slice() else {
            return Err(format!("`{text}` needs three `{delimiter}`"));
        };
        match command {
            's' => {
                let expression = if flags.contains('i') { format!("(?i){from}") } else { from.clone() };
                let regex = CompiledRegex::new(&expression).map_err(|error| error.to_string())?;
                Ok(Sed::Substitute { regex, replacement: to.clone(), all: flags.contains('g') })
            }
            'y' if from.chars().count() == to.chars().count() => Ok(Sed::Translate(from.chars().zip(to.chars()).collect())),
            'y' => Err(format!("`{text}`: both sides of `y` must have as many letters")),
            other => Err(format!("`{other}` is no sed command; `s` and `y` are")),
        }
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        match self {
            Sed::Substitute { regex, replacement, all: true } => regex.replace_all(text, replacement).into_owned(),
            Sed::Substitute { regex, replacement, all: false } => regex.replace_first(text, replacement).into_owned(),
            Sed::Translate(pairs) => text
                .chars()
                .map(|letter| pairs.iter().find(|(from, _)| *from == letter).map_or(letter, |(_, to)| *to))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_do_what_sed_does() {
        for (command, text, expected) in [
            ("s/a/b/", "aa", "ba"),
            ("s/a/b/g", "aa", "bb"),
            (r"s/(\d+)-(\d+)/\2-\1/", "1-2", "2-1"),
            (r"s/a\/b/c/", "a/b", "c"),
            ("s#/#-#g", "/a/b", "-a-b"),
            ("s/A/b/i", "a", "b"),
            ("y/abc/xyz/", "cab", "zxy"),
        ] {
            let sed = Sed::parse(command).expect("it is a command");
            assert_eq!(sed.apply(text), expected, "{command}");
        }
        for faulty in ["", "s", "s/a/b", "y/a/bc/", "x/a/b/"] {
            assert!(Sed::parse(faulty).is_err(), "{faulty}");
        }
    }
}
