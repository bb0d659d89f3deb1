//! Notices: to all who are connected, at once and to be forgotten; to one device by way of the disk, until it has them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, select_ok};

use super::waiting::{Round, Waiting};
use super::{Board, Directory};
use crate::clock::Clock;
use crate::device::{Arrival, Outbox};
use crate::event::By;
use crate::ids::{DeviceId, UserId};
use crate::journal::{Journal, JournalError, NoticeRow};
use crate::notice::{Addressee, Delivery, Notice, Notify};
use crate::refusal::{Code, Refusal};

/// Hands notices over. What is for one device is in the journal before anybody hears of it, and until the device has it.
///
/// *Crash:* a notice that was handed over and not forgotten yet is handed over once more, under the same id.
pub struct Notices {
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
    directory: Arc<Directory>,
    waiting: Mutex<Waiting>,
}

impl Notices {
    /// Starts with what the journal remembers.
    ///
    /// # Errors
    /// The journal could not be read.
    pub async fn load(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        board: Arc<Board>,
        directory: Arc<Directory>,
    ) -> Result<Arc<Self>, JournalError> {
        let waiting = Mutex::new(Waiting::new(journal.notices().await?));
        let notices = Arc::new(Self { journal, clock, board, directory, waiting });
        notices.prune();
        Ok(notices)
    }

    /// Sends a notice. When this returns, it is on its way to those who are connected, or has its place among those for the
    /// device that is named; the outcome follows when it is durable, whether that is waited for or not.
    ///
    /// The sender's own device is left out, unless it is the one that is named.
    pub fn notify(
        self: &Arc<Self>,
        by: &By,
        notify: &Notify,
    ) -> BoxFuture<'static, Result<Delivery, Refusal>> {
        let notice = Arc::new(notify.notice(by.clone(), self.clock.now()));
        let to = match self.connected(&notify.to) {
            Ok(to) => to,
            Err(refusal) => return Box::pin(std::future::ready(Err(refusal))),
        };
        let is_named = matches!(notify.to, Addressee::Device(_));
        let is_wanted =
            |device: &&DeviceId| !notify.exclude.contains(device) && (is_named || **device != by.device_id);
        let mut delivered = 0;
        for device in to.iter().filter(is_wanted) {
            if is_named {
                return self.keep(device, &notice);
            }
            delivered += usize::from(self.directory.offer(device, &notice));
        }
        Box::pin(std::future::ready(Ok(Delivery { delivered, waiting: 0 })))
    }

    /// Hands a new connection what waits for its device, with what others were offered and have not confirmed: they may be
    /// dead without anybody knowing. Returns at once; a notice is forgotten when the device has it.
    pub fn welcome(self: &Arc<Self>, device: &DeviceId, outbox: &Outbox) {
        self.prune();
        let offer = |notice: &Arc<Notice>| outbox.offer_for_receipt(notice.clone()).map(|one| vec![one]);
        let round = self.waiting().offer_again(device, offer);
        self.see_through(device, round);
    }

    /// The same for all connections of a device that is connected, one batch behind the other.
    fn hand_over(self: &Arc<Self>, device: &DeviceId) {
        self.prune();
        let round = self.waiting().offer(device, |notice| {
            let arrivals = self.directory.offer_for_receipt(device, notice);
            (!arrivals.is_empty()).then_some(arrivals)
        });
        self.see_through(device, round);
    }

    /// Waits until the device has what was offered to its connections, or they have ended.
    fn see_through(self: &Arc<Self>, device: &DeviceId, round: Round<Vec<Arrival>>) {
        if round.taken.is_empty() {
            return;
        }
        let (notices, device) = (self.clone(), device.clone());
        drop(tokio::spawn(async move {
            let mut up_to = None;
            for (number, arrivals) in round.taken {
                // One connection that has it is enough; the end of all takes the rest back.
                if select_ok(arrivals).await.is_err() {
                    break;
                }
                up_to = Some(number);
            }
            if let Some(up_to) = up_to {
                notices.waiting().arrived(&device, up_to);
            }
            notices.waiting().take_back(&device, round.number);
            // There may be more, or another connection.
            notices.hand_over(&device);
            if let Some(up_to) = up_to {
                notices.forget(device, up_to).await;
            }
        }));
    }

    /// Whom an address means: those who are connected, or the one that is named.
    fn connected(&self, to: &Addressee) -> Result<Vec<DeviceId>, Refusal> {
        match to {
            Addressee::Device(device) if self.is_known(device) => Ok(vec![device.clone()]),
            Addressee::Device(_) => {
                let message = "There is no device with this id: one is known when it has said hello, or is linked. List the devices.";
                Err(Refusal::new(Code::DeviceNotFound, message))
            }
            Addressee::User(user) if *user == UserId::owner() => Ok(self.directory.connected()),
            Addressee::User(_) => {
                Err(Refusal::bad_field("to", "This server has one user, and its id is owner."))
            }
            Addressee::Session(session) => {
                let summary = self.board.get(*session).ok_or_else(Refusal::session_not_found)?;
                let mut devices = self.directory.connected();
                devices.retain(|device| summary.devices.contains(device));
                Ok(devices)
            }
            Addressee::All => Ok(self.directory.connected()),
        }
    }

    /// Whether a device has said hello, or was linked by somebody else.
    fn is_known(&self, device: &DeviceId) -> bool {
        let is_linked = || self.board.all().0.iter().any(|summary| summary.devices.contains(device));
        self.directory.is_known(device) || is_linked()
    }

    /// Keeps a notice for a device, and hands it over from there.
    fn keep(
        self: &Arc<Self>,
        device: &DeviceId,
        notice: &Arc<Notice>,
    ) -> BoxFuture<'static, Result<Delivery, Refusal>> {
        let row = self.waiting().reserve(device, notice);
        // Of its own, so that a place that was given is used or given up, whoever goes away meanwhile.
        let keeping = tokio::spawn(self.clone().write(row));
        Box::pin(async move { keeping.await.unwrap_or_else(|_stopped| Err(Refusal::shutting_down())) })
    }

    async fn write(self: Arc<Self>, row: NoticeRow) -> Result<Delivery, Refusal> {
        let (device, number) = (row.to.clone(), row.number);
        if let Err(error) = self.journal.keep_notice(row).await {
            self.waiting().not_written(&device, number);
            self.hand_over(&device);
            return Err(Refusal::from(&error));
        }
        self.waiting().written(&device, number);
        self.hand_over(&device);
        let is_under_way = self.waiting().is_under_way(&device, number);
        Ok(Delivery { delivered: usize::from(is_under_way), waiting: usize::from(!is_under_way) })
    }

    /// Lets go of what is too old or too much.
    fn prune(self: &Arc<Self>) {
        for (device, up_to) in self.waiting().prune(self.clock.now()) {
            let notices = self.clone();
            drop(tokio::spawn(async move { notices.forget(device, up_to).await }));
        }
    }

    async fn forget(&self, device: DeviceId, up_to: u64) {
        if let Err(error) = self.journal.forget_notices(device.clone(), up_to).await {
            tracing::warn!(%device, %error, "notices are not forgotten; they come once more after a restart");
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Notices {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Notices")
    }
}
