//! The token: how it is made, and how one that is presented is compared.

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// What the store keeps of a token: its SHA-256. A token has 256 random bits, so a slow hash would add nothing.
pub type TokenHash = [u8; 32];

/// So that a token is recognised where it should not be: in logs, in commits.
const PREFIX: &str = "tdm_";

const SECRET_BYTES: usize = 32;

/// The secret that opens the server, in its plain form. It does not show itself in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Makes a new one from the system's random numbers.
    ///
    /// # Errors
    /// [`TokenError::NoRandomness`] when the system has none.
    pub fn generate() -> Result<Self, TokenError> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|cause| TokenError::NoRandomness { cause })?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret))))
    }

    /// Takes one that was written down; `None` when it has not the form of a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let secret = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (secret.len() == SECRET_BYTES).then(|| Self(text.to_owned()))
    }

    /// The plain form: for its file, and for the person who asks for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the store keeps.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        hash(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}

fn hash(text: &str) -> TokenHash {
    Sha256::digest(text.as_bytes()).into()
}

/// Compares presented tokens with those the store knows.
#[derive(Clone)]
pub struct TokenCheck {
    hashes: Vec<TokenHash>,
}

impl TokenCheck {
    /// Knows these and no others; without any, nobody gets in.
    #[must_use]
    pub const fn new(hashes: Vec<TokenHash>) -> Self {
        Self { hashes }
    }

    /// Whether a presented token is one of those known.
    ///
    /// Hashes are compared, all of them and each to its end, so that the time taken tells nothing about any.
    #[must_use]
    pub fn is_valid(&self, token: &str) -> bool {
        let presented = hash(token);
        self.hashes.iter().fold(false, |found, known| found | is_equal(known, &presented))
    }
}

impl fmt::Debug for TokenCheck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenCheck({} known)", self.hashes.len())
    }
}

fn is_equal(left: &TokenHash, right: &TokenHash) -> bool {
    let difference = left.iter().zip(right).fold(0, |bits, (a, b)| bits | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The server never ran with this data folder.
    #[error("there is no token at {} yet; start `tandem serve` once, or name the server's data folder with --data-dir", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It is there and cannot be read.
    #[error("could not read the token at {}; run this as the user who runs the server", path.display())]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("{} does not hold a token; put the token back, or remove the file and start `tandem serve` for a new one", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// It could not be written down; the file that was there before is untouched.
    #[error("could not write the token to {}; check that the folder exists and can be written", path.display())]
    NotWritten {
        /// Where to.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The system has no random numbers.
    #[error("the system gave no random numbers for a token: {cause}")]
    NoRandomness {
        /// Why not.
        cause: getrandom::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_random_and_fit_for_headers() {
        let (first, second) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_ne!(first, second);
        assert!(first.as_str().starts_with("tdm_"));
        assert_eq!(first.as_str().len(), 4 + 43);
        assert!(first.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
    }

    #[test]
    fn only_what_has_the_form_of_a_token_parses() {
        let token = Token::generate().unwrap();
        assert_eq!(Token::parse(token.as_str()), Some(token.clone()));
        let text = token.as_str();
        for bad in [
            "",
            "tdm_",
            &text[4..],
            &text[..46],
            &format!("{text}A"),
            &format!("{text}="),
            &format!(" {text}"),
        ] {
            assert_eq!(Token::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn known_tokens_are_valid_and_nothing_else() {
        let (laptop, phone, stranger) =
            (Token::generate().unwrap(), Token::generate().unwrap(), Token::generate().unwrap());
        let check = TokenCheck::new(vec![laptop.hash(), phone.hash()]);
        assert!(check.is_valid(laptop.as_str()));
        assert!(check.is_valid(phone.as_str()));
        assert!(!check.is_valid(stranger.as_str()));
        assert!(!check.is_valid(""));
        assert!(!check.is_valid(&laptop.as_str()[..46]));
        assert!(!check.is_valid(&format!("{} ", laptop.as_str())));
        assert!(!check.is_valid(&laptop.as_str().to_uppercase()));
    }

    #[test]
    fn without_known_tokens_nobody_gets_in() {
        let check = TokenCheck::new(Vec::new());
        assert!(!check.is_valid(""));
        assert!(!check.is_valid(Token::generate().unwrap().as_str()));
    }

    #[test]
    fn hashes_differ_in_any_byte() {
        let one = [7; 32];
        for position in 0..32 {
            let mut other = one;
            other[position] ^= 1;
            assert!(!is_equal(&one, &other), "byte {position}");
        }
        assert!(is_equal(&one, &[7; 32]));
    }

    #[test]
    fn a_token_does_not_show_itself_in_logs() {
        let token = Token::generate().unwrap();
        assert!(!format!("{token:?}").contains(&token.as_str()[4..]));
        assert_eq!(format!("{:?}", TokenCheck::new(vec![token.hash()])), "TokenCheck(1 known)");
    }
}
