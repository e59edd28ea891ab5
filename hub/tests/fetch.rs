//! Fetching from a hub on loopback, with everything that goes wrong on the way.

mod server;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use nezha_hub::{Hub, HubError, ModelId, Snapshot};
use server::{COMMIT, FORMER, Fault, MODEL, Server, TOKEN, git_hash, sha256};
use tempfile::TempDir;

const CONFIG: &[u8] = b"{\"model_type\": \"nezha\"}";

fn weights() -> Vec<u8> {
    (0..200_000_u32).map(|i| (i % 251) as u8).collect()
}

fn server() -> Server {
    Server::start(&[
        (".gitattributes", b"*.bin filter=lfs"),
        ("README.md", b"# NEZHA"),
        ("config.json", CONFIG),
        ("flax_model.msgpack", b"flax"),
        ("model.safetensors", &weights()),
        ("pytorch_model.bin", b"pickle"),
        ("vocab.txt", b"[PAD]\n[UNK]\n"),
    ])
}

struct Cache(TempDir);

impl Cache {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn hub(&self, server: &Server) -> Hub {
        Hub::new(server.endpoint(), self.0.path())
    }

    fn model(&self) -> PathBuf {
        self.0.path().join("models--owner--nezha")
    }

    /// The names of the contents that are there, complete or not.
    fn contents(&self) -> BTreeSet<String> {
        names(&self.model().join("blobs"))
    }

    fn main(&self) -> Option<String> {
        fs::read_to_string(self.model().join("refs/main")).ok()
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeSet::new();
    };
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|it| name(it.unwrap())).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

fn try_fetch(hub: &Hub, model: &str) -> Result<Snapshot, HubError> {
    let model: ModelId = model.parse().unwrap();
    hub.fetch(&model, &mut |_| ())
}

#[track_caller]
fn fetch(hub: &Hub, model: &str) -> Snapshot {
    match try_fetch(hub, model) {
        Ok(snapshot) => snapshot,
        Err(error) => panic!("{error}: {:?}", error.source()),
    }
}

/// What a user reads of a fetch that has to fail.
#[track_caller]
fn refusal(hub: &Hub, model: &str, parts: &[&str]) -> HubError {
    match try_fetch(hub, model) {
        Ok(snapshot) => panic!("fetched {snapshot:?}"),
        Err(error) => {
            let message = error.to_string();
            for part in parts {
                assert!(message.contains(part), "no \"{part}\" in: {message}");
            }
            error
        }
    }
}

#[test]
fn what_a_checkpoint_needs_lies_in_the_layout_of_the_hubs_own_cache() {
    let (server, cache) = (server(), Cache::new());
    let mut seen = Vec::new();
    let model: ModelId = MODEL.parse().unwrap();
    let hub = cache.hub(&server);
    let snapshot = hub
        .fetch(&model, &mut |progress| {
            seen.push((progress.done, progress.total))
        })
        .unwrap();
    assert_eq!(snapshot.commit, COMMIT);
    assert!(snapshot.unreachable.is_none());
    assert_eq!(
        snapshot.folder,
        cache.model().join("snapshots").join(COMMIT)
    );
    let needed = ["config.json", "model.safetensors", "vocab.txt"];
    assert_eq!(names(&snapshot.folder), set(&needed));
    assert_eq!(
        fs::read(snapshot.folder.join("config.json")).unwrap(),
        CONFIG
    );
    assert_eq!(
        fs::read(snapshot.folder.join("model.safetensors")).unwrap(),
        weights()
    );
    let contents = [
        git_hash(CONFIG),
        git_hash(b"[PAD]\n[UNK]\n"),
        sha256(&weights()),
    ];
    assert_eq!(cache.contents(), contents.into_iter().collect());
    assert_eq!(cache.main().as_deref(), Some(COMMIT));
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(snapshot.folder.join("config.json")).unwrap(),
        Path::new("../../blobs").join(git_hash(CONFIG))
    );
    assert_eq!(
        server.asked("HEAD").into_iter().collect::<BTreeSet<_>>(),
        set(&needed)
    );

    let bytes = (CONFIG.len() + weights().len() + 12) as u64;
    assert_eq!(seen.last(), Some(&(bytes, bytes)));
    assert!(seen.is_sorted(), "{seen:?}");

    server.forget();
    fetch(&hub, MODEL);
    assert_eq!(server.asked("GET"), ["main"], "all of it was there");
    assert!(server.asked("HEAD").is_empty());
}

