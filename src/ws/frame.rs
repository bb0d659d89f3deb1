//! WebSocket frames as a server writes them (RFC 6455 §5.2): unmasked, whole, one message each.
//!
//! Pure. The tail of a session encodes every event with [`encode`] once, for all connections.

use bytes::Bytes;

const FINAL_TEXT: u8 = 0x81;
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PING: u8 = 0x89;

/// A length byte that says: the length is in the next two bytes.
const IN_TWO_BYTES: u8 = 126;
/// A length byte that says: the length is in the next eight bytes.
const IN_EIGHT_BYTES: u8 = 127;

/// A control frame holds 125 bytes (RFC 6455 §5.5), two of which are the close code.
const MAX_REASON_BYTES: usize = 123;

/// Appends one text frame; this is the `Encoder` that the rooms of this server are made with.
///
/// `payload` is UTF-8.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(payload.len() + 10);
    out.push(FINAL_TEXT);
    write_length(payload.len(), out);
    out.extend_from_slice(payload);
}

/// One close frame; a reason that is too long is cut.
#[must_use]
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut end = reason.len().min(MAX_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut frame = vec![FINAL_CLOSE];
    write_length(2 + end, &mut frame);
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(&reason.as_bytes()[..end]);
    frame
}

/// Appends one ping; `payload` has at most 125 bytes.
pub fn ping(payload: &[u8], out: &mut Vec<u8>) {
    out.push(FINAL_PING);
    write_length(payload.len(), out);
    out.extend_from_slice(payload);
}

/// The payloads of frames that stand one behind the other, as [`encode`] wrote them; nothing is copied.
///
/// Ends at the first thing that is not a whole frame.
pub fn payloads(frames: &Bytes) -> impl Iterator<Item = Bytes> + use<> {
    let mut rest = frames.clone();
    std::iter::from_fn(move || {
        let (start, end) = first_payload(&rest)?;
        let payload = rest.slice(start..end);
        rest = rest.slice(end..);
        Some(payload)
    })
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < IN_TWO_BYTES => out.push(short),
        (_, Ok(middle)) => {
            out.push(IN_TWO_BYTES);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(IN_EIGHT_BYTES);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Where the payload of the first frame begins and ends, when all of it is there.
fn first_payload(frames: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *frames.get(1)? {
        IN_TWO_BYTES => (4, u64::from(u16::from_be_bytes(frames.get(2..4)?.try_into().ok()?))),
        IN_EIGHT_BYTES => (10, u64::from_be_bytes(frames.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let end = usize::try_from(length).ok()?.checked_add(start)?;
    (end <= frames.len()).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_read_back_as_it_was_written() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
        let mut frames = Vec::new();
        for length in lengths {
            encode(&vec![b'x'; length], &mut frames);
        }
        let read: Vec<usize> = payloads(&frames.into()).map(|payload| payload.len()).collect();
        assert_eq!(read, lengths);
    }

    #[test]
    fn the_header_is_as_short_as_it_can_be() {
        let header_of = |length: usize| {
            let mut frame = Vec::new();
            encode(&vec![0; length], &mut frame);
            frame.len() - length
        };
        assert_eq!([125, 126, 65_535, 65_536].map(header_of), [2, 4, 4, 10]);
    }

    #[test]
    fn half_a_frame_is_not_read() {
        let mut frames = Vec::new();
        encode(b"whole", &mut frames);
        encode(b"half", &mut frames);
        frames.pop();
        let read: Vec<Bytes> = payloads(&frames.into()).collect();
        assert_eq!(read, ["whole"]);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = close(4011, &"ü".repeat(100));
        assert_eq!(frame[..4], [0x88, 124, 0x0f, 0xab]);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
