//! The headers of a client's frames (RFC 6455 §5.2), read without keeping any payload.
//!
//! Pure: bytes go in, whatever their chunks; out come the ends of messages, or why the connection must end.

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const MASK_BYTES: usize = 4;
const MAX_CONTROL_BYTES: u64 = 125;

/// What breaks the protocol so that nothing behind it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ws) enum Violation {
    /// A frame, or the fragments of a message together, would be longer than is allowed: close 1009.
    TooBig,
    /// Not masked, a reserved bit, an unknown opcode, a control frame that is long or in parts, fragments out of order:
    /// close 1002.
    Malformed,
}

/// How far [`Headers::take`] got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many of the bytes belong to the frame; the rest belongs to the next.
    pub(super) bytes: usize,
    /// A text or binary message ended here; its length.
    pub(super) message: Option<usize>,
}

/// Where in the stream of frames we are.
#[derive(Debug, Default)]
pub(super) struct Headers {
    head: [u8; 14],
    head_bytes: usize,
    is_in_payload: bool,
    payload_left: u64,
    /// The fragments of the unfinished message so far.
    message_bytes: u64,
    is_in_message: bool,
}

impl Headers {
    /// Whether the next byte begins a frame, and no message is under way.
    pub(super) fn is_between_messages(&self) -> bool {
        self.head_bytes == 0 && !self.is_in_message
    }

    /// Reads on, at most to the end of one frame.
    ///
    /// # Errors
    /// As soon as the header shows it, before any payload: see [`Violation`].
    pub(super) fn take(&mut self, bytes: &[u8], max_message_bytes: u64) -> Result<Taken, Violation> {
        let mut used = 0;
        while !self.is_in_payload {
            let Some(byte) = bytes.get(used) else {
                return Ok(Taken { bytes: used, message: None });
            };
            self.head[self.head_bytes] = *byte;
            self.head_bytes += 1;
            used += 1;
            if self.head_bytes == 2 {
                self.check_first_bytes()?;
            }
            if self.head_bytes >= 2 && self.head_bytes == self.head_length() {
                self.begin_payload(max_message_bytes)?;
            }
        }
        let here = (bytes.len() - used) as u64;
        let part = usize::try_from(self.payload_left.min(here)).unwrap_or(0);
        self.payload_left -= part as u64;
        let message = if self.payload_left == 0 { self.end_frame() } else { None };
        Ok(Taken { bytes: used + part, message })
    }

    fn check_first_bytes(&self) -> Result<(), Violation> {
        let [first, second, ..] = self.head;
        let is_known = matches!(first & OPCODE, 0x0..=0x2 | 0x8..=0xa);
        if first & RESERVED != 0 || !is_known || second & MASKED == 0 {
            return Err(Violation::Malformed);
        }
        let fits_in_control = first & FINAL != 0 && u64::from(second & LENGTH) <= MAX_CONTROL_BYTES;
        let continues = first & OPCODE == 0;
        let is_in_order = self.is_control() || continues == self.is_in_message;
        if (self.is_control() && !fits_in_control) || !is_in_order {
            return Err(Violation::Malformed);
        }
        Ok(())
    }

    fn is_control(&self) -> bool {
        self.head[0] & 0x08 != 0
    }

    fn head_length(&self) -> usize {
        let length_bytes = match self.head[1] & LENGTH {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length_bytes + MASK_BYTES
    }

    fn begin_payload(&mut self, max_message_bytes: u64) -> Result<(), Violation> {
        let mut length = u64::from(self.head[1] & LENGTH);
        if length >= 126 {
            let length_field = &self.head[2..self.head_length() - MASK_BYTES];
            length = length_field.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        }
        if !self.is_control() {
            let message_bytes = self.message_bytes.saturating_add(length);
            if message_bytes > max_message_bytes {
                return Err(Violation::TooBig);
            }
            self.message_bytes = message_bytes;
            self.is_in_message = true;
        }
        self.payload_left = length;
        self.is_in_payload = true;
        Ok(())
    }

    fn end_frame(&mut self) -> Option<usize> {
        self.head_bytes = 0;
        self.is_in_payload = false;
        let is_last = self.head[0] & FINAL != 0;
        if self.is_control() || !is_last {
            return None;
        }
        self.is_in_message = false;
        usize::try_from(std::mem::take(&mut self.message_bytes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u64 = 1000;

    /// A client's frame with a mask of zeros.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(MASKED | u8::try_from(short).unwrap()),
            long => {
                frame.push(MASKED | 126);
                frame.extend_from_slice(&u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        frame
    }

    /// The lengths of all messages in it, or what is wrong.
    fn messages(mut bytes: &[u8], chunk: usize) -> Result<Vec<usize>, Violation> {
        let mut headers = Headers::default();
        let mut lengths = Vec::new();
        while !bytes.is_empty() {
            let taken = headers.take(&bytes[..chunk.clamp(1, bytes.len())], MAX)?;
            lengths.extend(taken.message);
            bytes = &bytes[taken.bytes..];
        }
        Ok(lengths)
    }

    #[test]
    fn fragments_are_one_message_and_pings_may_stand_between() {
        let stream =
            [frame(0x01, b"abc"), frame(0x89, b"ping"), frame(0x80, b"de"), frame(0x81, b"")].concat();
        assert_eq!(messages(&stream, 1), Ok(vec![5, 0]));
    }

    #[test]
    fn a_frame_of_two_to_the_40_bytes_ends_at_its_header() {
        let mut huge = vec![0x82, MASKED | 127];
        huge.extend_from_slice(&(1_u64 << 40).to_be_bytes());
        huge.extend_from_slice(&[0; 4]);
        assert_eq!(messages(&huge, 100), Err(Violation::TooBig));
        let mut largest = vec![0x82, MASKED | 127];
        largest.extend_from_slice(&[0xff; 12]);
        assert_eq!(messages(&largest, 100), Err(Violation::TooBig));
    }

    #[test]
    fn fragments_are_added_up() {
        let within = [frame(0x01, &[0; 600]), frame(0x80, &[0; 400])].concat();
        assert_eq!(messages(&within, 64), Ok(vec![1000]));
        let beyond = [frame(0x01, &[0; 600]), frame(0x80, &[0; 401])].concat();
        assert_eq!(messages(&beyond, 64), Err(Violation::TooBig));
    }

    #[test]
    fn what_is_not_a_clients_frame_is_malformed() {
        let unmasked = vec![0x81, 0x01, b'a'];
        let long_ping = frame(0x89, &[0; 126]);
        let ping_in_parts = frame(0x09, b"");
        let reserved_bit = frame(0xc1, b"");
        let unknown_data = frame(0x83, b"");
        let unknown_control = frame(0x8b, b"");
        let nothing_to_continue = frame(0x80, b"");
        let text_inside_text = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
        for bad in [
            unmasked,
            long_ping,
            ping_in_parts,
            reserved_bit,
            unknown_data,
            unknown_control,
            nothing_to_continue,
            text_inside_text,
        ] {
            assert_eq!(messages(&bad, 7), Err(Violation::Malformed), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            sizes in prop::collection::vec(0_usize..300, 0..20),
            chunk in 1_usize..400,
        ) {
            let stream: Vec<u8> = sizes.iter().flat_map(|size| frame(0x81, &vec![7; *size])).collect();
            prop_assert_eq!(messages(&stream, chunk), Ok(sizes));
        }

        #[test]
        fn no_bytes_can_make_it_fail_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..200), chunk in 1_usize..50) {
            let whole = messages(&bytes, bytes.len());
            prop_assert_eq!(messages(&bytes, chunk), whole);
        }
    }
}
