//! API tokens: a random secret that is shown once, and kept as a hash.

use masthead_ir::time::Micros;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{State, StateError};

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To post events.
    Ingest,
    /// To read findings, risk, rules, status.
    Read,
    /// To change findings.
    Write,
}

impl Scope {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Ingest => "ingest",
            Scope::Read => "read",
            Scope::Write => "write",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Scope> {
        [Scope::Ingest, Scope::Read, Scope::Write].into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// What it is revoked by; the beginning of the secret holds it.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created: Micros,
    /// Until when it holds; none: until it is revoked.
    pub expires: Option<Micros>,
}

/// A token that was just made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// Its secret, which nobody can read again.
    pub secret: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("token", &self.token).field("secret", &"***").finish()
    }
}

/// What a secret begins with, so that those who look for leaked secrets know it.
const PREFIX: &str = "mh_";

impl State {
    /// Makes a token.
    ///
    /// # Errors
    /// When the database cannot be written, or the system has no random numbers.
    pub async fn create_token(
        &self,
        name: &str,
        scopes: &[Scope],
        expires: Option<Micros>,
    ) -> Result<NewToken, StateError> {
        let mut random = [0_u8; 40];
        getrandom::fill(&mut random)
            .map_err(|error| StateError::Failed { place: self.place.to_string(), message: error.to_string() })?;
        let (id, key) = random.split_at(8);
        let (id, key) = (hex(id), hex(key));
        let secret = format!("{PREFIX}{id}_{key}");
        let created = jiff::Timestamp::now().as_microsecond();
        let token = Token { id, name: name.to_owned(), scopes: scopes.to_vec(), created, expires };
        let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        sqlx::query("INSERT INTO tokens (id, name, hash, scopes, created, expires) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&token.id)
            .bind(name)
            .bind(hash(&secret))
            .bind(names.join(" "))
            .bind(created)
            .bind(expires)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(NewToken { token, secret })
    }

    /// The token of a secret; none if there is none, or it no longer holds.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn check_token(&self, secret: &str, now: Micros) -> Result<Option<Token>, StateError> {
        let id = secret.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next());
        let Some(id) = id else { return Ok(None) };
        let row: Option<Row> =
            sqlx::query_as("SELECT id, name, hash, scopes, created, expires FROM tokens WHERE id = $1")
                .bind(id)
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
        let own = hash(secret);
        Ok(row
            .filter(|row| bool::from(row.2.as_bytes().ct_eq(own.as_bytes())))
            .map(token)
            .filter(|token| token.expires.is_none_or(|expires| now < expires)))
    }

    /// All tokens.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tokens(&self) -> Result<Vec<Token>, StateError> {
        let rows: Vec<Row> =
            sqlx::query_as("SELECT id, name, hash, scopes, created, expires FROM tokens ORDER BY created, id")
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
        Ok(rows.into_iter().map(token).collect())
    }

    /// Makes a token hold no longer. Tells whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn revoke_token(&self, id: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM tokens WHERE id = $1").bind(id).execute(&self.pool).await;
        Ok(done.map_err(|error| self.failed(error))?.rows_affected() > 0)
    }
}

type Row = (String, String, String, String, i64, Option<i64>);

fn token((id, name, _, scopes, created, expires): Row) -> Token {
    Token { id, name, scopes: scopes.split(' ').filter_map(Scope::named).collect(), created, expires }
}

/// The secret is random and long, so that a plain hash cannot be turned around.
fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
