//! What goes wrong with the content of a file on its way.

use std::error::Error;
use std::fs;
use std::thread;

use nezha_hub::Hub;

use crate::server::{COMMIT, Fault, MODEL, git_hash, sha256};
use crate::support::{CONFIG, Cache, fetch, names, refusal, server, weights};

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
            "the download of 'model.safetensors' broke off at byte 9",
            "the next try continues there",
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
    for left in [
        b"something else".to_vec(),
        vec![0; 200_000],
        vec![0; 200_001],
    ] {
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
fn two_who_fetch_at_a_time_download_once() {
    let (server, cache) = (server(), Cache::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| fetch(&cache.hub(&server), MODEL));
        }
    });
    assert_eq!(server.ranges("model.safetensors"), [None]);
}
