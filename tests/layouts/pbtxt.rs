//! Protobuf's text format, as far as Triton's configs use it.

/// The fields of a message in order; lists are fields that repeat.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<(String, Field)>);

#[derive(Debug)]
enum Field {
    Message(Message),
    Scalar(String),
}

impl Message {
    /// Reads a whole file; panics where it is no such text.
    pub(crate) fn parse(text: &str) -> Self {
        let mut tokens = tokens(text).into_iter();
        let message = Self::fields(&mut tokens);
        assert_eq!(tokens.next(), None, "text behind the message");
        message
    }

    fn fields(tokens: &mut std::vec::IntoIter<String>) -> Self {
        let mut message = Self::default();
        while let Some(name) = tokens.as_slice().first().cloned() {
            if name == "}" {
                break;
            }
            tokens.next();
            assert!(
                name.starts_with(|it: char| it.is_ascii_lowercase()),
                "field {name:?}"
            );
            let mut next = tokens.next().expect("a value");
            if next == ":" {
                next = tokens.next().expect("a value");
            }
            if next != "[" {
                let field = Self::value(next, tokens);
                message.0.push((name, field));
                continue;
            }
            loop {
                let next = tokens.next().expect("an end of the list");
                match next.as_str() {
                    "]" => break,
                    "," => {}
                    _ => {
                        let field = Self::value(next, tokens);
                        message.0.push((name.clone(), field));
                    }
                }
            }
        }
        message
    }

    fn value(first: String, tokens: &mut std::vec::IntoIter<String>) -> Field {
        if first != "{" {
            return Field::Scalar(first.trim_matches('"').to_owned());
        }
        let message = Self::fields(tokens);
        assert_eq!(tokens.next().as_deref(), Some("}"));
        Field::Message(message)
    }

    fn scalars(&self, name: &str) -> Vec<&str> {
        let fields = self.0.iter().filter(|(it, _)| it == name);
        fields
            .map(|(_, field)| match field {
                Field::Scalar(text) => text.as_str(),
                Field::Message(message) => panic!("{name} is {message:?}"),
            })
            .collect()
    }

    /// The only value of a field.
    pub(crate) fn text(&self, name: &str) -> &str {
        let [text] = self.scalars(name)[..] else {
            panic!("{name} is there {} times", self.scalars(name).len());
        };
        text
    }

    /// The only value of a field, a number.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap()
    }

    /// The values of a repeated field.
    pub(crate) fn numbers(&self, name: &str) -> Vec<i64> {
        let texts = self.scalars(name).into_iter();
        texts.map(|it| it.parse().unwrap()).collect()
    }

    /// The messages of a repeated field.
    pub(crate) fn messages(&self, name: &str) -> Vec<&Message> {
        let fields = self.0.iter().filter(|(it, _)| it == name);
        fields
            .map(|(_, field)| match field {
                Field::Message(message) => message,
                Field::Scalar(text) => panic!("{name} is {text:?}"),
            })
            .collect()
    }
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' | '}' | '[' | ']' | ':' | ',' => 1,
            '"' => 2 + rest[1..].find('"').expect("the end of a text"),
            _ => rest
                .find(|it: char| it.is_whitespace() || "{}[]:,".contains(it))
                .unwrap_or(rest.len()),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}
