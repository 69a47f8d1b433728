//! The published schema of the journal's lines is what the types give (tests only).
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::event::WrittenLine;
use schemars::generate::SchemaSettings;
use std::path::Path;

/// Writes the file instead of comparing with it.
const WRITE: &str = "WRITE_EVENTS_SCHEMA";

#[test]
fn the_published_schema_is_what_the_types_give() {
    // What a reader has to expect: fields that came later may be missing.
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<WrittenLine<'_>>();
    schema.insert("title".to_owned(), "A line of events.jsonl".into());
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.schema.json");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "docs/events.schema.json is out of date: `{WRITE}=1 cargo test -p report schema` writes it; then see docs/events.md"
    );
}
