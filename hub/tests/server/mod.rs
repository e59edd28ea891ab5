//! A hub on loopback: it speaks as much of the hub's API as downloading a model takes, keeps a record
//! of what it is asked, and fails where it is told to.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The model that is there.
pub(crate) const MODEL: &str = "owner/nezha";
/// Its former name, which leads to it.
pub(crate) const FORMER: &str = "former/name";
/// The commit of its branch `main` and its tag `v1`.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// The token of somebody who may read it.
pub(crate) const TOKEN: &str = "hf_right";

/// What the hub does.
pub(crate) struct State {
    pub files: BTreeMap<String, Vec<u8>>,
    /// The commit as the listing says it.
    pub commit: String,
    /// Whether reading files takes the token.
    pub gated: bool,
    /// Whether the model is hidden from whoever has no token.
    pub private: bool,
    /// Whether parts of files can be had.
    pub ranges: bool,
    /// What goes wrong with the content of a file, one for each time that it is asked for.
    pub faults: BTreeMap<String, VecDeque<Fault>>,
    /// An ETag in place of a file's own.
    pub etags: BTreeMap<String, String>,
    /// All requests so far.
    pub requests: Vec<Request>,
}

#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// The connection ends after so many bytes.
    BreakAfter(usize),
    /// The first byte is another one.
    Corrupt,
    /// A status without content.
    Status(u16),
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub method: String,
    /// With the endpoint's own path, if it has one.
    pub path: String,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
}

pub(crate) struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter();
        let state = State {
            files: files
                .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
                .collect(),
            commit: COMMIT.to_owned(),
            gated: false,
            private: false,
            ranges: true,
            faults: BTreeMap::new(),
            etags: BTreeMap::new(),
            requests: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                // A client that goes away in the middle is its own business.
                thread::spawn(move || answer(&stream.unwrap(), port, &shared));
            }
        });
        Self { port, state }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next so many times that a file's content is asked for, this goes wrong.
    pub(crate) fn fail(&self, file: &str, faults: &[Fault]) {
        let faults = faults.iter().copied().collect();
        self.state().faults.insert(file.to_owned(), faults);
    }

    /// What was asked for with `method`, in order: the last part of each path.
    pub(crate) fn asked(&self, method: &str) -> Vec<String> {
        let state = self.state();
        let requests = state.requests.iter().filter(|it| it.method == method);
        let last = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        requests.map(|it| last(&it.path)).collect()
    }

    /// The `Range` of each request for the content of `file`, where it is stored.
    pub(crate) fn ranges(&self, file: &str) -> Vec<Option<String>> {
        let state = self.state();
        let stored = state.requests.iter().filter(|it| {
            it.method == "GET" && it.path.starts_with("/stored/") && it.path.ends_with(file)
        });
        stored.map(|it| it.headers.get("range").cloned()).collect()
    }

    pub(crate) fn forget(&self) {
        self.state().requests.clear();
    }
}

