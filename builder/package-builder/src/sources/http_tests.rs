//! Downloads from a server in this process that misbehaves on command.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use crate::sources::test_server::{Reply, TestServer};

fn download(server: &TestServer, part: &Path, size: Option<u64>) -> Result<Downloaded, String> {
    HttpClient::new().download(&server.url("/file"), part, Limits { size }, &|_, _| {})
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let sent = content.clone();
    let server = TestServer::start(move |request, count| match count {
        // Promises everything, then hangs up.
        0 => Reply::ok(&sent).cut_after(300_000),
        _ => {
            let from: usize =
                request.header("range").unwrap().trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
            Reply::partial(&sent, from)
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let part = directory.path().join("part");
    let downloaded = download(&server, &part, Some(content.len() as u64)).unwrap();
    assert!(downloaded.resumed);
    assert_eq!(fs::read(&part).unwrap(), content);
    assert_eq!(downloaded.checksum.size, content.len() as u64);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].header("range"), None);
    let asked = requests[1].header("range").unwrap();
    assert!(asked.starts_with("bytes=") && asked != "bytes=0-", "{asked}");
}

#[test]
fn a_server_that_knows_no_ranges_sends_all_again() {
    let server = TestServer::start(|_, _| Reply::ok(b"0123456789"));
    let directory = tempfile::tempdir().unwrap();
    let part = directory.path().join("part");
    fs::write(&part, "012").unwrap();
    let downloaded = download(&server, &part, None).unwrap();
    assert!(!downloaded.resumed);
    assert_eq!(fs::read(&part).unwrap(), b"0123456789");
}

#[test]
fn a_part_the_server_cannot_continue_is_dropped() {
    let server = TestServer::start(|request, _| match request.header("range") {
        Some(_) => Reply::status(416),
        None => Reply::ok(b"short"),
    });
    let directory = tempfile::tempdir().unwrap();
    let part = directory.path().join("part");
    fs::write(&part, "much longer than the file").unwrap();
    assert!(!download(&server, &part, None).unwrap().resumed);
    assert_eq!(fs::read(&part).unwrap(), b"short");
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let busy = TestServer::start(|_, count| if count < 2 { Reply::status(503) } else { Reply::ok(b"x") });
    assert_eq!(download(&busy, &directory.path().join("busy"), None).unwrap().checksum.size, 1);
    assert_eq!(busy.requests().len(), 3);
    let gone = TestServer::start(|_, _| Reply::status(404));
    let error = download(&gone, &directory.path().join("gone"), None).unwrap_err();
    assert_eq!((error.as_str(), gone.requests().len()), ("the server answered 404 Not Found", 1));
}

#[test]
fn a_host_that_is_not_there_is_asked_once() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let client = HttpClient::new();
    let get = |name: &str| {
        let url = format!("http://127.0.0.1:{port}/{name}");
        client.download(&url, &directory.path().join(name), Limits::default(), &|_, _| {}).unwrap_err()
    };
    assert!(get("a").contains("refused") || get("a").contains("cannot connect"), "{}", get("a"));
    assert!(get("b").ends_with("(said before; not asked again)"));
}

#[test]
fn a_file_of_another_size_is_not_downloaded() {
    let server = TestServer::start(|_, _| Reply::ok(b"<html>not found</html>"));
    let directory = tempfile::tempdir().unwrap();
    let part = directory.path().join("part");
    assert_eq!(download(&server, &part, Some(5)).unwrap_err(), "it has 22 bytes there, not 5");
}