#[test]
fn a_connection_that_breaks_is_resumed_where_it_broke() {
    let (server, cache) = (server(), Cache::new());
    let faults = [
        Fault::BreakAfter(70_001),
        Fault::Status(503),
        Fault::BreakAfter(50_000),
    ];
    server.fail("model.safetensors", &faults);
    let snapshot = fetch(&cache.hub(&server), MODEL);
    assert_eq!(
        fs::read(snapshot.folder.join("model.safetensors")).unwrap(),
        weights()
    );
    let ranges = server.ranges("model.safetensors");
    assert_eq!(ranges.len(), 4, "{ranges:?}");
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1].as_deref(), Some("bytes=70001-"));
    assert_eq!(ranges[2].as_deref(), Some("bytes=70001-"));
    assert_eq!(ranges[3].as_deref(), Some("bytes=120001-"));
}

#[test]
fn a_connection_that_breaks_again_and_again_is_resumed_by_the_next_fetch() {
    let (server, cache) = (server(), Cache::new());
    let hub = cache.hub(&server);
    server.fail(
        "model.safetensors",
        &[&[Fault::BreakAfter(9)][..], &[Fault::BreakAfter(0); 9]].concat(),
    );
    let error = refusal(
        &hub,
        MODEL,
        &[
            "'model.safetensors' broke off at byte 9",
            "goes on from there",
        ],
    );
    assert!(error.source().is_some(), "no cause of {error:?}");
    assert_eq!(cache.main(), None, "an incomplete snapshot is published");
    let incomplete = format!("{}.incomplete", sha256(&weights()));
    assert!(
        cache.contents().contains(&incomplete),
        "{:?}",
        cache.contents()
    );
    refusal(
        &Hub::new(server.endpoint(), cache.0.path()).offline(true),
        MODEL,
        &["not completely"],
    );

    server.fail("model.safetensors", &[]);
    server.forget();
    let snapshot = fetch(&hub, MODEL);
    assert_eq!(
        fs::read(snapshot.folder.join("model.safetensors")).unwrap(),
        weights()
    );
    assert_eq!(
        server.ranges("model.safetensors"),
        [Some("bytes=9-".to_owned())]
    );
    assert!(
        !cache.contents().contains(&incomplete),
        "{:?}",
        cache.contents()
    );
}

#[test]
fn a_server_without_ranges_starts_again_from_the_first_byte() {
    let (server, cache) = (server(), Cache::new());
    server.state().ranges = false;
    server.fail("model.safetensors", &[Fault::BreakAfter(70_000)]);
    let snapshot = fetch(&cache.hub(&server), MODEL);
    assert_eq!(
        fs::read(snapshot.folder.join("model.safetensors")).unwrap(),
        weights()
    );
}

#[test]
fn content_with_another_checksum_never_gets_its_name() {
    for (file, bytes) in [
        ("model.safetensors", weights()),
        ("config.json", CONFIG.to_vec()),
    ] {
        let (server, cache) = (server(), Cache::new());
        server.fail(file, &[Fault::Corrupt; 9]);
        let digits = if file == "config.json" {
            git_hash(&bytes)
        } else {
            sha256(&bytes)
        };
        let message = format!("'{file}' arrived with the checksum ");
        let expected = format!("expected {digits}");
        refusal(&cache.hub(&server), MODEL, &[&message, &expected]);
        let left = cache.contents();
        assert!(
            left.iter().all(|name| !name.starts_with(&digits)),
            "{left:?}"
        );
        assert_eq!(cache.main(), None);
        assert!(!names(&cache.model().join("snapshots").join(COMMIT)).contains(file));

        server.fail(file, &[]);
        fetch(&cache.hub(&server), MODEL);
    }
}

