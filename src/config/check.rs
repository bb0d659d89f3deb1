//! What must hold between keys. What must hold of one key alone is in its shape.

use super::{Config, ConfigError, Loaded, ValueOrigin};

/// Fits a default to what the operator set beside it.
///
/// Who shortens `timeoutHours` alone keeps a warning, at the same share of the time (20 of 24).
pub(super) fn fit_defaults(config: &mut Config, warning_origin: &ValueOrigin) {
    let session = &mut config.session;
    if *warning_origin == ValueOrigin::Default && session.warning_hours >= session.timeout_hours {
        session.warning_hours = session.timeout_hours * 20 / 24;
    }
}

/// Refuses values that are right alone and wrong together.
pub(super) fn check_together(loaded: &Loaded) -> Result<(), ConfigError> {
    let contradiction = |first: &'static str, second: &'static str, remedy| ConfigError::Contradiction {
        first,
        first_origin: loaded.origin(first).clone(),
        second,
        second_origin: loaded.origin(second).clone(),
        remedy,
    };
    let config = &loaded.config;
    if config.session.warning_hours >= config.session.timeout_hours {
        return Err(contradiction(
            "session.warningHours",
            "session.timeoutHours",
            "the warning must come before the end; lower the first or raise the second",
        ));
    }
    if config.agent.max_memory_mb > config.agent.max_total_memory_gb * 1024 {
        return Err(contradiction(
            "agent.maxMemoryMb",
            "agent.maxTotalMemoryGb",
            "one agent may not take more than all together; lower the first or raise the second",
        ));
    }
    if config.projects.allowed_roots.is_empty() {
        return Err(ConfigError::NoAllowedRoot);
    }
    Ok(())
}
