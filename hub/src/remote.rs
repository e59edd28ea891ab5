//! The requests to the hub, and the meaning of its responses.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::checksum::Checksum;
use crate::id::is_commit;
use crate::{HubError, ModelId};

/// How long to wait for a connection, and for the start of a response.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a transfer may receive nothing.
const SILENCE: Duration = Duration::from_mins(1);

/// The most bytes of a list of files.
const LISTING_LIMIT: u64 = 16 << 20;

/// How many redirects within the hub a file may have.
const MOST_MOVES: usize = 5;

/// The characters that are percent-encoded in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A hub, and the token for it.
pub(crate) struct Remote {
    endpoint: String,
    agent: Agent,
    pub token: Option<String>,
}

/// Omits the token, which is a secret.
impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut remote = f.debug_struct("Remote");
        remote.field("endpoint", &self.endpoint);
        remote.finish_non_exhaustive()
    }
}

/// The files of a commit.
pub(crate) struct Listing {
    pub commit: String,
    /// The files at the top level of the repository.
    pub files: Vec<String>,
}

/// What the hub says about a file before it is downloaded.
pub(crate) struct FileInfo {
    pub checksum: Checksum,
    pub size: Option<u64>,
}

/// A file that is being downloaded.
pub(crate) struct Transfer {
    /// The byte of the file at which it starts.
    pub start: u64,
    pub content: Box<dyn Read>,
}

impl Remote {
    pub(crate) fn new(endpoint: String, token: Option<String>) -> Self {
        // Uses the system's certificates: a mirror may have one of the user's company.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
        let agent = Agent::config_builder()
            .user_agent(concat!("nezha-hub/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .tls_config(tls.build())
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(SILENCE))
            .build();
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            agent: agent.into(),
            token,
        }
    }

    /// The commit that the revision points to, and its files.
    pub(crate) fn listing(&self, model: &ModelId) -> Result<Listing, HubError> {
        #[derive(Deserialize)]
        struct Answer {
            sha: String,
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        let revision = encode(model.revision());
        let url = format!(
            "{}/api/models/{}/revision/{revision}",
            self.endpoint,
            model.name()
        );
        let request = self.authorized(self.agent.get(&url));
        let mut response = request.call().map_err(|source| self.unreachable(source))?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(model, &url, &response));
        }
        let malformed = |reason: &str, source| HubError::Answer {
            place: url.clone(),
            reason: reason.to_owned(),
            source,
        };
        let body = response.body_mut().with_config().limit(LISTING_LIMIT);
        let text = body.read_to_vec().map_err(|source| match source {
            ureq::Error::BodyExceedsLimit(_) => malformed("too long a list of files", None),
            other => self.unreachable(other),
        })?;
        let answer: Answer = serde_json::from_slice(&text)
            .map_err(|source| malformed("expected a model's files as JSON", Some(source.into())))?;
        if !is_commit(&answer.sha) {
            return Err(malformed("expected the name of a commit as `sha`", None));
        }
        let files = answer.siblings.into_iter().map(|it| it.rfilename);
        Ok(Listing {
            commit: answer.sha,
            files: files.filter(|name| is_plain(name)).collect(),
        })
    }

    /// The checksum and the size of a file.
    pub(crate) fn info(
        &self,
        model: &ModelId,
        commit: &str,
        file: &str,
    ) -> Result<FileInfo, HubError> {
        let mut url = self.file(model, commit, file);
        for _ in 0..MOST_MOVES {
            // Redirects to the storage of large files are not followed: it returns other checksums.
            let request = self.agent.head(&url).config().max_redirects(0).build();
            let request = self
                .authorized(request)
                .header("Accept-Encoding", "identity");
            let response = request.call().map_err(|source| self.unreachable(source))?;
            let status = response.status();
            if !status.is_success() && !status.is_redirection() {
                return Err(self.refusal(model, &url, &response));
            }
            let headers = response.headers();
            match text(headers, "location") {
                Some(path) if path.starts_with('/') && !path.starts_with("//") => {
                    url = format!("{}{path}", self.origin());
                }
                _ => {
                    return file_info(headers, status).ok_or_else(|| HubError::Answer {
                        place: url,
                        reason: "no checksum as its ETag".to_owned(),
                        source: None,
                    });
                }
            }
        }
        Err(HubError::Answer {
            place: url,
            reason: "it has moved too often".to_owned(),
            source: None,
        })
    }

    /// A file from byte `start` on, or from its first byte if the hub can't start there.
    pub(crate) fn content(
        &self,
        model: &ModelId,
        commit: &str,
        file: &str,
        start: u64,
    ) -> Result<Transfer, HubError> {
        let url = self.file(model, commit, file);
        let mut request = self
            .authorized(self.agent.get(&url))
            .header("Accept-Encoding", "identity");
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        let response = request.call().map_err(|source| self.unreachable(source))?;
        let start = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if starts_at(response.headers(), start) => start,
            // The file is shorter than what has arrived, which then belongs to another file.
            StatusCode::RANGE_NOT_SATISFIABLE if start > 0 => {
                return self.content(model, commit, file, 0);
            }
            _ => return Err(self.refusal(model, &url, &response)),
        };
        Ok(Transfer {
            start,
            content: Box::new(response.into_body().into_reader()),
        })
    }

    fn file(&self, model: &ModelId, commit: &str, file: &str) -> String {
        let name = model.name();
        format!("{}/{name}/resolve/{commit}/{}", self.endpoint, encode(file))
    }

    /// The endpoint without its path.
    fn origin(&self) -> &str {
        let host = self.endpoint.find("://").map_or(0, |at| at + 3);
        match self.endpoint[host..].find('/') {
            Some(path) => &self.endpoint[..host + path],
            None => &self.endpoint,
        }
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn unreachable(&self, source: ureq::Error) -> HubError {
        HubError::Unreachable {
            endpoint: self.endpoint.clone(),
            source: source.into(),
        }
    }

    /// The error that an unsuccessful response means.
    fn refusal(&self, model: &ModelId, url: &str, response: &Response<Body>) -> HubError {
        let (model, endpoint) = (model.clone(), self.endpoint.clone());
        let token = self.token.is_some();
        let status = response.status().as_u16();
        let url = url.to_owned();
        match (text(response.headers(), "x-error-code"), status) {
            (Some("GatedRepo"), _) => HubError::Gated {
                model,
                endpoint,
                token,
            },
            (Some("RevisionNotFound"), _) => HubError::NoSuchRevision { model, endpoint },
            // The hub answers like this to everyone who may not see the model.
            (Some("RepoNotFound"), _) | (None, 404) => HubError::NoSuchModel {
                model,
                endpoint,
                token,
            },
            (_, 401 | 403) => HubError::Refused { url, status, token },
            _ => HubError::Status { url, status },
        }
    }
}

fn file_info(headers: &HeaderMap, status: StatusCode) -> Option<FileInfo> {
    let etag = text(headers, "x-linked-etag").or_else(|| text(headers, "etag"))?;
    let length = text(headers, "content-length").filter(|_| status.is_success());
    let size = text(headers, "x-linked-size").or(length);
    Some(FileInfo {
        checksum: Checksum::from_etag(etag)?,
        size: size.and_then(|size| size.parse().ok()),
    })
}

/// Whether a partial response starts at the requested byte.
fn starts_at(headers: &HeaderMap, start: u64) -> bool {
    text(headers, "content-range")
        .and_then(|range| range.strip_prefix("bytes ")?.split('-').next())
        .is_some_and(|first| first.trim().parse() == Ok(start))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a name is a plain file name on every system, without folders.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, PART).to_string()
}