#[test]
fn what_an_earlier_download_left_and_is_wrong_is_downloaded_again() {
    let (server, cache) = (server(), Cache::new());
    let blobs = cache.model().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    for left in [&b"something else"[..], &[0; 200_000], &[0; 200_001]] {
        fs::write(
            blobs.join(format!("{}.incomplete", sha256(&weights()))),
            left,
        )
        .unwrap();
        let snapshot = fetch(&cache.hub(&server), MODEL);
        let file = snapshot.folder.join("model.safetensors");
        assert_eq!(fs::read(&file).unwrap(), weights());
        fs::remove_file(&file).unwrap();
        fs::remove_file(blobs.join(sha256(&weights()))).unwrap();
    }
}

#[test]
fn a_missing_model_and_a_missing_revision_are_told_apart() {
    let (server, cache) = (server(), Cache::new());
    let hub = cache.hub(&server);
    let parts = ["no model 'owner/other'", "spelling", "HF_TOKEN"];
    let error = refusal(&hub, "owner/other", &parts);
    assert!(matches!(error, HubError::NoSuchModel { .. }), "{error:?}");
    let error = refusal(
        &hub,
        "owner/nezha@v9",
        &["'owner/nezha' has no revision 'v9'"],
    );
    assert!(
        matches!(error, HubError::NoSuchRevision { .. }),
        "{error:?}"
    );
    assert!(
        names(cache.0.path()).is_empty(),
        "{:?}",
        names(cache.0.path())
    );
}

#[test]
fn a_gated_model_takes_a_token_which_only_the_hub_gets() {
    let (server, cache) = (server(), Cache::new());
    server.state().gated = true;
    let page = format!("{}/{MODEL}", server.endpoint());
    refusal(
        &cache.hub(&server),
        MODEL,
        &["gated", &page, "HF_TOKEN", "hf auth login"],
    );
    let wrong = cache.hub(&server).token("hf_wrong");
    refusal(&wrong, MODEL, &["gated", "the token that was sent"]);
    assert_eq!(cache.main(), None);

    server.forget();
    fetch(&cache.hub(&server).token(TOKEN), MODEL);
    for request in &server.state().requests {
        let sent = request.headers.contains_key("authorization");
        let stored = request.path.starts_with("/stored/");
        assert_eq!(sent, !stored, "{} {}", request.method, request.path);
    }
}

#[test]
fn a_private_model_is_one_that_is_not_there_until_the_token_is() {
    let (server, cache) = (server(), Cache::new());
    server.state().private = true;
    refusal(
        &cache.hub(&server),
        MODEL,
        &["only for those it is shared with", "HF_TOKEN"],
    );
    fetch(&cache.hub(&server).token(TOKEN), MODEL);
}

#[test]
fn a_mirror_may_have_a_path_and_a_slash_at_its_end() {
    let (server, cache) = (server(), Cache::new());
    let hub = Hub::new(format!("{}/mirror/", server.endpoint()), cache.0.path());
    fetch(&hub, MODEL);
    let state = server.state();
    let asked = state
        .requests
        .iter()
        .filter(|it| !it.path.starts_with("/stored/"));
    assert!(asked.clone().count() > 3);
    for request in asked {
        assert!(request.path.starts_with("/mirror/"), "{}", request.path);
        assert!(!request.path.contains("//"), "{}", request.path);
    }
}

#[test]
fn offline_nobody_is_asked() {
    let (server, cache) = (server(), Cache::new());
    let offline = || cache.hub(&server).offline(true);
    let parts = ["'owner/nezha'", "HF_HUB_OFFLINE", "hf download owner/nezha"];
    refusal(&offline(), MODEL, &parts);
    assert!(server.state().requests.is_empty());
    let expected = fetch(&cache.hub(&server), MODEL).folder;
    server.forget();
    for name in [MODEL.to_owned(), format!("{MODEL}@{COMMIT}")] {
        assert_eq!(fetch(&offline(), &name).folder, expected);
    }
    refusal(&offline(), "owner/nezha@v1", &["'owner/nezha@v1'"]);
    assert!(server.state().requests.is_empty());

    fs::remove_file(expected.join("model.safetensors")).unwrap();
    refusal(&offline(), MODEL, &parts);
}

