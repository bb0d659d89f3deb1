//! How a request carries its token: a header, or for browsers a WebSocket sub-protocol.

/// The sub-protocol that the server speaks and answers with. The one that carries the token is never answered.
pub const SUB_PROTOCOL: &str = "tandem.v1";

const TOKEN_PROTOCOL_PREFIX: &str = "bearer.";

/// Takes the token out of the value of an `Authorization` header (RFC 6750 §2.1).
///
/// `None` for another scheme, without a token, or with anything behind it.
#[must_use]
pub fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && is_token68(token)).then_some(token)
}

/// The `token68` of RFC 7235 §2.1.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// What a `Sec-WebSocket-Protocol` header offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubProtocols<'a> {
    /// Whether [`SUB_PROTOCOL`] is among the offers.
    pub has_tandem: bool,
    /// The token of the one `bearer.` offer; `None` without one, and when there are several.
    pub token: Option<&'a str>,
}

impl<'a> SubProtocols<'a> {
    /// Reads a comma-separated list; several header lines are one list (RFC 6455 §11.3.4), joined by the caller.
    #[must_use]
    pub fn parse(header: &'a str) -> Self {
        let offers = || header.split(',').map(|offer| offer.trim_matches([' ', '\t']));
        let mut tokens = offers().filter_map(|offer| offer.strip_prefix(TOKEN_PROTOCOL_PREFIX));
        let token = match (tokens.next(), tokens.next()) {
            (Some(only), None) if is_token68(only) => Some(only),
            _ => None,
        };
        Self { has_tandem: offers().any(|offer| offer == SUB_PROTOCOL), token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for header in ["Bearer tdm_a-b_C9", "bearer tdm_a-b_C9", "BEARER   tdm_a-b_C9", " Bearer tdm_a-b_C9 "]
        {
            assert_eq!(bearer_token(header), Some("tdm_a-b_C9"), "{header:?}");
        }
        assert_eq!(bearer_token("Bearer abc=="), Some("abc=="));
    }

    #[test]
    fn what_is_not_one_bearer_token_is_refused() {
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer  ",
            "tdm_abc",
            "Basic dGRtOg==",
            "Bearertdm_abc",
            "Bearer a b",
            "Bearer a,b",
            "Bearer \"a\"",
            "Bearer ==",
            "Bearer\ttdm_abc",
            "Bearer tdm_ü",
            "Bearer tdm_abc\r\nX: y",
        ] {
            assert_eq!(bearer_token(header), None, "{header:?}");
        }
    }

    #[test]
    fn the_list_of_protocols_is_read_in_any_order() {
        for header in [
            "tandem.v1, bearer.tdm_x",
            "bearer.tdm_x,tandem.v1",
            "tandem.v1 ,\t bearer.tdm_x , other",
            ",tandem.v1,,bearer.tdm_x",
        ] {
            let offers = SubProtocols::parse(header);
            assert_eq!(offers, SubProtocols { has_tandem: true, token: Some("tdm_x") }, "{header:?}");
        }
    }

    #[test]
    fn protocol_names_are_exact() {
        for header in ["", "tandem", "tandem.v10", "Tandem.v1", "xtandem.v1", "tandem.v1x", "tandem.v1;q=1"] {
            assert!(!SubProtocols::parse(header).has_tandem, "{header:?}");
        }
    }

    #[test]
    fn a_token_that_is_missing_doubled_or_malformed_is_none() {
        for header in [
            "tandem.v1",
            "tandem.v1, bearer.",
            "tandem.v1, bearer",
            "tandem.v1, Bearer.tdm_x",
            "tandem.v1, xbearer.tdm_x",
            "tandem.v1, bearer.a, bearer.b",
            "tandem.v1, bearer.a, bearer.a",
            "tandem.v1, bearer.a b",
        ] {
            assert_eq!(SubProtocols::parse(header).token, None, "{header:?}");
        }
    }
}