/// Whether a file is kept apart from the small ones, by its name.
fn is_large(file: &str) -> bool {
    [".safetensors", ".bin", ".pth"]
        .iter()
        .any(|it| file.ends_with(it))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

pub(crate) fn git_hash(bytes: &[u8]) -> String {
    let hash = Sha1::new().chain_update(format!("blob {}\0", bytes.len()));
    hexadecimal(&hash.chain_update(bytes).finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut parts = first.split(' ');
    let (method, path) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some(Request {
        method,
        path,
        headers,
    })
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Bytes of the body that are sent.
    sent: usize,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            status,
            headers: Vec::new(),
            sent: body.len(),
            body,
        }
    }

    fn error(status: u16, code: &str) -> Self {
        let answer = Self::new(status, format!("{{\"error\": \"{code}\"}}"));
        answer.with("X-Error-Code", code)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn answer(mut stream: &TcpStream, port: u16, state: &Mutex<State>) {
    let Some(request) = read(stream) else {
        return;
    };
    let answer = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        decide(&request, port, &mut state)
    };
    let mut text = format!("HTTP/1.1 {} -\r\nConnection: close\r\n", answer.status);
    text.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = (text + "\r\n").into_bytes();
    if request.method != "HEAD" {
        bytes.extend(&answer.body[..answer.sent]);
    }
    let _ = stream.write_all(&bytes);
}

fn decide(request: &Request, port: u16, state: &mut State) -> Answer {
    let is_known = request.headers.get("authorization") == Some(&format!("Bearer {TOKEN}"));
    let path = request
        .path
        .strip_prefix("/mirror")
        .unwrap_or(&request.path);
    if let Some(file) = path.strip_prefix("/stored/") {
        return content(request, file, state);
    }
    if path.contains(FORMER) {
        return Answer::new(307, "").with("Location", path.replace(FORMER, MODEL));
    }
    let (listing, file) = (
        path.strip_prefix(&format!("/api/models/{MODEL}/revision/")),
        path.strip_prefix(&format!("/{MODEL}/resolve/{COMMIT}/")),
    );
    if state.private && !is_known {
        return Answer::error(401, "RepoNotFound");
    }
    match (listing, file) {
        (Some("main" | "v1" | COMMIT), _) => {
            let files = state.files.keys();
            let files = files.map(|name| serde_json::json!({"rfilename": name}));
            let files: Vec<_> = files.collect();
            let answer = serde_json::json!({"id": MODEL, "sha": state.commit, "siblings": files});
            Answer::new(200, answer.to_string())
        }
        (Some(_), _) => Answer::error(404, "RevisionNotFound"),
        (None, Some(_)) if state.gated && !is_known => {
            let status = match request.headers.contains_key("authorization") {
                true => 403,
                false => 401,
            };
            Answer::error(status, "GatedRepo")
        }
        (None, Some(file)) if is_large(file) => {
            let Some(bytes) = state.files.get(file) else {
                return Answer::error(404, "EntryNotFound");
            };
            let etag = state.etags.get(file).cloned();
            // Another host's name, as the hub's large files are stored elsewhere.
            Answer::new(302, "elsewhere")
                .with("Location", format!("http://localhost:{port}/stored/{file}"))
                .with(
                    "X-Linked-Etag",
                    etag.unwrap_or(format!("\"{}\"", sha256(bytes))),
                )
                .with("X-Linked-Size", bytes.len().to_string())
                .with("X-Repo-Commit", COMMIT)
        }
        (None, Some(file)) => content(request, file, state),
        // Whoever is not logged in is not told what there is.
        (None, None) => Answer::error(401, "RepoNotFound"),
    }
}

fn content(request: &Request, file: &str, state: &mut State) -> Answer {
    let Some(bytes) = state.files.get(file) else {
        return Answer::error(404, "EntryNotFound");
    };
    let etag = state.etags.get(file).cloned();
    let etag = etag.unwrap_or_else(|| match is_large(file) {
        // The storage's own, which is no checksum.
        true => "\"stored-elsewhere\"".to_owned(),
        false => format!("\"{}\"", git_hash(bytes)),
    });
    let range = request.headers.get("range").filter(|_| state.ranges);
    let start = range.map(|range| {
        let start = range.strip_prefix("bytes=").unwrap();
        start.strip_suffix('-').unwrap().parse::<usize>().unwrap()
    });
    let mut answer = match start {
        Some(start) if start >= bytes.len() => Answer::new(416, ""),
        Some(start) => Answer::new(206, &bytes[start..]).with(
            "Content-Range",
            format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len()),
        ),
        None => Answer::new(200, bytes.clone()),
    };
    answer = answer.with("ETag", etag).with("X-Repo-Commit", COMMIT);
    if request.method == "HEAD" {
        return answer;
    }
    match state.faults.get_mut(file).and_then(VecDeque::pop_front) {
        None => {}
        Some(Fault::BreakAfter(sent)) => answer.sent = sent.min(answer.body.len()),
        Some(Fault::Corrupt) => answer.body[0] ^= 1,
        Some(Fault::Status(status)) => answer = Answer::new(status, ""),
    }
    answer
}