#[test]
fn without_a_network_the_cache_is_taken_and_it_is_said() {
    let (server, cache) = (server(), Cache::new());
    // Nobody listens on the port of a listener that is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gone = format!("http://{gone}");
    let unreachable = || Hub::new(&gone, cache.0.path());
    let parts = [gone.as_str(), "can't be reached", "HF_ENDPOINT"];
    let error = refusal(&unreachable(), MODEL, &parts);
    assert!(error.source().is_some(), "no cause of {error:?}");

    let expected = fetch(&cache.hub(&server), MODEL).folder;
    let snapshot = fetch(&unreachable(), MODEL);
    assert_eq!(snapshot.folder, expected);
    let said = snapshot.unreachable.unwrap().to_string();
    assert!(said.contains(&gone), "{said}");
}

#[test]
fn a_tag_and_a_commit_are_revisions_and_a_commit_is_asked_for_once() {
    let (server, cache) = (server(), Cache::new());
    let hub = cache.hub(&server);
    fetch(&hub, "owner/nezha@v1");
    assert_eq!(names(&cache.model().join("refs")), set(&["v1"]));
    server.forget();
    fetch(&hub, &format!("{MODEL}@{COMMIT}"));
    assert!(
        server.state().requests.is_empty(),
        "{:?}",
        server.state().requests
    );
    assert_eq!(names(&cache.model().join("refs")), set(&["v1"]));
}

#[test]
fn a_model_that_was_renamed_is_found_under_its_former_name() {
    let (server, cache) = (server(), Cache::new());
    let snapshot = fetch(&cache.hub(&server), FORMER);
    assert_eq!(
        fs::read(snapshot.folder.join("model.safetensors")).unwrap(),
        weights()
    );
}

#[test]
fn shards_come_with_their_index_and_without_the_weights_in_one_piece() {
    let index = br#"{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors",
        "b": "model-00002-of-00002.safetensors", "c": "../../../etc/passwd"}}"#;
    let server = Server::start(&[
        ("config.json", CONFIG),
        ("model.safetensors.index.json", index),
        ("model-00001-of-00002.safetensors", b"first"),
        ("model-00002-of-00002.safetensors", b"second"),
        ("model-00003-of-00003.safetensors", b"of another save"),
        ("pytorch_model.bin", b"pickle"),
    ]);
    let cache = Cache::new();
    let snapshot = fetch(&cache.hub(&server), MODEL);
    let expected = [
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    assert_eq!(names(&snapshot.folder), set(&expected));
}

#[test]
fn a_model_without_weights_says_what_it_has_instead() {
    let files: [(&str, &[u8]); 3] = [
        ("config.json", CONFIG),
        ("flax_model.msgpack", b"flax"),
        ("README.md", b"#"),
    ];
    let server = Server::start(&files);
    let cache = Cache::new();
    refusal(
        &cache.hub(&server),
        MODEL,
        &["no weights", "flax_model.msgpack"],
    );
    let server = Server::start(&[("fold0.pth", b"0"), ("fold1.pth", b"1")]);
    refusal(
        &cache.hub(&server),
        MODEL,
        &["several", "fold0.pth, fold1.pth"],
    );
    assert!(server.asked("HEAD").is_empty());
}

#[test]
fn answers_that_would_lead_out_of_the_cache_are_refused() {
    let cache = Cache::new();
    let hostile = server();
    hostile.state().commit = "../../../../tmp/x".to_owned();
    refusal(
        &cache.hub(&hostile),
        MODEL,
        &["expected the name of a commit"],
    );

    let hostile = server();
    let etag = "\"../../../x\"".to_owned();
    hostile.state().etags.insert("config.json".to_owned(), etag);
    refusal(&cache.hub(&hostile), MODEL, &["no checksum as its ETag"]);

    let hostile = Server::start(&[
        ("config.json", CONFIG),
        ("../../evil.safetensors", b"evil"),
        ("..\\evil.pth", b"evil"),
        ("sub/model.safetensors", b"below"),
    ]);
    refusal(&cache.hub(&hostile), MODEL, &["no weights"]);

    let hostile = Server::start(&[]);
    hostile.state().commit = "x".repeat(20 << 20);
    refusal(&cache.hub(&hostile), MODEL, &["too long a list of files"]);
    assert!(
        names(cache.0.path()).is_empty(),
        "{:?}",
        names(cache.0.path())
    );
}

#[test]
fn two_who_fetch_at_a_time_download_once() {
    let (server, cache) = (server(), Cache::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| fetch(&cache.hub(&server), MODEL));
        }
    });
    assert_eq!(server.ranges("model.safetensors"), [None]);
}
