//! What is easily lost: writes that nobody can rule on, bases that are gone, calls that never run, conflicts that stay open.

use super::*;

#[tokio::test]
async fn what_cannot_be_ruled_on_is_not_written_over() {
    let desk = Desk::open().await;
    let large = vec![b'x'; (10 << 20) + 1];
    std::fs::write(desk.path("large.txt"), &large).unwrap();
    std::fs::write(desk.project.parent().unwrap().join("outside.txt"), "theirs\n").unwrap();
    std::fs::create_dir(desk.path("folder")).unwrap();
    for file in ["large.txt", "../outside.txt", "folder", ".git/config"] {
        let agent = Agent { session: SessionId::random(), file, seen: Some(BlobHash::of(b"read")) };
        let attempt = desk.attempt(&agent, "Write", &json!({"content": "mine\n"}));
        let ruling = desk.files.before_write(attempt).await;
        assert!(matches!(&ruling, Ruling::Deny(why) if why.contains("Read it again")), "{file}: {ruling:?}");
    }
}

#[tokio::test]
async fn a_base_that_is_lost_is_not_taken_for_an_empty_file() {
    let desk = Desk::open().await;
    let lost = Some(BlobHash::of(b"nobody has kept this\n"));
    desk.write("a.txt", "1\n2\n");
    let refusal = desk.put("a.txt", "", lost).await.unwrap_err();
    assert_eq!(
        (conflict_of(&refusal).hunks, &*desk.text("a.txt")),
        (None, "1\n2\n"),
        "emptied over a change"
    );
    desk.write("a.txt", "");
    let refusal = desk.put("a.txt", "stale\n", lost).await.unwrap_err();
    assert_eq!((conflict_of(&refusal).hunks, &*desk.text("a.txt")), (None, ""), "stale words come back");
}

#[tokio::test]
async fn an_empty_file_is_not_made_over_one_that_is_there() {
    let desk = Desk::open().await;
    desk.write("a.txt", "1\n");
    conflict_of(&desk.put("a.txt", "", None).await.unwrap_err());
    assert_eq!(desk.text("a.txt"), "1\n");
}
