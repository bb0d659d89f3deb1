//! The HTTP server: listens, and stops in good order.

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Extensions, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tandem_actors::hub::Hub;

use crate::access::Access;
use crate::doors::Leave;
use crate::http;
use crate::service::{Service, Settings};
use crate::traffic;

/// Connections that wait to be accepted; after a restart, all devices come back at once.
const BACKLOG: i32 = 1024;

/// How long an idle HTTP connection is kept for another request.
const HTTP_KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection that we end stays open behind its last byte, unless the peer hangs up: closed at once, a peer
/// that is still sending would lose that byte. Not below 500 ms: actix-http 3.20 reads a clock that is that much
/// behind, and a deadline that is over when it is set never comes (`h1/timer.rs`, `init`).
const LINGER: Duration = Duration::from_secs(1);

/// After so long without an acknowledgement of the peer's kernel the connection is given up: a peer that is gone,
/// or one that does not read. Twice the time after which a socket that does not read is cut off by us.
#[cfg(target_os = "linux")]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(20);

/// A server that listens.
pub struct Server {
    address: SocketAddr,
    service: web::Data<Service>,
    running: actix_web::dev::Server,
}

/// Stops a server from elsewhere; clones stop the same one.
#[derive(Debug, Clone)]
pub struct Stopper {
    service: web::Data<Service>,
    handle: ServerHandle,
}

/// Takes an address; those who connect wait until a [`Server`] serves them.
///
/// # Errors
/// The address cannot be listened at, for instance because another program does.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Otherwise a restart would have to wait until connections of the server before it are forgotten.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Server {
    /// Serves those who connect to `listener`. Must be called inside an actix system.
    ///
    /// # Errors
    /// The listener is none that can be waited on.
    pub fn new(listener: TcpListener, settings: Settings, hub: Hub, access: Access) -> io::Result<Self> {
        let service = web::Data::new(Service::new(hub, settings, access));
        let settings = &service.settings;
        let data = service.clone();
        let app =
            move || App::new().app_data(data.clone()).wrap(from_fn(traffic::count)).configure(http::routes);
        let server = HttpServer::new(app)
            .workers(settings.workers)
            .keep_alive(HTTP_KEEP_ALIVE)
            .tcp_nodelay(true)
            // A client that has hung up gets nothing more; what it began goes on.
            .h1_allow_half_closed(false)
            .client_disconnect_timeout(LINGER)
            .shutdown_timeout(settings.shutdown_within.as_secs().max(1))
            .disable_signals()
            .on_connect(prepare)
            .listen(listener)?;
        let address = server.addrs().first().copied();
        let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        let running = server.run();
        Ok(Self { address, service, running })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// A way to stop it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper { service: self.service.clone(), handle: self.running.handle() }
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// A worker could not be started.
    pub async fn run(self) -> io::Result<()> {
        self.running.await
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Server({})", self.address)
    }
}

impl Stopper {
    /// Says goodbye to all sockets (close code 1001), lets git and HTTP requests end, and then stops. Each wait is bounded
    /// by [`Settings::shutdown_within`]; a git that needs longer is ended, and its tree put back.
    pub async fn stop(&self) {
        self.leave(Leave::Stopping, self.service.settings.shutdown_within).await;
    }

    /// The same for a journal in doubt: what was asked is answered, and sockets close with 4011.
    pub async fn give_up(&self) {
        self.leave(Leave::StorageInDoubt, Duration::ZERO).await;
    }

    async fn leave(&self, why: Leave, git_within: Duration) {
        let Service { doors, git, settings, .. } = &**self.service;
        tokio::join!(doors.close(why, settings.shutdown_within), git.stop(git_within));
        self.handle.stop(true).await;
    }
}

/// Sets up a connection that was just accepted. What fails here is not needed for it to work.
fn prepare(connection: &dyn Any, _extensions: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else {
        return;
    };
    let socket = SockRef::from(stream);
    let keep_alive =
        TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    let is_set = socket.set_tcp_keepalive(&keep_alive);
    #[cfg(target_os = "linux")]
    let is_set = is_set.and_then(|()| socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT)));
    if let Err(error) = is_set {
        tracing::debug!(%error, "a connection could not be set up fully");
    }
}
