//! What bytes are, by their content alone: names and declared types are never asked.
//!
//! Six signatures of our own and not the crate `infer`: that takes three bytes for a GIF and no `RIFF` for a WebP,
//! and knows a hundred formats that would be refused here anyway.

/// The kinds that an agent takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A picture.
    Png,
    /// A picture.
    Jpeg,
    /// A picture.
    Gif,
    /// A picture.
    Webp,
    /// A document of pages.
    Pdf,
    /// UTF-8 without NUL, whatever is written in it.
    Text,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Png, Self::Jpeg, Self::Gif, Self::Webp, Self::Pdf, Self::Text];

    /// Looks at bytes; `None` for any other kind, and for nothing.
    ///
    /// Text comes before pictures: a page of HTML behind `GIF89a` is text and no picture, and no picture is UTF-8
    /// without NUL.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"%PDF-") {
            return Some(Self::Pdf);
        }
        if is_text(bytes) {
            return Some(Self::Text);
        }
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            _ => None,
        }
    }

    /// Its name in HTTP and in content blocks.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Text => "text/plain",
        }
    }

    /// The kind of this name, as it was stored.
    #[must_use]
    pub fn named(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type() == media_type)
    }

    /// Whether it belongs into an `image` block and not into a `document`.
    #[must_use]
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::Gif | Self::Webp)
    }
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_they_begin_with() {
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\n\0"[..], Kind::Png),
            (b"\xff\xd8\xff\xe0", Kind::Jpeg),
            (b"GIF89a\x01\0\x01\0", Kind::Gif),
            (b"GIF87a\x01\0\x01\0", Kind::Gif),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Kind::Webp),
            (b"%PDF-1.7\n%\xe2\xe3", Kind::Pdf),
            ("gr\u{fc}n".as_bytes(), Kind::Text),
        ] {
            assert_eq!(Kind::of(bytes), Some(kind));
            assert_eq!(Kind::named(kind.media_type()), Some(kind));
        }
    }

    #[test]
    fn what_only_looks_like_a_picture_is_none() {
        assert_eq!(Kind::of(b"GIF89a<script>alert(1)</script>"), Some(Kind::Text));
        assert_eq!(Kind::of(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), Some(Kind::Text));
        for other in [&b""[..], b"PK\x03\x04\0", b"text with \0 in it", b"\xff\xfe\0a", b"\x89PNG"] {
            assert_eq!(Kind::of(other), None, "{other:?}");
        }
    }
}
