//! How answers look as JSON: what rpm writes as one text is one text.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::{Asker, Reason, Unmet};

/// A value as its text.
pub(super) fn text<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

/// A value that may be missing, as its text.
pub(super) fn maybe_text<S: Serializer>(value: &Option<impl ToString>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(serializer)
}

/// Reasons as `{asker, dependency, place}`; the asker is `spec`, `base` or a NEVRA.
pub(super) fn reasons<S: Serializer>(reasons: &[Reason], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(reasons.len()))?;
    for reason in reasons {
        list.serialize_element(&value(reason))?;
    }
    list.end()
}

/// A need that is not met, with who asks and what will not do.
pub(super) fn unmet<S: Serializer>(unmet: &Unmet, serializer: S) -> Result<S::Ok, S::Error> {
    let rejected = unmet
        .rejected
        .iter()
        .map(|rejected| json!({"package": rejected.nevra.to_string(), "from": rejected.origin, "why": rejected.why}));
    let value = json!({
        "dependency": unmet.dependency.to_string(),
        "reasons": unmet.reasons.iter().map(value).collect::<Vec<_>>(),
        "rejected": rejected.collect::<Vec<_>>(),
        "nearest": unmet.nearest,
    });
    value.serialize(serializer)
}

fn value(reason: &Reason) -> serde_json::Value {
    let asker = match &reason.asker {
        Asker::Spec => "spec".to_owned(),
        Asker::Generated => "generated".to_owned(),
        Asker::Base => "base".to_owned(),
        Asker::Lock => "lock".to_owned(),
        Asker::Package(nevra) => nevra.to_string(),
    };
    let place = reason.place.as_ref().map(ToString::to_string);
    json!({"asker": asker, "dependency": reason.dependency.to_string(), "place": place})
}
