//! What of this process's memory others may see: nothing, it may hold Secrets.

use std::io::{self, Write};

use zeroize::Zeroizing;

use crate::error::{Error, Result, describe_io};

/// A pipe that these bytes come out of; they are wiped once they are written.
pub(super) fn pipe_of(bytes: Zeroizing<Vec<u8>>) -> Result<io::PipeReader> {
    let (reader, mut writer) = io::pipe().map_err(|error| Error::failed(format!("cannot make a pipe: {}", describe_io(&error))))?;
    std::thread::spawn(move || drop(writer.write_all(&bytes))); // the child need not read to the end
    Ok(reader)
}

/// From now on the kernel writes no core of this process, whatever kills it and whatever limits the shell has set, and no other process of the same
/// user may read its memory. Children start without this: it ends with `exec` (prctl(2), `PR_SET_DUMPABLE`), unlike a limit of resources, which they
/// would inherit.
pub(crate) fn forbid_cores() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable); // it cannot fail but for a wrong argument
    }
}
