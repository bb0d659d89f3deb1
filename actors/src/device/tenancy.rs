//! The locks of a device: kept as long as any connection of it is open, and for a while when the last one is lost.

use std::sync::Arc;

use crate::ids::DeviceId;
use crate::locks::{Holder, Life};
use crate::project::LockDesk;
use crate::room::{Ending, PRESENCE_GRACE, Parting};

/// One connection's part in that, whether or not it ever asks for a lock. Leaving is dropping it. When the last connection
/// of a device has ended, its locks are given back: at once when it said that it goes, and else when it is shown as
/// offline, so that a reconnect in between loses nothing.
#[derive(Debug)]
pub(super) struct Tenancy {
    life: Option<Life>,
    desk: Arc<LockDesk>,
    parting: Parting,
}

impl Tenancy {
    pub(super) fn begin(desk: &Arc<LockDesk>, device: &DeviceId, parting: Parting) -> Self {
        let life = desk.begin(Holder::DeviceId(device.clone()));
        Self { life: Some(life), desk: desk.clone(), parting }
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        if let (Some(life), Ending::Lost { since }) = (self.life.take(), self.parting.ending()) {
            self.desk.end_at(life, since + PRESENCE_GRACE);
        }
    }
}
