//! Secrets of the configuration.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use thiserror::Error;

/// No key or token is longer; a file that is longer was named by mistake.
const MAX_BYTES: u64 = 64 * 1024;

/// Where a secret is to be had: `{ env = "NAME" }`, `{ file = "path" }`, or the text itself, which works but is warned about where
/// it is a credential. `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Plain(String),
    Env(String),
    File(PathBuf),
}

/// Why a secret cannot be had. Never holds the secret.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The environment has no such variable, or its value is no UTF-8.
    #[error("the environment variable {0} is not set (or is no UTF-8)")]
    Env(String),
    /// The file cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
}

impl Secret {
    /// A secret that stands in the configuration itself.
    pub fn plain(text: impl Into<String>) -> Secret {
        Secret(Place::Plain(text.into()))
    }

    /// A secret in an environment variable.
    pub fn env(name: impl Into<String>) -> Secret {
        Secret(Place::Env(name.into()))
    }

    /// A secret in a file.
    pub fn file(path: impl Into<PathBuf>) -> Secret {
        Secret(Place::File(path.into()))
    }

    /// Whether it stands in the configuration itself.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.0, Place::Plain(_))
    }

    /// Fetches it. One line end at its end is dropped, because files have one.
    ///
    /// # Errors
    /// When it is not there, or empty.
    pub fn resolve(&self) -> Result<Resolved, SecretError> {
        let text = match &self.0 {
            Place::Plain(text) => text.clone(),
            Place::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
            Place::File(path) => read(path)?,
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Resolved(Arc::from(text)))
    }
}

fn read(path: &Path) -> Result<String, SecretError> {
    let failed = |reason: String| SecretError::File { path: path.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if read as u64 > MAX_BYTES {
        return Err(failed(format!("longer than {MAX_BYTES} bytes, so it can hardly be a secret")));
    }
    Ok(text)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The text of a secret. `Debug` prints `***`.
#[derive(Clone)]
pub struct Resolved(Arc<str>);

impl Resolved {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ env = \"NAME\" }, { file = \"path\" } or a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::plain(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let mut secret = None;
        while let Some(key) = map.next_key::<String>()? {
            let place = match key.as_str() {
                "env" => Secret::env(map.next_value::<String>()?),
                "file" => Secret::file(map.next_value::<PathBuf>()?),
                _ => return Err(de::Error::unknown_field(&key, &["env", "file"])),
            };
            if secret.replace(place).is_some() {
                return Err(de::Error::custom("a secret comes either from `env` or from `file`, not from both"));
            }
        }
        secret.ok_or_else(|| de::Error::custom("a secret needs `env` or `file`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        for (text, expected) in [("a b\n", "a b"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a", " a")] {
            let path = folder.path().join("secret");
            std::fs::write(&path, text).unwrap();
            assert_eq!(Secret::file(&path).resolve().unwrap().expose(), expected);
        }
    }

    #[test]
    fn what_cannot_be_had_is_an_error_that_names_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        assert!(matches!(Secret::file(&empty).resolve(), Err(SecretError::Empty)));
        let error = Secret::env("MASTHEAD_NO_SUCH_VARIABLE").resolve().unwrap_err().to_string();
        assert!(error.contains("MASTHEAD_NO_SUCH_VARIABLE"), "{error}");
        let error = Secret::file(folder.path().join("none")).resolve().unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
        let large = folder.path().join("large");
        std::fs::write(&large, "x".repeat(70_000)).unwrap();
        assert!(Secret::file(&large).resolve().unwrap_err().to_string().contains("longer than"));
        assert_eq!(Secret::env("PATH").resolve().unwrap().expose(), std::env::var("PATH").unwrap());
    }

    #[test]
    fn the_forms_in_toml() {
        #[derive(serde::Deserialize, Debug)]
        struct Holder {
            key: Secret,
        }
        let read = |text: &str| toml::from_str::<Holder>(text);
        assert_eq!(read("key = 'x'").unwrap().key, Secret::plain("x"));
        assert_eq!(read("key = { env = 'X' }").unwrap().key, Secret::env("X"));
        assert_eq!(read("key = { file = '/x' }").unwrap().key, Secret::file("/x"));
        assert_eq!(format!("{:?}", read("key = 'hush'").unwrap()), "Holder { key: *** }");
        for wrong in ["key = { env = 'X', file = 'y' }", "key = {}", "key = { path = 'x' }", "key = 1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
