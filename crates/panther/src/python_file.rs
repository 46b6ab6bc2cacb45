//! The Python file that a YAML file names.

use masthead_ir::diagnostic::Diagnostic;
use masthead_rulefile::{Content, Corpus};

use crate::keys::Keys;
use crate::source::Source;

/// Reads the file that `Filename` names beside the YAML file; what is wrong is told in `keys`.
pub(crate) fn read(keys: &mut Keys<'_>, corpus: &Corpus) -> Option<Source> {
    let name = keys.required_text("Filename")?;
    let node = keys.get("Filename")?;
    // A rule file must not reach beyond its own folder.
    let inside =
        !name.is_empty() && !name.split(['/', '\\']).any(|part| matches!(part, ".." | "")) && !name.contains(':');
    if !inside {
        keys.fault("bad-value", node, format!("`Filename` must name a file in the same folder, not `{name}`"));
        return None;
    }
    let Some(file) = corpus.sibling(keys.file, name) else {
        let message = format!("the Python file `{name}` does not exist");
        keys.diagnostics.push(
            Diagnostic::error("missing-file", message)
                .at(keys.file.span(node))
                .help("put the file into the folder of the YAML file"),
        );
        return None;
    };
    if let Content::Invalid(diagnostic) = &file.content {
        keys.diagnostics.push(diagnostic.clone());
        return None;
    }
    match Source::parse(file.path.clone(), file.text.clone()) {
        Ok(source) => Some(source),
        Err(diagnostic) => {
            keys.diagnostics.push(*diagnostic);
            None
        }
    }
}

/// The module name of a Python file: its name without folder and extension.
pub(crate) fn module_name(source: &Source) -> String {
    source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned()
}
