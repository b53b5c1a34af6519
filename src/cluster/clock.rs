//! The time, given: tests have one of their own.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::interrupt;

/// The time, and how it passes.
pub(crate) trait Clock {
    /// What time it is.
    fn now(&self) -> Instant;

    /// Lets time pass.
    ///
    /// # Errors
    /// Ctrl-C.
    fn sleep(&self, duration: Duration) -> Result<()>;
}

/// The clock on the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall;

impl Clock for Wall {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> Result<()> {
        interrupt::sleep(duration)
    }
}
