//! Correlation rules and their tests as they are written.

use masthead_rulefile::Node;

use super::{Detection, LOOKBACK_MINUTES, Member, Output, Shape, Transition};

/// What is wrong with a rule, and where.
pub(super) type Fault<'a> = (&'a Node, String);

/// What the key `Detection` asks for.
pub(super) fn detection(root: &Node) -> Result<Detection, Fault<'_>> {
    let Some(node) = root.get("Detection") else { return Err((root, "the key `Detection` is missing".to_owned())) };
    let only = match node.items() {
        [only] => only,
        [] if !node.entries().is_empty() => node,
        _ => return Err((node, "`Detection` must hold one group or sequence".to_owned())),
    };
    let lookback_minutes = number(only, "LookbackWindowMinutes")?.unwrap_or(LOOKBACK_MINUTES);
    let shape = match (only.get("Group"), only.get("Sequence")) {
        (Some(group), None) => {
            let members = members(group)?;
            let criteria = only.get("MatchCriteria").map_or_else(|| Ok(Vec::new()), |node| criteria(node, &members))?;
            Shape::Group { members, criteria }
        }
        (None, Some(sequence)) => {
            let members = members(sequence)?;
            let transitions = transitions(only.get("Transitions"), &members)?;
            Shape::Sequence { members, transitions }
        }
        _ => return Err((only, "`Detection` must hold either a `Group` or a `Sequence`".to_owned())),
    };
    Ok(Detection { shape, lookback_minutes })
}

fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get(key).filter(|node| !node.is_null()).and_then(Node::text).map(str::trim)
}

fn required<'a>(node: &'a Node, key: &str) -> Result<&'a str, Fault<'a>> {
    text(node, key).ok_or_else(|| (node, format!("the key `{key}` is missing")))
}

/// A whole number above zero.
fn number<'a>(node: &'a Node, key: &str) -> Result<Option<u64>, Fault<'a>> {
    let Some(value) = node.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    match value.as_i64().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0) {
        Some(number) => Ok(Some(number)),
        None => Err((value, format!("`{key}` must be a whole number above zero, not {}", value.kind()))),
    }
}

fn members(list: &Node) -> Result<Vec<Member>, Fault<'_>> {
    let mut members: Vec<Member> = Vec::new();
    for item in list.items() {
        let id = required(item, "ID")?.to_owned();
        if members.iter().any(|member| member.id == id) {
            return Err((item, format!("the `ID` `{id}` is taken")));
        }
        let rule = required(item, "RuleID")?.to_owned();
        let count = number(item, "MinMatchCount")?.unwrap_or(1);
        let absent = item.get("Absence").and_then(Node::as_bool).unwrap_or(false);
        members.push(Member { id, rule, count: usize::try_from(count).unwrap_or(usize::MAX), absent });
    }
    if members.is_empty() {
        return Err((list, "there are no rules to correlate".to_owned()));
    }
    Ok(members)
}

fn known<'a>(node: &'a Node, id: &str, members: &[Member]) -> Result<String, Fault<'a>> {
    if members.iter().any(|member| member.id == id) {
        return Ok(id.to_owned());
    }
    Err((node, format!("there is no `ID` `{id}`")))
}

fn criteria<'a>(node: &'a Node, members: &[Member]) -> Result<Vec<Vec<(String, String)>>, Fault<'a>> {
    let mut criteria = Vec::new();
    for (_, list) in node.entries() {
        let mut fields = Vec::new();
        for item in list.items() {
            let id = known(item, required(item, "GroupID")?, members)?;
            fields.push((id, required(item, "Match")?.to_owned()));
        }
        criteria.push(fields);
    }
    Ok(criteria)
}

fn transitions<'a>(node: Option<&'a Node>, members: &[Member]) -> Result<Vec<Transition>, Fault<'a>> {
    let mut found = Vec::new();
    for item in node.map_or(&[][..], Node::items) {
        let from = known(item, required(item, "From")?, members)?;
        let to = known(item, required(item, "To")?, members)?;
        let mut fields = Vec::new();
        for pair in item.get("Match").map_or(&[][..], Node::items) {
            let on = text(pair, "On");
            let sides = text(pair, "From").or(on).zip(text(pair, "To").or(on));
            let Some((from, to)) = sides else {
                return Err((pair, "a match needs `On`, or `From` and `To`".to_owned()));
            };
            fields.push((from.to_owned(), to.to_owned()));
        }
        let within_minutes = number(item, "WithinTimeFrameMinutes")?;
        found.push(Transition { from, to, within_minutes, fields });
    }
    // Members without a transition between them follow each other anyhow.
    let mut ordered = Vec::new();
    for pair in members.windows(2) {
        let (from, to) = (&pair[0].id, &pair[1].id);
        let said = found.iter().position(|transition: &Transition| transition.from == *from && transition.to == *to);
        ordered.push(match said {
            Some(at) => found.remove(at),
            None => Transition { from: from.clone(), to: to.clone(), within_minutes: None, fields: Vec::new() },
        });
    }
    match (node, found.first()) {
        (Some(node), Some(odd)) => {
            let message = format!("the transition from `{}` to `{}` skips a member", odd.from, odd.to);
            Err((node, message))
        }
        _ => Ok(ordered),
    }
}

/// What a test says that rules found.
pub(super) fn outputs(node: Option<&Node>) -> Vec<Output> {
    let items = node.map_or(&[][..], Node::items);
    items
        .iter()
        .map(|item| {
            let mut matches = Vec::new();
            for (field, values) in item.get("Matches").map_or(&[][..], Node::entries) {
                for (value, times) in values.entries() {
                    let (Some(field), Some(value)) = (field.text(), value.text()) else { continue };
                    let times = times.items().iter().filter_map(seconds).collect();
                    matches.push((field.to_owned(), value.to_owned(), times));
                }
            }
            Output { id: text(item, "ID").unwrap_or_default().to_owned(), matches }
        })
        .collect()
}

/// A time as minutes from any moment, or as a date.
fn seconds(node: &Node) -> Option<f64> {
    if let Some(minutes) = node.as_f64() {
        return Some(minutes * 60.0);
    }
    let moment: jiff::Timestamp = node.text()?.trim().parse().ok()?;
    Some(moment.as_duration().as_secs_f64())
}
