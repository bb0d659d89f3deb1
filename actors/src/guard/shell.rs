//! A shell line taken apart, as far as it takes to see which commands it runs. Pure, and never fails.
//!
//! It knows quotes, escapes, substitutions, subshells, redirections, here-documents and comments. What only the shell
//! itself could know (what is in a variable, which files a pattern names) is marked as uncertain, and a text that
//! does not come to its end is marked too: whoever reads on decides for the worse. No crate does that: those that cut
//! words know no commands, and parsers of the whole language refuse what they do not understand.

use std::mem;

/// What a text runs, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) steps: Vec<Step>,
    /// The texts of here-documents: scripts, if a shell reads them.
    pub(super) documents: Vec<String>,
    /// Whether the text comes to its end: no quote, substitution or document is open.
    pub(super) is_whole: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A command with its arguments; not empty, without redirections.
    Run(Vec<Word>, Then),
    /// A subshell begins: what changes in it is over with [`Step::Leave`].
    Enter,
    Leave,
}

/// Whether what follows runs behind it, in the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// `;`, `&&`, the end of a line.
    Next,
    /// `||`, `|`, `&`: perhaps instead of it, or beside it.
    Perhaps,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether the command gets it as it stands here.
    pub(super) is_certain: bool,
}

/// Takes a text apart.
pub(super) fn read(text: &str) -> Script {
    let mut reader = Reader {
        letters: text.chars().collect(),
        at: 0,
        frames: vec![Frame::default()],
        awaited: Vec::new(),
        script: Script { is_whole: true, ..Script::default() },
    };
    reader.run();
    reader.script
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    /// The last one is read at the moment; the others go on when it is closed. A list, so that nesting takes no stack.
    frames: Vec<Frame>,
    /// Here-documents that begin behind the line.
    awaited: Vec<Document>,
    script: Script,
}

#[derive(Default)]
struct Frame {
    words: Vec<Word>,
    word: Option<Word>,
    /// What the next word is, if it is no argument.
    target: Option<Target>,
    is_quoted: bool,
    is_backtick: bool,
}

#[derive(Clone, Copy)]
enum Target {
    File,
    Document {
        is_indented: bool,
    },
    /// A document in one word: `<<<`.
    Line,
}

struct Document {
    end: String,
    is_indented: bool,
}

impl Reader {
    fn run(&mut self) {
        while let Some(letter) = self.next() {
            if self.top().is_quoted {
                self.quoted(letter);
            } else {
                self.plain(letter);
            }
        }
        let is_open = self.frames.len() > 1 || self.top().is_quoted;
        self.end_command(Then::Next);
        self.script.is_whole &= !is_open && self.awaited.is_empty();
        while self.frames.len() > 1 {
            self.close();
        }
    }

    fn quoted(&mut self, letter: char) {
        match letter {
            '"' => self.top().is_quoted = false,
            '\\' => match self.next() {
                Some('\n') | None => {}
                Some(next @ ('$' | '`' | '"' | '\\')) => self.push(next),
                Some(next) => {
                    self.push('\\');
                    self.push(next);
                }
            },
            '$' => self.dollar(),
            '`' => self.backtick(),
            _ => self.push(letter),
        }
    }

    fn plain(&mut self, letter: char) {
        match letter {
            '\\' => match self.next() {
                Some('\n') | None => {}
                Some(next) => {
                    // Within backticks this begins further ones, which nobody writes.
                    self.script.is_whole &= next != '`';
                    self.push(next);
                }
            },
            '\'' => self.until_quote(false),
            '"' => {
                self.word();
                self.top().is_quoted = true;
            }
            '$' => self.dollar(),
            '`' => self.backtick(),
            '#' if self.top().word.is_none() => {
                while self.peek().is_some_and(|next| next != '\n') {
                    self.at += 1;
                }
            }
            '\n' => {
                self.end_command(Then::Next);
                self.read_documents();
            }
            ';' => self.end_command(Then::Next),
            '&' if self.eat('&') => self.end_command(Then::Next),
            '&' if self.peek() == Some('>') => self.end_word(),
            '&' => self.end_command(Then::Perhaps),
            '|' => {
                let _ = self.eat('|') || self.eat('&');
                self.end_command(Then::Perhaps);
            }
            '(' => {
                self.end_command(Then::Next);
                self.open();
            }
            ')' => self.close(),
            '<' | '>' => self.redirect(letter),
            // Whoever goes there knows where it is.
            '~' if self.top().word.is_none()
                && matches!(self.peek(), None | Some('/' | ' ' | '\n' | ';' | '&' | ')')) =>
            {
                self.push('~');
            }
            '*' | '?' | '[' | '~' | '{' => {
                self.push(letter);
                // `[`, `{` and `~` alone are themselves, and a pattern names something else at most.
                self.word().is_certain = false;
            }
            _ if letter.is_whitespace() => self.end_word(),
            _ => self.push(letter),
        }
    }

