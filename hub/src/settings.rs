//! Reads the environment variables, as the hub's own tools do.

use std::fs;
use std::path::PathBuf;

use crate::HubError;

/// The address of the hub itself.
const ENDPOINT: &str = "https://huggingface.co";

/// The values that mean yes.
const YES: [&str; 4] = ["1", "ON", "YES", "TRUE"];

/// The hub's address, the user's token, and the cache.
pub(crate) struct Settings {
    pub endpoint: String,
    pub token: Option<String>,
    pub cache: PathBuf,
    pub offline: bool,
}

impl Settings {
    /// Reads the environment through `variable`; an empty variable counts as unset.
    pub(crate) fn read(
        variable: impl Fn(&str) -> Option<String>,
        user_home: Option<PathBuf>,
    ) -> Result<Self, HubError> {
        let get = |names: &[&str]| {
            let found = names.iter().filter_map(|name| variable(name));
            found
                .map(|value| value.trim().to_owned())
                .find(|value| !value.is_empty())
        };
        let below_user = |cache: Option<String>| match cache {
            Some(cache) => Some(PathBuf::from(cache)),
            None => user_home.map(|home| home.join(".cache")),
        };
        let home = match get(&["HF_HOME"]) {
            Some(home) => PathBuf::from(home),
            None => below_user(get(&["XDG_CACHE_HOME"]))
                .ok_or(HubError::NoHome)?
                .join("huggingface"),
        };
        let cache = get(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]);
        let file = get(&["HF_TOKEN_PATH"]).map_or_else(|| home.join("token"), PathBuf::from);
        // There is no such file if the user is not logged in.
        let saved = || Some(fs::read_to_string(file).ok()?.trim().to_owned());
        let token = get(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]).or_else(saved);
        let offline = get(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]);
        Ok(Self {
            endpoint: get(&["HF_ENDPOINT"]).unwrap_or_else(|| ENDPOINT.to_owned()),
            token: token.filter(|token| !token.is_empty()),
            cache: cache.map_or_else(|| home.join("hub"), PathBuf::from),
            offline: offline.is_some_and(|it| YES.contains(&it.to_uppercase().as_str())),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Settings {
        let get = |name: &str| {
            let found = variables.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(get, Some(PathBuf::from("/home/user"))).unwrap()
    }

    #[test]
    fn without_a_word_the_hubs_own_places_are_meant() {
        let settings = read(&[("HF_TOKEN", ""), ("HF_HUB_OFFLINE", "0")]);
        assert_eq!(settings.endpoint, "https://huggingface.co");
        let cache = PathBuf::from("/home/user/.cache/huggingface/hub");
        assert_eq!(settings.cache, cache);
        assert_eq!(settings.token, None);
        assert!(!settings.offline);
    }

    #[test]
    fn each_variable_moves_what_it_names() {
        for (name, expected) in [
            ("XDG_CACHE_HOME", "/x/huggingface/hub"),
            ("HF_HOME", "/x/hub"),
            ("HF_HUB_CACHE", "/x"),
            ("HUGGINGFACE_HUB_CACHE", "/x"),
        ] {
            assert_eq!(
                read(&[(name, "/x")]).cache,
                PathBuf::from(expected),
                "{name}"
            );
        }
        for (name, value) in [("HF_HUB_OFFLINE", "1"), ("TRANSFORMERS_OFFLINE", "yes")] {
            assert!(read(&[(name, value)]).offline, "{name}={value}");
        }
        let mirror = read(&[("HF_ENDPOINT", "https://mirror.example")]);
        assert_eq!(mirror.endpoint, "https://mirror.example");
    }

    #[test]
    fn the_token_is_the_variables_else_the_files_that_logging_in_left() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("token"), "saved\n").unwrap();
        let at_home = ("HF_HOME", home.path().to_str().unwrap());
        assert_eq!(read(&[at_home]).token.as_deref(), Some("saved"));
        let named = [at_home, ("HF_TOKEN", "named")];
        assert_eq!(read(&named).token.as_deref(), Some("named"));
        let elsewhere = [at_home, ("HF_TOKEN_PATH", "/not/there")];
        assert_eq!(read(&elsewhere).token, None);
    }

    #[test]
    fn without_a_home_the_variable_to_set_is_named() {
        let error = Settings::read(|_| None, None).err().unwrap();
        assert!(error.to_string().contains("HF_HOME"), "{error}");
    }
}
