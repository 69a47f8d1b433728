//! For tests only: an HTTP server in this process whose answers a closure decides.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What is answered.
pub(crate) struct Reply {
    head: String,
    body: Vec<u8>,
}

impl Reply {
    pub(crate) fn ok(body: &[u8]) -> Reply {
        Reply { head: format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len()), body: body.to_vec() }
    }

    pub(crate) fn partial(whole: &[u8], from: usize) -> Reply {
        let (length, last, body) = (whole.len(), whole.len() - 1, whole[from..].to_vec());
        let range = format!("Content-Range: bytes {from}-{last}/{length}\r\n");
        Reply { head: format!("HTTP/1.1 206 Partial\r\n{range}Content-Length: {}\r\n", body.len()), body }
    }

    pub(crate) fn status(status: u16) -> Reply {
        Reply { head: format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n"), body: Vec::new() }
    }

    /// Promises the whole body but hangs up early.
    pub(crate) fn cut_after(mut self, bytes: usize) -> Reply {
        self.body.truncate(bytes);
        self
    }
}

/// Serves until dropped, one connection per request.
pub(crate) struct TestServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl TestServer {
    /// `answer` gets the request and how many came before it.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Reply + Send + 'static) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(request) = read_request(&stream) else { continue };
                if request.path == "/stop" {
                    return;
                }
                let mut log = log.lock().expect("no test panics while it holds the log");
                let reply = answer(&request, log.len());
                log.push(request);
                drop(log);
                send(stream, &reply);
            }
        });
        TestServer { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no test panics while it holds the log").clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            drop(stream.write_all(b"GET /stop HTTP/1.1\r\n\r\n"));
        }
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let head = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let header = |line: String| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Some(Request { path, headers: head.filter_map(header).collect() })
}

fn send(mut stream: TcpStream, reply: &Reply) {
    let head = format!("{}Connection: close\r\n\r\n", reply.head);
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&reply.body)));
    drop(stream.shutdown(Shutdown::Write));
}
