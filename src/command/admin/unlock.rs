//! `lain admin unlock`: the lock of a release, taken from a run that is gone.

use clap::Args;

use crate::error::{Error, Result};
use crate::model::name::is_label;
use crate::release::handle::Handle;
use crate::release::lock;
use crate::session::Session;

/// Break the lock of a release whose run is gone; says whose it is, and asks
#[derive(Args, Debug)]
pub(super) struct Unlock {
    /// The release; this folder's without one
    release: Option<String>,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
}

impl Unlock {
    pub(super) fn run(self, session: &Session) -> Result<()> {
        let handle = match self.release {
            Some(release) if !is_label(&release) => return Err(Error::usage(format!("`{release}` is no release name"))),
            Some(release) => Handle::named(session, release)?,
            None => {
                Handle::named(session, super::app_here(session, &["lain admin unlock RELEASE # without a checkout"])?.release().to_owned())?
            }
        };
        let release = &handle.name;
        let words = format!("nobody holds the lock of release {release} in cluster {}", handle.cluster);
        let Some(holder) = lock::holder(&handle.kubectl, release)? else {
            return super::nothing_in(session, &handle.kubectl, &words);
        };
        session.ui.say(&(holder.text(release) + &lock::life(&handle.kubectl, &holder)?));
        if !self.yes {
            if !session.ui.can_ask() {
                return Err(Error::refused("breaking its lock lets others change it; there is no terminal to ask at")
                    .hint(format!("lain admin unlock {release} --yes # when that run is gone for sure")));
            }
            if !session.ui.ask_no("is that run gone for sure? Break its lock?")? {
                return Err(Error::refused("the lock stays"));
            }
        }
        if !lock::break_lock(&handle, &holder)? {
            return Err(Error::refused(format!(
                "the lock of release {release} was renewed meanwhile, so its holder is at work, or it is gone by itself"
            ))
            .hint(format!("lain admin unlock {release} # shows how it stands now")));
        }
        session.ui.done(&format!("broke the lock of release {release}"));
        Ok(())
    }
}
