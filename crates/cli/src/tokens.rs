//! `masthead token`.

use std::io::Write as _;
use std::process::ExitCode;

use masthead_state::Scope;

use crate::args::{TokenCommand, Tokens};
use crate::findings::{open, wait};
use crate::output::{out, tell};
use crate::run::trouble;

pub(crate) fn run(arguments: Tokens) -> ExitCode {
    match wait(work(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trouble(&error),
    }
}

async fn work(arguments: Tokens) -> Result<(), String> {
    let state = open(&arguments.state).await?;
    let told = |error: masthead_state::StateError| error.to_string();
    match arguments.what {
        TokenCommand::Create { name, scopes, days } => {
            let scopes: Vec<Scope> = scopes.iter().filter_map(|scope| Scope::named(scope)).collect();
            let now = jiff::Timestamp::now().as_microsecond();
            let expires = days.map(|days| now.saturating_add(i64::from(days) * 86_400_000_000));
            let made = state.create_token(&name, &scopes, expires).await.map_err(told)?;
            tell(&format!("token {} for {name}; this is the only time that its secret is shown:", made.token.id));
            writeln!(out(), "{}", made.secret).map_err(|error| error.to_string())
        }
        TokenCommand::List => {
            let mut out = out();
            for token in state.tokens().await.map_err(told)? {
                let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
                let until = token.expires.and_then(|time| jiff::Timestamp::from_microsecond(time).ok());
                let until = until.map(|time| format!(", until {time:.0}")).unwrap_or_default();
                writeln!(out, "{}  {} ({}){until}", token.id, token.name, scopes.join(", "))
                    .map_err(|error| error.to_string())?;
            }
            out.flush().map_err(|error| error.to_string())
        }
        TokenCommand::Revoke { id } => match state.revoke_token(&id).await.map_err(told)? {
            true => {
                tell(&format!("token {id} holds no longer"));
                Ok(())
            }
            false => Err(format!("there is no token {id}; `masthead token list` shows them")),
        },
    }
}
