//! Files of the page as they go over the wire: each is squeezed once, when it is first asked for, and kept.
//!
//! With gzip and nothing else: browsers offer better codings over TLS alone, so a phone that comes over plain HTTP could
//! not use them, and a proxy that adds TLS has its own. Actix' middleware would squeeze every answer anew, and would leave
//! both forms with one tag.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::EmbeddedFile;
use sha2::{Digest as _, Sha256};

/// What was squeezed, by name. It depends on nothing but the files in the program, hence one for all servers.
static SHELF: LazyLock<Mutex<HashMap<String, Packed>>> = LazyLock::new(Mutex::default);

/// A file in both forms.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// The first 16 hex digits of the SHA-256 of the content.
    pub(super) hash: String,
    pub(super) bytes: Bytes,
    /// `None` where it would be no smaller, as of pictures.
    pub(super) squeezed: Option<Bytes>,
}

impl Packed {
    /// Squeezes a content.
    pub(super) fn new(bytes: Bytes) -> Self {
        let hash = short(&Sha256::digest(&bytes).into());
        let squeezed = squeeze(&bytes).filter(|squeezed| squeezed.len() < bytes.len());
        Self { hash, bytes, squeezed }
    }
}

/// The form of a file that is part of the program. In a development build it may have changed since.
pub(super) fn of(name: &str, file: EmbeddedFile) -> Packed {
    let hash = short(&file.metadata.sha256_hash());
    let known = shelf().get(name).filter(|known| known.hash == hash).cloned();
    // Squeezed outside of the lock: two who ask at the same time do it twice, and nobody waits.
    known.unwrap_or_else(|| {
        let packed = Packed::new(file.data.into_owned().into());
        shelf().insert(name.to_owned(), packed.clone());
        packed
    })
}

fn shelf() -> std::sync::MutexGuard<'static, HashMap<String, Packed>> {
    // Whoever panicked with it has not left half an entry.
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The hash as it is told.
pub(super) fn short(hash: &[u8; 32]) -> String {
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn squeeze(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_is_squeezed_is_smaller_and_the_same() {
        let text = Bytes::from("let one = 1;\n".repeat(100));
        let squeezed = Packed::new(text.clone()).squeezed.unwrap();
        assert!(squeezed.len() < text.len());
        let mut back = Vec::new();
        GzDecoder::new(&squeezed[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn what_gets_no_smaller_is_left() {
        let noise: Vec<u8> = (0_u8..4).flat_map(|part| <[u8; 32]>::from(Sha256::digest([part]))).collect();
        assert!(Packed::new(noise.into()).squeezed.is_none());
    }
}
