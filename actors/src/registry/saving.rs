//! Writes down what is known of devices and has changed: their names and times, how far they have read.

use super::{Cursors, Directory};
use crate::journal::Journal;

/// Returns when it is written, or could not be: then it is tried with the next.
pub(crate) async fn save(journal: &dyn Journal, directory: &Directory, cursors: &Cursors) {
    let devices = directory.take_unsaved();
    if !devices.is_empty()
        && let Err(error) = journal.save_devices(devices.clone()).await
    {
        tracing::warn!(%error, "names and times of devices were not saved");
        directory.put_back(&devices);
    }
    let read = cursors.take_unsaved();
    if !read.is_empty()
        && let Err(error) = journal.save_cursors(read.clone()).await
    {
        tracing::warn!(%error, "how far devices have read was not saved");
        cursors.put_back(&read);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::device::Outbox;
    use crate::ids::{ConnectionId, SessionId};
    use crate::journal::MemoryJournal;
    use crate::session::DeviceCard;

    #[tokio::test]
    async fn what_could_not_be_written_is_written_with_the_next() {
        let clock = ManualClock::at(Timestamp::from_millis(1_000));
        let directory = Arc::new(Directory::new(Arc::new(clock), Vec::new()));
        let card = DeviceCard { device_id: "phone".parse().unwrap(), device_name: None, kind: None };
        let (cursors, journal) = (Cursors::default(), MemoryJournal::new());
        drop(directory.connect(&card, ConnectionId::random(), Outbox::default()));
        cursors.ack(SessionId::random(), &card.device_id, 7, 2);
        journal.refuse_appends(Some("the disk is full"));
        save(&journal, &directory, &cursors).await;
        journal.refuse_appends(None);
        save(&journal, &directory, &cursors).await;
        let kept = (journal.devices().await.unwrap().len(), journal.cursors().await.unwrap().len());
        assert_eq!(kept, (1, 1));
    }
}
