//! A page of Markdown, as far as the tests read it.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of README, guide and the like.
#[derive(Clone)]
pub(crate) struct Page {
    /// Its path in the repository.
    pub(crate) name: String,
    /// What it says.
    pub(crate) text: String,
}

/// A line that the page has run, and where it stands.
pub(crate) struct Command {
    /// The line of the page, from 1.
    pub(crate) line: usize,
    /// For the shell.
    pub(crate) text: String,
}

impl Page {
    /// All pages that are held to what they say.
    pub(crate) fn all() -> Vec<Page> {
        let mut paths: Vec<PathBuf> = ["README.md", "SECURITY.md", "CONTRIBUTING.md"]
            .map(PathBuf::from)
            .to_vec();
        for folder in ["docs", "docs/guide"] {
            let entries = fs::read_dir(root().join(folder)).unwrap();
            let names = entries.map(|it| Path::new(folder).join(it.unwrap().file_name()));
            paths.extend(names.filter(|it| it.extension().is_some_and(|it| it == "md")));
        }
        paths.sort();
        let read = |path: PathBuf| Page {
            text: fs::read_to_string(root().join(&path)).unwrap(),
            name: path.to_str().unwrap().to_owned(),
        };
        paths.into_iter().map(read).collect()
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> PathBuf {
        let path = root().join(&self.name);
        path.parent().unwrap().to_owned()
    }

    /// What is done before its first command.
    pub(crate) fn before(&self) -> Vec<&str> {
        let comments = self
            .text
            .lines()
            .filter_map(|it| it.strip_prefix("<!-- before: "));
        comments
            .map(|it| it.strip_suffix(" -->").unwrap())
            .collect()
    }

    /// The commands that it has run, each with the lines that follow it behind a `\`.
    pub(crate) fn blocks(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        let mut fence = None;
        let mut continued = false;
        for (index, line) in self.text.lines().enumerate() {
            if let Some(info) = line.strip_prefix("```") {
                fence = match fence {
                    Some(_) => None,
                    None => Some(info),
                };
                continued = false;
                continue;
            }
            if fence != Some("console") {
                continue;
            }
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(text), _) => commands.push(Command {
                    line: index + 1,
                    text: text.to_owned(),
                }),
                (None, Some(command)) if continued => {
                    command.text.push('\n');
                    command.text.push_str(line);
                }
                // What the command prints.
                (None, _) => {}
            }
            continued = line.ends_with('\\');
        }
        commands
    }

    /// Its lines outside of code blocks, with their numbers from 1.
    pub(crate) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut inside = false;
        let lines = self.text.lines().enumerate();
        lines
            .filter(move |(_, line)| {
                let fence = line.starts_with("```");
                inside ^= fence;
                !inside && !fence
            })
            .map(|(index, line)| (index + 1, line))
    }
}
