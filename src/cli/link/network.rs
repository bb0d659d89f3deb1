//! Under which address other machines of the network find this one.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// An address behind the default route (RFC 5737 reserves it for examples). Nothing is sent there.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The address that this machine uses towards the rest of the world; without a way out, that of its first network.
pub(super) fn own_address() -> Option<Ipv4Addr> {
    towards_elsewhere().or_else(first_of_interfaces)
}

/// Connecting a datagram socket chooses a route, and with it an address, and sends nothing.
fn towards_elsewhere() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(address) => Some(*address.ip()).filter(|ip| is_of_use(*ip)),
        SocketAddr::V6(_) => None,
    }
}

/// Interfaces that others share: neither this machine's own nor a tunnel to one other.
fn first_of_interfaces() -> Option<Ipv4Addr> {
    let is_shared = |flags: InterfaceFlags| {
        flags.contains(InterfaceFlags::IFF_UP)
            && !flags.intersects(InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_POINTOPOINT)
    };
    let shared = getifaddrs().ok()?.filter(|interface| is_shared(interface.flags));
    shared.filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip())).find(|ip| is_of_use(*ip))
}

fn is_of_use(ip: Ipv4Addr) -> bool {
    !ip.is_loopback() && !ip.is_unspecified() && !ip.is_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_an_address_of_this_machine() {
        for found in [towards_elsewhere(), first_of_interfaces()].into_iter().flatten() {
            UdpSocket::bind((found, 0)).expect("only an own address can be bound");
        }
    }

    #[test]
    fn addresses_that_others_cannot_use_are_none() {
        for ip in ["127.0.0.1", "0.0.0.0", "169.254.1.2"] {
            assert!(!is_of_use(ip.parse().unwrap()), "{ip}");
        }
        assert!(is_of_use(Ipv4Addr::new(192, 168, 0, 7)));
    }
}
