//! A QR code in a terminal.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// Black on white whatever the terminal's colours are, because many cameras do not read it the other way round. Of the 256
/// colours, which themes leave alone.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const AS_BEFORE: &str = "\x1b[0m";

/// The code, two rows of it a line; `None` for a text that is too long for one.
pub(super) fn drawn(text: &str) -> Option<String> {
    // The lowest level of correction makes the smallest code: a screen has no dirt on it.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let rows = code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
    Some(rows.lines().map(|row| format!("  {BLACK_ON_WHITE}{row}{AS_BEFORE}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_fits_into_a_terminal_of_80_by_24() {
        let link = format!("http://192.168.178.200:14870/#token=tdm_{}", "x".repeat(43));
        let code = drawn(&link).unwrap();
        assert!(code.lines().count() <= 23, "{}", code.lines().count());
        for row in code.lines() {
            let row = row.trim_start().strip_prefix(BLACK_ON_WHITE).unwrap().strip_suffix(AS_BEFORE).unwrap();
            assert!(row.chars().count() <= 78 && row.chars().all(|part| " ▀▄█".contains(part)), "{row}");
        }
    }

    #[test]
    fn the_finder_patterns_are_dark_and_the_margin_is_light() {
        let code = drawn("x").unwrap();
        let rows: Vec<&str> = code.lines().map(|row| row.split(['m', '\x1b']).nth(2).unwrap()).collect();
        assert!(rows[0].chars().all(|part| part == ' '), "{code}");
        // Seven dark squares above, one at each side below.
        assert!(rows[2].trim_start().starts_with("█▀▀▀▀▀█"), "{code}");
    }
}
