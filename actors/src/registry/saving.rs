//! Writes down what is known of devices and has changed: their names and times, how far they have read.

use super::{Cursors, Directory};
use crate::journal::Journal;

/// Returns when it is written, or could not be: then it is tried with the next.
pub(crate) async fn save(journal: &dyn Journal, directory: &Directory, cursors: &Cursors) {
    let devices = directory.take_unsaved();
    if !devices.is_empty()
        && let Err(error) = journal.save_devices(devices).await
    {
        tracing::warn!(%error, "names and times of devices were not saved");
    }
    let read = cursors.take_unsaved();
    if !read.is_empty()
        && let Err(error) = journal.save_cursors(read.clone()).await
    {
        tracing::warn!(%error, "how far devices have read was not saved");
        cursors.put_back(&read);
    }
}
