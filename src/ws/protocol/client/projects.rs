//! The frames about projects, locks and conflicts. Their fields may also be written in snake_case.

use tandem_actors::device::{ProjectWish, SubscribeProject};
use tandem_actors::project::{ConflictId, LockAct};
use tandem_actors::refusal::Refusal;

use crate::fields::Fields;

/// All of them.
const KINDS: &[&str] = &[
    "subscribe_project",
    "unsubscribe_project",
    "lock_request",
    "lock_release",
    "lock_renew",
    "file_change",
    "cursor_position",
    "conflict_resolved",
];

/// Whether a type is one of a frame about a project.
pub(super) fn is_of_project(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// What such a frame wants.
///
/// # Errors
/// `bad_request` that names the field.
pub(super) fn wish(kind: &str, fields: &Fields) -> Result<ProjectWish, Refusal> {
    let project = fields.optional("projectPath")?;
    match kind {
        "subscribe_project" => Ok(ProjectWish::Subscribe(SubscribeProject {
            project: fields.required("projectPath")?,
            after: fields.optional("after")?,
            epoch: fields.optional("epoch")?,
            hash: fields.optional("hash")?,
            tail: fields.optional("tail")?,
        })),
        "unsubscribe_project" => Ok(ProjectWish::Unsubscribe { project }),
        "lock_request" => lock(project, fields, fields.lock_request()?),
        "lock_release" => lock(project, fields, LockAct::Release),
        "lock_renew" => lock(project, fields, LockAct::Renew { ttl_seconds: fields.optional("ttlSeconds")? }),
        "file_change" => Ok(ProjectWish::FileChange {
            project,
            file_path: fields.required("filePath")?,
            change_type: fields.change_type()?,
            hash: fields.content_hash()?,
        }),
        "cursor_position" => Ok(ProjectWish::CursorPosition { project, data: fields.cursor_position()? }),
        _ => {
            let id: String = fields.required("conflictId")?;
            let conflict: ConflictId = id
                .parse()
                .map_err(|_| Refusal::bad_field("conflictId", "The field conflictId is a UUID."))?;
            let (resolution, content) = fields.resolution()?;
            Ok(ProjectWish::Resolve { conflict, resolution, content })
        }
    }
}

fn lock(project: Option<String>, fields: &Fields, act: LockAct) -> Result<ProjectWish, Refusal> {
    let also = match act {
        LockAct::Request { .. } => fields.locks_with_it()?,
        LockAct::Release | LockAct::Renew { .. } => Vec::new(),
    };
    Ok(ProjectWish::Lock { project, name: fields.lock_name()?, also, act })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tandem_actors::locks::{Kind, Mode};
    use tandem_actors::project::{ChangeType, LockName, Resolution, Wait};

    use super::*;

    fn read(frame: &Value) -> Result<ProjectWish, Refusal> {
        let fields = Fields::parse(frame.to_string().as_bytes()).unwrap().with_snake_case_twins();
        wish(frame["type"].as_str().unwrap(), &fields)
    }

    #[test]
    fn a_request_in_either_way_of_writing() {
        let camel = json!({"type": "lock_request", "resourceId": "a.txt", "lockType": "file", "mode": "shared", "ttlSeconds": 9, "wait": 3});
        let snake = json!({"type": "lock_request", "resource_id": "a.txt", "lock_type": "file", "mode": "shared", "ttl_seconds": 9, "wait": 3});
        for frame in [camel, snake] {
            let ProjectWish::Lock { project: None, name, also, act } = read(&frame).unwrap() else {
                panic!("{frame}")
            };
            assert_eq!(also, []);
            assert_eq!(name, LockName { kind: Kind::File, id: "a.txt".to_owned() });
            let expected =
                LockAct::Request { mode: Mode::Shared, ttl_seconds: Some(9), wait: Some(Wait::Seconds(3)) };
            assert_eq!(act, expected);
        }
        let whole = json!({"type": "lock_request", "lockType": "exclusive", "wait": true});
        assert!(matches!(
            read(&whole).unwrap(),
            ProjectWish::Lock {
                act: LockAct::Request {
                    mode: Mode::Exclusive,
                    ttl_seconds: None,
                    wait: Some(Wait::Configured)
                },
                ..
            }
        ));
    }

    #[test]
    fn several_at_once() {
        let both = json!({"type": "lock_request", "resourceId": "a.txt", "lockType": "file",
            "with": [{"resource_id": "main", "lock_type": "git", "mode": "shared"}]});
        let ProjectWish::Lock { also, .. } = read(&both).unwrap() else { panic!("a lock") };
        let main = LockName { kind: Kind::Git, id: "main".to_owned() };
        assert_eq!(also, [(main, Mode::Shared)]);
        let bad = |with: Value| {
            let frame = json!({"type": "lock_request", "resourceId": "a", "lockType": "file", "with": with});
            read(&frame).unwrap_err().details.expect("it names the field")["field"].clone()
        };
        assert_eq!(bad(json!([{"resourceId": "b"}])), "lockType");
        assert_eq!(bad(json!("b")), "with");
        assert_eq!(bad(json!(vec![json!({"lockType": "file", "resourceId": "b"}); 64])), "with");
    }

    #[test]
    fn the_others() {
        assert!(matches!(
            read(&json!({"type": "subscribe_project", "project_path": "/a", "after": 4})).unwrap(),
            ProjectWish::Subscribe(SubscribeProject { project, after: Some(4), .. }) if project == "/a"
        ));
        let changed = json!({"type": "file_change", "file_path": "a", "change_type": "deleted", "hash": "AB".repeat(32)});
        assert!(matches!(
            read(&changed).unwrap(),
            ProjectWish::FileChange { change_type: ChangeType::Deleted, hash: Some(hash), .. } if hash == "ab".repeat(32)
        ));
        let moved =
            json!({"type": "cursor_position", "ref": "r", "projectPath": "/a", "file_path": "a", "line": 3});
        assert!(matches!(
            read(&moved).unwrap(),
            ProjectWish::CursorPosition { data, .. } if data == json!({"filePath": "a", "line": 3})
        ));
        let id = "0197a2c4-0000-7000-8000-000000000001";
        let resolved =
            json!({"type": "conflict_resolved", "conflict_id": id, "resolution": "merged", "content": "x"});
        assert!(matches!(
            read(&resolved).unwrap(),
            ProjectWish::Resolve { resolution: Resolution::Merged, content: Some(_), .. }
        ));
    }

    #[test]
    fn a_wrong_field_is_named() {
        let id = "0197a2c4-0000-7000-8000-000000000001";
        for (frame, field) in [
            (json!({"type": "subscribe_project"}), "projectPath"),
            (json!({"type": "lock_request", "resourceId": "a"}), "lockType"),
            (json!({"type": "lock_request", "resourceId": "a", "lockType": "chair"}), "lockType"),
            (json!({"type": "lock_request", "lockType": "file"}), "resourceId"),
            (json!({"type": "lock_request", "lockType": "exclusive", "mode": "mine"}), "mode"),
            (json!({"type": "lock_request", "lockType": "exclusive", "wait": "long"}), "wait"),
            (json!({"type": "lock_request", "lockType": "exclusive", "wait": -1}), "wait"),
            (json!({"type": "lock_renew", "lockType": "exclusive", "ttlSeconds": -5}), "ttlSeconds"),
            (json!({"type": "file_change", "filePath": "a", "changeType": "eaten"}), "changeType"),
            (json!({"type": "file_change", "filePath": "a", "changeType": "created", "hash": "x"}), "hash"),
            (json!({"type": "cursor_position", "text": "x".repeat(5000)}), "text"),
            (json!({"type": "conflict_resolved", "conflictId": "x", "resolution": "ours"}), "conflictId"),
            (json!({"type": "conflict_resolved", "conflictId": id, "resolution": "waited"}), "resolution"),
            (
                json!({"type": "conflict_resolved", "conflictId": id, "resolution": "ours", "content": ""}),
                "content",
            ),
        ] {
            let refusal = read(&frame).unwrap_err();
            assert_eq!(refusal.details.unwrap()["field"], field, "{frame}");
        }
    }
}
