//! Origins of web pages (RFC 6454), and the authority that they share with the `Host` header.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Scheme, host and port of a web page; in lower case and without the scheme's own port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    authority: Authority,
}

/// A host and, where it is written, its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    /// In lower case; IPv6 in brackets and in its shortest form.
    pub(super) host: String,
    /// As written; 1 to 65535.
    pub(super) port: Option<u16>,
}

/// A text that is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a scheme, a host and perhaps a port, such as https://tandem.example")]
pub struct BadOrigin;

impl Origin {
    /// The host alone; IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.authority.host
    }

    /// Whether a page of this origin was served by the host that a request names.
    ///
    /// The scheme is not compared: behind a proxy that ends TLS, the server cannot know it.
    pub(super) fn is_served_by(&self, host: &Authority) -> bool {
        self.authority == host.clone().without_default_port(&self.scheme)
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(BadOrigin)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return Err(BadOrigin);
        }
        let scheme = scheme.to_ascii_lowercase();
        let authority = Authority::parse(rest).ok_or(BadOrigin)?.without_default_port(&scheme);
        Ok(Self { scheme, authority })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", self.scheme, self.authority.host)?;
        match self.authority.port {
            Some(port) => write!(out, ":{port}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Authority {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`; no user, no path, no wildcard.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            let port = if port.is_empty() { None } else { Some(parse_port(port.strip_prefix(':')?)?) };
            return Some(Self { host: format!("[{address}]"), port });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        let is_host = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        is_host.then(|| Self { host: host.to_ascii_lowercase(), port })
    }

    fn without_default_port(self, scheme: &str) -> Self {
        let default_port = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        Self { port: self.port.filter(|port| Some(*port) != default_port), ..self }
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok().filter(|port| *port != 0) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_brought_to_one_form() {
        for (written, form) in [
            ("https://tandem.example", "https://tandem.example"),
            ("HTTPS://Tandem.Example:443", "https://tandem.example"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:443", "http://localhost:443"),
            ("http://[0:0::1]:4870", "http://[::1]:4870"),
            ("tauri://localhost", "tauri://localhost"),
        ] {
            assert_eq!(
                written.parse::<Origin>().map(|origin| origin.to_string()),
                Ok(form.to_owned()),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_not_an_origin_does_not_parse() {
        for bad in [
            "",
            "null",
            "*",
            "https://",
            "https://*",
            "https://*.example",
            "https://a.example/",
            "https://a.example/path",
            "https://a.example?x",
            "https://a.example#x",
            "https://user@a.example",
            "https://a.example:",
            "https://a.example:0",
            "https://a.example:+80",
            "https://a.example:65536",
            "https://a.example:80:80",
            "https://a.example b",
            "https://ä.example",
            "https://[::1",
            "https://[::1]x",
            "https://[::1]:",
            "https://::1",
            "://a.example",
            "1http://a.example",
            "a.example",
            " https://a.example",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(BadOrigin), "{bad:?}");
        }
    }
}
