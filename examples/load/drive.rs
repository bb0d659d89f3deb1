//! Carries a device through a run: connects it, drops it, brings it back, and at the end to the head of its session.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use tokio::sync::Barrier;
use tokio::time::{sleep, sleep_until, timeout};

use crate::connection::{Buffer, Connection, Reach};
use crate::device::{Device, Outcome};

/// A dropping device stays for up to so long: it leaves every three seconds.
const STAYS_FOR_MILLIS: u64 = 6_000;

/// And is away for up to so long.
const AWAY_FOR_MILLIS: u64 = 2_000;

/// All devices start together, and nobody looks at the end before the last one has said everything.
#[derive(Debug, Clone)]
pub struct Phases {
    pub all_ready: Arc<Barrier>,
    pub all_done: Arc<Barrier>,
}

/// A device and its connection, if it has one.
struct Drive {
    device: Device,
    connection: Option<Connection>,
    leaves_at: Option<Instant>,
    reach: Reach,
    buffer: Buffer,
}

/// Runs a device to the end of its plan. Trouble ends it, and nobody waits for it.
pub async fn run(reach: Reach, device: Device, buffer: Buffer, phases: Phases) -> Outcome {
    let mut drive = Drive { device, connection: None, leaves_at: None, reach, buffer };
    let arrived = drive.arrive().await;
    let ready = drive.wait(&phases.all_ready).await;
    drive.device.start();
    let lived = match arrived.and(ready) {
        Ok(()) => drive.live().await,
        error => error,
    };
    drive.device.outcome.ended = Instant::now();
    let done = drive.wait(&phases.all_done).await;
    let ended = match lived.and(done) {
        Ok(()) => drive.come_to_the_head().await,
        error => error,
    };
    let mut outcome = drive.device.outcome;
    outcome.trouble = ended.err().map(|error| format!("{error:#}"));
    outcome
}

impl Drive {
    /// Connects, for the first time or again, and follows.
    async fn arrive(&mut self) -> Result<()> {
        let begun = Instant::now();
        let is_first = self.device.outcome.figures.drops == 0;
        let opening = Connection::open(&self.reach, &self.device.plan.name, self.buffer.clone());
        let opened = timeout(self.device.plan.patience, opening).await.context("no connection came about")?;
        self.connection = Some(opened?);
        if is_first {
            self.device.subscribe();
        } else {
            self.device.is_back(begun);
        }
        self.until(Device::is_following).await?;
        if self.device.plan.is_dropping {
            self.leaves_at = Some(Instant::now() + self.device.chance.up_to_millis(STAYS_FOR_MILLIS));
        }
        Ok(())
    }

    /// Does everything that is planned, and sees all turns end.
    async fn live(&mut self) -> Result<()> {
        while self.connection.is_none() || !self.device.is_over() {
            if self.leaves_at.is_some_and(|at| at <= Instant::now()) {
                self.leave()?;
                sleep(self.device.chance.up_to_millis(AWAY_FOR_MILLIS)).await;
                self.arrive().await?;
            }
            self.step(self.leaves_at).await?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<()> {
        self.leaves_at = None;
        self.connection.take().map_or(Ok(()), Connection::cut)?;
        self.device.is_cut_off();
        Ok(())
    }

    /// Reads on until all others are here too, so that the server has nobody who does not read.
    async fn wait(&mut self, barrier: &Barrier) -> Result<()> {
        let all = barrier.wait();
        tokio::pin!(all);
        loop {
            let Some(connection) = &mut self.connection else {
                all.await;
                return Ok(());
            };
            let heard = tokio::select! {
                _ = &mut all => return Ok(()),
                heard = connection.read(|payload, now| self.device.hear(payload, now)) => heard,
            };
            if let Err(error) = heard {
                self.connection = None;
                all.await;
                return Err(error);
            }
        }
    }

    /// Asks where the head is, now that nothing more is said, and reads up to it.
    async fn come_to_the_head(&mut self) -> Result<()> {
        self.device.subscribe();
        self.until(Device::has_caught_up).await
    }

    async fn until(&mut self, is_true: impl Fn(&Device) -> bool) -> Result<()> {
        while !is_true(&self.device) {
            self.step(None).await?;
        }
        Ok(())
    }

    /// Writes what there is to write, and waits for whatever comes next.
    async fn step(&mut self, until: Option<Instant>) -> Result<()> {
        let connection = self.connection.as_mut().context("not connected")?;
        connection.write(&self.device.outgoing).await?;
        self.device.outgoing.clear();
        let patience = self.device.plan.patience;
        let next_at = self.device.next_at.filter(|_| self.device.is_following());
        tokio::select! {
            heard = timeout(patience, connection.read(|payload, now| self.device.hear(payload, now))) => match heard {
                Ok(heard) => heard?,
                Err(_) => bail!("nothing came for {patience:?}; it stands at event {}", self.device.outcome.tape.last()),
            },
            () = at(next_at) => self.device.ask_next(),
            () = at(until) => {}
        }
        Ok(())
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending::<()>().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tandem::history::Recorder;
    use tandem_actors::ids::SessionId;

    use super::*;
    use crate::chance::Chance;
    use crate::connection;
    use crate::plan::{self, Plan};

    #[tokio::test]
    async fn nobody_waits_for_a_device_without_a_server() {
        let session = SessionId::random();
        let plan = Plan {
            name: "lonely".into(),
            session,
            commands: plan::commands(0, 1, false),
            pause: Duration::ZERO,
            turns: 1,
            is_dropping: false,
            patience: Duration::from_secs(5),
        };
        let device = Device::new(plan, Recorder::new(session).tape("lonely"), Chance::new());
        let reach = Reach { authority: "127.0.0.1:1".into(), token: "t".into() };
        let phases = Phases { all_ready: Arc::new(Barrier::new(1)), all_done: Arc::new(Barrier::new(1)) };
        let outcome = run(reach, device, connection::buffer(), phases).await;
        assert!(outcome.trouble.unwrap().contains("no server"));
    }
}
