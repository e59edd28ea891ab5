//! What the hub does not give, and what is not taken from it.

use nezha_hub::HubError;

use crate::server::{MODEL, Server, TOKEN};
use crate::support::{CONFIG, Cache, fetch, names, refusal, server};

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
        &["or it is private", "HF_TOKEN"],
    );
    fetch(&cache.hub(&server).token(TOKEN), MODEL);
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
