//! Texts that are split into words before the tokenizer sees them.

use std::collections::HashSet;

/// A text as words, each of which gets its own answer.
///
/// ```
/// use nezha_runtime::task::{Split, Words};
///
/// let words = Split::Characters.split("北 京");
/// assert_eq!(words.texts(), ["北", " ", "京"]);
/// let words = Words::from_iter(["iPhone", "13"]);
/// assert_eq!(words.place(1), Some((6, 8)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    texts: Vec<String>,
    /// The start of each word, in characters.
    starts: Vec<usize>,
}

impl Words {
    /// The words.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Start and end of a word, in characters of the text; `None` if there is no such word. Words
    /// that came as a list are counted as if they followed each other without blanks.
    pub fn place(&self, word: usize) -> Option<(usize, usize)> {
        let (start, text) = (self.starts.get(word)?, self.texts.get(word)?);
        Some((*start, start + text.chars().count()))
    }

    fn push(&mut self, start: usize, word: String) {
        self.starts.push(start);
        self.texts.push(word);
    }
}

impl<S: Into<String>> FromIterator<S> for Words {
    fn from_iter<I: IntoIterator<Item = S>>(words: I) -> Self {
        let mut found = Self::default();
        let mut start = 0;
        for word in words.into_iter().map(Into::into) {
            let length = word.chars().count();
            found.push(start, word);
            start += length;
        }
        found
    }
}

/// How a text is split into words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// Each character (Unicode scalar value) is a word, even a blank.
    Characters,
    /// Blanks separate words.
    Spaces,
    /// Repeatedly takes the longest word of a list; a character that starts no word of the list is
    /// a word by itself.
    LongestOf(WordList),
}

/// A list of words to find in texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordList {
    words: HashSet<Vec<char>>,
    longest: usize,
}

impl<S: AsRef<str>> FromIterator<S> for WordList {
    fn from_iter<I: IntoIterator<Item = S>>(words: I) -> Self {
        let words = words.into_iter().map(|it| it.as_ref().chars().collect());
        let words: HashSet<Vec<char>> = words.collect();
        Self {
            longest: words.iter().map(Vec::len).max().unwrap_or(0),
            words,
        }
    }
}

impl WordList {
    /// The length in characters of the longest word that the text begins with, at least 1.
    fn length_at(&self, text: &[char]) -> usize {
        let mut lengths = (2..=self.longest.min(text.len())).rev();
        let known = lengths.find(|length| self.words.contains(&text[..*length]));
        known.unwrap_or(1)
    }
}

impl Split {
    /// Splits a text into words.
    pub fn split(&self, text: &str) -> Words {
        let characters: Vec<char> = text.chars().collect();
        let mut words = Words::default();
        let mut start = 0;
        while let Some(rest) = characters.get(start..).filter(|it| !it.is_empty()) {
            let is_blank = |c: &char| c.is_whitespace();
            let length = match self {
                Split::Characters => 1,
                Split::Spaces => rest.iter().position(is_blank).unwrap_or(rest.len()),
                Split::LongestOf(list) => list.length_at(rest),
            };
            if length == 0 {
                start += 1;
                continue;
            }
            words.push(start, rest[..length].iter().collect());
            start += length;
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(split: &Split, text: &str) -> Vec<(String, usize, usize)> {
        let words = split.split(text);
        let placed = words.texts().iter().enumerate().map(|(number, word)| {
            let (start, end) = words.place(number).unwrap();
            (word.clone(), start, end)
        });
        placed.collect()
    }

    fn of(words: &[(&str, usize, usize)]) -> Vec<(String, usize, usize)> {
        let words = words.iter();
        words
            .map(|(word, start, end)| ((*word).to_owned(), *start, *end))
            .collect()
    }

    #[test]
    fn every_character_is_a_word_blanks_and_broken_ones_too() {
        let expected = of(&[("北", 0, 1), (" ", 1, 2), ("\u{fffd}", 2, 3), ("𠮷", 3, 4)]);
        assert_eq!(split(&Split::Characters, "北 \u{fffd}𠮷"), expected);
        assert_eq!(split(&Split::Characters, ""), []);
    }

    #[test]
    fn blanks_are_between_words_however_many_there_are() {
        let expected = of(&[("iPhone", 1, 7), ("13", 9, 11)]);
        assert_eq!(split(&Split::Spaces, " iPhone\u{3000} 13 "), expected);
    }

    #[test]
    fn the_longest_word_of_a_list_is_taken_and_else_a_character() {
        let list = WordList::from_iter(["北京", "北京大学", "大学生", ""]);
        let expected = of(&[("我", 0, 1), ("北京大学", 1, 5), ("生", 5, 6), (" ", 6, 7)]);
        assert_eq!(split(&Split::LongestOf(list), "我北京大学生 "), expected);
        let none = Split::LongestOf(WordList::default());
        assert_eq!(split(&none, "ab"), of(&[("a", 0, 1), ("b", 1, 2)]));
    }
}
