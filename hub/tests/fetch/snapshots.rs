//! What is in the cache afterwards, and when the hub is asked.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use nezha_hub::{Hub, ModelId};

use crate::server::{COMMIT, FORMER, MODEL, Server, git_hash, sha256};
use crate::support::{CONFIG, Cache, fetch, names, refusal, server, set, weights};

#[test]
fn what_a_checkpoint_needs_lies_in_the_layout_of_the_hubs_own_cache() {
    let (server, cache) = (server(), Cache::new());
    let mut seen = Vec::new();
    let model: ModelId = MODEL.parse().unwrap();
    let hub = cache.hub(&server);
    let snapshot = hub
        .fetch(&model, &mut |progress| {
            seen.push((progress.done, progress.total));
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
