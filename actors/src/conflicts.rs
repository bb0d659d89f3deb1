//! Two that changed the same thing: how their versions become one, and what a person is shown where they do not. Pure.

mod edit;
mod hunks;
mod merge;
mod records;
mod tool;

pub use edit::{Edit, apply, edit_between};
pub use merge::{MAX_MERGED_BYTES, Merge, Unmergeable, merge};
pub use records::{FileEdit, Version, context_switch, file_edit, lock_denied};
pub use tool::{Made, is_as_meant, made};