    fn dollar(&mut self) {
        self.word().is_certain = false;
        if self.eat('(') {
            self.open();
        } else if !self.top().is_quoted && self.eat('\'') {
            self.until_quote(true);
        } else if self.peek() != Some('"') || self.top().is_quoted {
            self.push('$');
        }
    }

    fn backtick(&mut self) {
        if self.top().is_backtick {
            self.close();
            return;
        }
        self.word().is_certain = false;
        self.open();
        self.top().is_backtick = true;
    }

    /// Takes what is within single quotes, with escapes if it was `$'…'`.
    fn until_quote(&mut self, has_escapes: bool) {
        self.word();
        loop {
            match self.next() {
                Some('\'') => return,
                Some('\\') if has_escapes => {
                    if let Some(next) = self.next() {
                        self.push(next);
                    }
                }
                Some(letter) => self.push(letter),
                None => {
                    self.script.is_whole = false;
                    return;
                }
            }
        }
    }

    fn redirect(&mut self, letter: char) {
        let is_descriptor = |word: &Word| word.text.chars().all(|digit| digit.is_ascii_digit());
        if self.top().word.as_ref().is_some_and(is_descriptor) {
            self.top().word = None;
        }
        if self.peek() == Some('(') {
            self.at += 1;
            self.word().is_certain = false;
            self.open();
            return;
        }
        self.end_word();
        let mut target = Target::File;
        if letter == '<' && self.eat('<') {
            target = match self.eat('<') {
                true => Target::Line,
                false => Target::Document { is_indented: self.eat('-') },
            };
        } else {
            let _ = self.eat('&') || self.eat('>') || self.eat('|');
        }
        self.top().target = Some(target);
    }

    /// A subshell begins, or a substitution.
    fn open(&mut self) {
        self.script.steps.push(Step::Enter);
        self.frames.push(Frame::default());
    }

    /// It ends; at the outermost level, where it belongs to a `case`, only the command does.
    fn close(&mut self) {
        self.end_command(Then::Next);
        if self.frames.len() > 1 {
            self.frames.pop();
            self.script.steps.push(Step::Leave);
        }
    }

    fn end_command(&mut self, then: Then) {
        self.end_word();
        self.top().target = None;
        let words = mem::take(&mut self.top().words);
        if !words.is_empty() {
            self.script.steps.push(Step::Run(words, then));
        }
    }

    fn end_word(&mut self) {
        let frame = self.top();
        let Some(word) = frame.word.take() else { return };
        match frame.target.take() {
            None => frame.words.push(word),
            Some(Target::File) => {}
            Some(Target::Line) => self.script.documents.push(word.text),
            Some(Target::Document { is_indented }) => {
                self.awaited.push(Document { end: word.text, is_indented });
            }
        }
    }

    fn read_documents(&mut self) {
        for Document { end, is_indented } in mem::take(&mut self.awaited) {
            let mut text = String::new();
            loop {
                if self.at >= self.letters.len() {
                    self.script.is_whole = false;
                    break;
                }
                let line = self.line();
                let line = if is_indented { line.trim_start_matches('\t') } else { &line };
                if line == end {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            self.script.documents.push(text);
        }
    }

    fn line(&mut self) -> String {
        let rest = &self.letters[self.at..];
        let length = rest.iter().position(|letter| *letter == '\n').unwrap_or(rest.len());
        let line = rest[..length].iter().collect();
        self.at += (length + 1).min(rest.len());
        line
    }

    fn push(&mut self, letter: char) {
        self.word().text.push(letter);
    }

    fn word(&mut self) -> &mut Word {
        self.top().word.get_or_insert(Word { text: String::new(), is_certain: true })
    }

    fn top(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the outermost frame is never closed")
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn eat(&mut self, letter: char) -> bool {
        let is_next = self.peek() == Some(letter);
        self.at += usize::from(is_next);
        is_next
    }
}

#[cfg(test)]
mod tests;
