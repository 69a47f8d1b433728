//! The published schema of the journal's lines is what the types give, and their documentation is whole (tests only).
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::event::{Event, WrittenLine};
use schemars::generate::SchemaSettings;
use std::path::{Path, PathBuf};

/// Writes the file instead of comparing with it.
const WRITE: &str = "WRITE_EVENTS_SCHEMA";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

#[test]
fn the_published_schema_is_what_the_types_give() {
    // What a reader has to expect: fields that came later may be missing.
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<WrittenLine<'_>>();
    schema.insert("title".to_owned(), "A line of events.jsonl".into());
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = docs("events.schema.json");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "docs/events.schema.json is out of date: `{WRITE}=1 cargo test -p report schema` writes it; then see docs/events.md"
    );
}

#[test]
fn every_event_is_documented_and_the_lines_shown_are_events() {
    let text = std::fs::read_to_string(docs("events.md")).unwrap();
    let schema = std::fs::read_to_string(docs("events.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let kinds: Vec<_> =
        schema["oneOf"].as_array().unwrap().iter().map(|kind| &kind["properties"]["event"]["const"]).collect();
    assert!(kinds.len() > 20);
    for kind in kinds {
        assert!(text.contains(&format!("`{}`", kind.as_str().unwrap())), "docs/events.md does not have {kind}");
    }
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with('{')).collect();
    assert!(lines.len() > 3);
    for line in lines {
        let event = Event::from_json_line(line).unwrap();
        assert_eq!(event.to_json_line(), line, "it is written in another way");
    }
}
