//! From which web pages, and under which name, the server may be reached.
//!
//! A browser sends the person's requests for any page that asks it to. Two headers tell such pages apart: `Origin` names
//! the page, and `Host` names what the browser believes it talks to. The second matters because of DNS rebinding: a page
//! of `evil.example` whose name suddenly resolves to 127.0.0.1 has the "same origin" as the server, but brings its own
//! name as `Host`.

use std::net::{IpAddr, Ipv4Addr};

use super::origin::{Authority, Origin};

/// Which web pages may talk to the server.
#[derive(Debug, Clone)]
pub struct OriginPolicy {
    allowed: Vec<Origin>,
    is_bound_to_loopback: bool,
}

/// Why a request was refused. The text may be read by strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `Host` is missing, malformed, or not a name under which this server is known.
    #[error(
        "this server is not known under that host name; use localhost, or add the page's origin to server.allowedOrigins"
    )]
    Host,
    /// `Origin` is neither the server's own nor an allowed one.
    #[error("pages of that origin may not talk to this server; add it to server.allowedOrigins")]
    Origin,
}

impl OriginPolicy {
    /// Allows the server's own pages and those of `allowed`; `bind` is the address that it listens on.
    #[must_use]
    pub fn new(bind: IpAddr, allowed: Vec<Origin>) -> Self {
        Self { allowed, is_bound_to_loopback: bind.to_canonical().is_loopback() }
    }

    /// Checks the values of a request's `Host` and `Origin` headers; `None` where there is none.
    ///
    /// Programs send no `Origin` and are let through to the check of the token. A request with several `Host` or `Origin`
    /// headers must be refused by the caller.
    ///
    /// # Errors
    /// [`Refusal`]; answered with 403 before anything else is looked at.
    pub fn check(&self, host: Option<&str>, origin: Option<&str>) -> Result<(), Refusal> {
        let host = host.and_then(Authority::parse);
        if self.is_bound_to_loopback && !host.as_ref().is_some_and(|host| self.knows_host(&host.host)) {
            return Err(Refusal::Host);
        }
        let Some(origin) = origin else { return Ok(()) };
        let origin: Origin = origin.parse().map_err(|_| Refusal::Origin)?;
        let is_own = host.is_some_and(|host| origin.is_served_by(&host));
        if is_own || self.allowed.contains(&origin) { Ok(()) } else { Err(Refusal::Origin) }
    }

    /// Addresses of this machine cannot be rebound, so all of 127.0.0.0/8 is known, under any port (tunnels change it).
    fn knows_host(&self, host: &str) -> bool {
        host == "localhost"
            || host == "[::1]"
            || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || self.allowed.iter().any(|origin| origin.host() == host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Option<&str> = Some("localhost:4870");

    fn policy(bind: &str, allowed: &[&str]) -> OriginPolicy {
        OriginPolicy::new(
            bind.parse().unwrap(),
            allowed.iter().map(|origin| origin.parse().unwrap()).collect(),
        )
    }

    fn on_loopback() -> OriginPolicy {
        policy("127.0.0.1", &["https://tandem.example", "http://dev.example:3000"])
    }

    fn on_network() -> OriginPolicy {
        policy("0.0.0.0", &["https://tandem.example"])
    }

    #[test]
    fn programs_without_an_origin_pass() {
        assert_eq!(on_loopback().check(OWN, None), Ok(()));
        assert_eq!(on_network().check(Some("192.168.1.5:4870"), None), Ok(()));
        assert_eq!(on_network().check(None, None), Ok(()));
    }

    #[test]
    fn the_servers_own_page_passes() {
        for (host, origin) in [
            ("localhost:4870", "http://localhost:4870"),
            ("LOCALHOST:4870", "http://localhost:4870"),
            ("127.0.0.1:4870", "http://127.0.0.1:4870"),
            ("[::1]:4870", "http://[::1]:4870"),
            ("localhost", "http://localhost"),
            ("localhost:80", "http://localhost"),
            ("localhost", "https://localhost"),
        ] {
            assert_eq!(on_loopback().check(Some(host), Some(origin)), Ok(()), "{host} {origin}");
        }
        assert_eq!(on_network().check(Some("192.168.1.5:4870"), Some("http://192.168.1.5:4870")), Ok(()));
        assert_eq!(on_network().check(Some("box.lan"), Some("https://box.lan")), Ok(()));
    }

    #[test]
    fn allowed_origins_pass_exactly_as_they_are() {
        for good in ["https://tandem.example", "https://TANDEM.example:443", "http://dev.example:3000"] {
            assert_eq!(on_loopback().check(OWN, Some(good)), Ok(()), "{good}");
        }
        for bad in [
            "http://tandem.example",
            "https://tandem.example:8443",
            "http://dev.example",
            "http://dev.example:30000",
            "https://dev.example:3000",
        ] {
            assert_eq!(on_loopback().check(OWN, Some(bad)), Err(Refusal::Origin), "{bad}");
        }
    }

    #[test]
    fn foreign_null_and_lookalike_origins_are_refused() {
        for bad in [
            "",
            "null",
            "*",
            "https://evil.example",
            "https://tandem.example.evil.example",
            "https://eviltandem.example",
            "https://tandem.example@evil.example",
            "https://tandem.example/",
            "https://tandem.exampl",
            "http://localhost",
            "http://localhost:4871",
            "http://localhost:48700",
            "http://localhost.evil.example:4870",
            "http://127.0.0.1:4870",
            "https://tandem.example https://evil.example",
            "localhost:4870",
            "file://",
        ] {
            assert_eq!(on_loopback().check(OWN, Some(bad)), Err(Refusal::Origin), "{bad:?}");
        }
        assert_eq!(on_network().check(None, Some("http://192.168.1.5:4870")), Err(Refusal::Origin));
    }

    #[test]
    fn on_loopback_a_rebound_name_is_refused_even_as_its_own_origin() {
        for bad in [
            "evil.example",
            "evil.example:4870",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost.",
            "192.168.1.5:4870",
            "0.0.0.0:4870",
            "[::2]:4870",
            "",
            "localhost:",
            "localhost:x",
            "localhost:4870:1",
            "user@localhost:4870",
            "localhost/",
        ] {
            assert_eq!(on_loopback().check(Some(bad), None), Err(Refusal::Host), "{bad:?}");
            let own = format!("http://{bad}");
            assert_eq!(on_loopback().check(Some(bad), Some(&own)), Err(Refusal::Host), "{bad:?}");
        }
        assert_eq!(on_loopback().check(None, None), Err(Refusal::Host));
    }

    #[test]
    fn on_loopback_the_machines_own_names_and_allowed_hosts_pass() {
        for good in [
            "localhost",
            "localhost:9999",
            "127.0.0.1",
            "127.0.0.2:1",
            "[::1]",
            "[0::1]:80",
            "tandem.example",
        ] {
            assert_eq!(on_loopback().check(Some(good), None), Ok(()), "{good}");
        }
        let behind_proxy = on_loopback().check(Some("tandem.example"), Some("https://tandem.example"));
        assert_eq!(behind_proxy, Ok(()));
    }

    #[test]
    fn every_loopback_address_turns_the_host_check_on() {
        for bind in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(policy(bind, &[]).check(Some("evil.example"), None), Err(Refusal::Host), "{bind}");
        }
        for bind in ["0.0.0.0", "::", "192.168.1.5"] {
            assert_eq!(policy(bind, &[]).check(Some("box.lan:4870"), None), Ok(()), "{bind}");
        }
    }
}
