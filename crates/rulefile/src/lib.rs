//! Rule files as positioned YAML documents.
