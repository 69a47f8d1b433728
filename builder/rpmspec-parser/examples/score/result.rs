//! An evaluation in the form of the corpus' expected results.

use rpmspec_parser::rpm::{Capability, Dependency, Evr};
use rpmspec_parser::spec::{BinaryPackage, Located, Scriptlet, SourceFile, Triggers};
use rpmspec_parser::{Evaluation, SourcePackage};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn summed(text: &str) -> Value {
    json!({"sha256": sha256(text), "len": text.len()})
}

/// Inserts what is neither empty nor null.
fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    if !empty {
        map.insert(key.to_owned(), value);
    }
}

fn entry<T>(located: &Located<T>, name: &str, version: Option<(String, &Evr)>) -> Map<String, Value> {
    let mut map = Map::new();
    put(&mut map, "name", json!(name));
    if let Some((relation, evr)) = version {
        put(&mut map, "op", json!(relation));
        put(&mut map, "evr", json!(evr.to_string()));
    }
    let words: Vec<_> = located.qualifiers.iter().map(|qualifier| qualifier.word()).collect();
    put(&mut map, "quals", json!(words));
    map
}

fn capability(located: &Located<Capability>) -> Map<String, Value> {
    let Capability { name, version } = &located.value;
    entry(located, name, version.as_ref().map(|(relation, evr)| (relation.to_string(), evr)))
}

fn dependency(located: &Located<Dependency>) -> Value {
    Value::Object(match &located.value {
        Dependency::Capability(value) => {
            capability(&Located { value: value.clone(), place: None, qualifiers: located.qualifiers.clone() })
        }
        rich => entry(located, &rich.to_string(), None),
    })
}

fn dependencies(list: &[Located<Dependency>]) -> Value {
    list.iter().map(dependency).collect()
}

fn capabilities(list: &[Located<Capability>]) -> Value {
    list.iter().map(|located| Value::Object(capability(located))).collect()
}

fn files(list: &[SourceFile]) -> Value {
    list.iter().map(|file| json!({"num": file.number, "url": file.url})).collect()
}

fn scriptlet(script: &Scriptlet) -> Value {
    let mut map = Map::new();
    put(&mut map, "prog", json!(script.program));
    if !script.body.is_empty() {
        put(&mut map, "sha256", json!(sha256(&script.body)));
        put(&mut map, "len", json!(script.body.len()));
    }
    if script.flags != 0 {
        put(&mut map, "flags", json!(script.flags));
    }
    Value::Object(map)
}

fn triggers(triggers: &Triggers) -> Value {
    if triggers.conditions.is_empty() {
        return Value::Null;
    }
    let conditions: Value = triggers
        .conditions
        .iter()
        .map(|(condition, index)| {
            let mut map = capability(condition);
            map.insert("index".to_owned(), json!(index));
            Value::Object(map)
        })
        .collect();
    // The recorder could not read the scripts.
    json!({"conds": conditions, "scripts": []})
}

fn package(package: &BinaryPackage) -> Value {
    let mut map = Map::new();
    for (key, text) in [
        ("name", &package.name),
        ("version", &package.version),
        ("release", &package.release),
        ("arch", &package.arch),
        ("os", &package.os),
        ("summary", &package.summary),
        ("license", &package.license),
        ("group", &package.group),
        ("url", &package.url),
        ("vendor", &package.vendor),
    ] {
        put(&mut map, key, json!(text));
    }
    put(&mut map, "epoch", json!(package.epoch));
    put(&mut map, "description", summed(&package.description));
    put(&mut map, "provides", capabilities(&package.provides));
    put(&mut map, "obsoletes", capabilities(&package.obsoletes));
    for (key, list) in [
        ("requires", &package.requires),
        ("conflicts", &package.conflicts),
        ("recommends", &package.recommends),
        ("suggests", &package.suggests),
        ("supplements", &package.supplements),
        ("enhances", &package.enhances),
        ("orderwithrequires", &package.order_with_requires),
    ] {
        put(&mut map, key, dependencies(list));
    }
    put(&mut map, "prefixes", json!(package.prefixes));
    let scripts = package.scriptlets.iter().map(|(name, script)| (name.clone(), scriptlet(script))).collect();
    put(&mut map, "scriptlets", Value::Object(scripts));
    put(&mut map, "triggers", triggers(&package.triggers));
    put(&mut map, "filetriggers", triggers(&package.file_triggers));
    put(&mut map, "transfiletriggers", triggers(&package.transaction_file_triggers));
    put(&mut map, "files", json!(package.files.clone().unwrap_or_default()));
    // The recorder glued the names together.
    put(&mut map, "filefile", json!(Some(package.file_lists.concat()).filter(|names| !names.is_empty()).as_slice()));
    put(&mut map, "has_files", json!(package.files.is_some()));
    Value::Object(map)
}

fn source(source: &SourcePackage, map: &mut Map<String, Value>) {
    put(map, "name", json!(source.name));
    put(map, "epoch", json!(source.epoch));
    put(map, "version", json!(source.version));
    put(map, "release", json!(source.release));
    put(map, "buildarchs", json!(source.build_archs));
    put(map, "exclusivearch", json!(source.exclusive_archs));
    put(map, "excludearch", json!(source.exclude_archs));
    put(map, "exclusiveos", json!(source.exclusive_oses));
    put(map, "excludeos", json!(source.exclude_oses));
    put(map, "buildrequires", dependencies(&source.build_requires));
    put(map, "buildconflicts", dependencies(&source.build_conflicts));
    put(map, "sources", files(&source.sources));
    put(map, "patches", files(&source.patches));
    put(map, "packages", source.packages.iter().map(package).collect());
    let mut sections = Map::new();
    for (key, text) in [
        ("prep", &source.sections.prep),
        ("build", &source.sections.build),
        ("install", &source.sections.install),
        ("check", &source.sections.check),
        ("clean", &source.sections.clean),
    ] {
        if let Some(text) = text {
            sections.insert(key.to_owned(), summed(text));
        }
    }
    put(map, "sections", Value::Object(sections));
    if let Some(first) = source.changelog.first() {
        let entries: Vec<_> =
            source.changelog.iter().map(|entry| json!([entry.time, entry.name, entry.text])).collect();
        let sum = sha256(&json!(entries).to_string());
        let changelog =
            json!({"n": source.changelog.len(), "first_time": first.time, "first_name": first.name, "sha256": sum});
        put(map, "changelog", changelog);
    }
    put(map, "parsed_sha256", json!(sha256(&source.parsed)));
}

/// One result.
pub(crate) fn result(path: &str, evaluation: &Evaluation) -> Value {
    let mut map = Map::new();
    map.insert("path".to_owned(), json!(path));
    map.insert("ok".to_owned(), json!(evaluation.package.is_some()));
    let messages: Vec<_> = evaluation.diagnostics.iter().map(ToString::to_string).collect();
    put(&mut map, "diagnostics", json!(messages));
    if let Some(package) = &evaluation.package {
        source(package, &mut map);
    }
    Value::Object(map)
}
