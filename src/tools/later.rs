//! Short questions to programs that are asked beside other work, and read when somebody needs them.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::call::{Call, Captured};
use crate::error::Result;
use crate::interrupt;

/// How long such a question may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ctrl-C is noticed within this time.
const GLANCE: Duration = Duration::from_millis(50);

/// One question that may have been begun.
#[derive(Debug, Default)]
pub(crate) struct Later(Mutex<Option<Receiver<Captured>>>);

impl Later {
    /// Starts the program, where nobody did.
    pub(super) fn begin(&self, call: &Call<'_>) {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.is_some() {
            return;
        }
        // What cannot be started is told of by whoever needs it.
        let Ok(expression) = call.begin_tied() else { return };
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let Ok((mut reader, writer)) = std::io::pipe() else { return };
            let Ok((mut errors, errors_end)) = std::io::pipe() else { return };
            let expression = expression.stdout_file(writer).stderr_file(errors_end);
            let Ok(handle) = expression.start() else { return };
            drop(expression); // it holds the write ends: the readers would never see the end
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            let _ = reader.read_to_end(&mut stdout); // what came is what there is
            let _ = errors.read_to_end(&mut stderr);
            let code = handle.wait().ok().and_then(|output| output.status.code()).unwrap_or(1);
            let _ = sender.send(Captured { code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() });
        });
        *begun = Some(receiver);
    }

    /// What the program printed; runs it now where it was not begun, or did not end.
    ///
    /// # Errors
    /// As [`Call::capture`].
    pub(super) fn read(&self, call: &Call<'_>) -> Result<Captured> {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let started = Instant::now();
        while let Some(receiver) = &begun {
            interrupt::check()?;
            match receiver.recv_timeout(GLANCE) {
                Ok(out) => return Ok(out),
                Err(RecvTimeoutError::Timeout) if started.elapsed() < PATIENCE => {}
                Err(_) => break,
            }
        }
        call.capture()
    }
}
