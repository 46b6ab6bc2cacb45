//! Time spans as Elastic writes them.

/// A number and a unit (`90s`, `5m`, `1h`, `7d`, `1w`), in microseconds.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
    let number: i64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" | "H" => 3_600_000_000,
        "d" => 86_400_000_000,
        "w" => 604_800_000_000,
        "M" => 2_592_000_000_000,
        "y" => 31_536_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// How long ago `now-9m` is, in microseconds. Rounding (`now/d`) is passed over.
pub(crate) fn since_now(text: &str) -> Option<i64> {
    let rest = text.trim().strip_prefix("now")?;
    let rest = rest.split('/').next().unwrap_or_default();
    if rest.is_empty() { Some(0) } else { parse(rest.strip_prefix('-')?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        assert_eq!(parse("5m"), Some(300_000_000));
        assert_eq!((parse("m"), parse("5"), parse("5x")), (None, None, None));
        assert_eq!(
            (since_now("now-7d"), since_now("now"), since_now("now-1d/d")),
            (Some(604_800_000_000), Some(0), Some(86_400_000_000))
        );
    }
}
