//! `lain status` on a terminal: how a release stands, as it goes on. Threads that ask tell one model over a channel; drawing is a function of the model; keys
//! wait for nobody. `listing` is a simpler one, of what is asked for as a whole.

mod draw;
mod feed;
mod keys;
pub(crate) mod listing;
mod model;
mod sheet;

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ratatui::crossterm::event::{Event, KeyEventKind};

use self::feed::{Feeds, Places};
use self::keys::Order;
use self::model::{Model, Msg};
use self::sheet::Theme;
use crate::cluster::look;
use crate::cluster::usage::Meter;
use crate::error::Result;
use crate::interrupt;
use crate::release::links;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::ui::{Fullscreen, Ui};

/// Keys and news are looked at so often.
const GLANCE: Duration = Duration::from_millis(50);
/// Ages go on so often, where nothing else is new.
const TICK: Duration = Duration::from_secs(1);
/// So much is heard at a time before keys are looked at again.
const AT_ONCE: usize = 500;
/// So much waits to be heard; who tells more waits.
const WAITING: usize = 1000;
/// A shell that fails sooner has said why, and that is to be read.
const SOON: Duration = Duration::from_secs(3);

/// Shows the panel until somebody leaves it.
///
/// # Errors
/// The values cannot be read, no cluster is chosen, the terminal is gone, or SIGTERM.
pub(crate) fn run(session: &Session, kubectl: &Kubectl<'_>) -> Result<()> {
    let (app, cluster) = (session.app()?, session.cluster()?);
    let (release, selector) = (app.release(), look::selector(&app.appname, app.release()));
    kubectl.begin();
    let (target, proxies) = (session.target()?, session.proxies());
    let prometheus = session.authority()?.prometheus.as_deref();
    let places = Places {
        ui: &session.ui,
        kubectl,
        budget: session.progress_budget()?,
        meter: Meter { release, selector: &selector, prometheus, namespace: target.namespace.as_deref(), proxies: &proxies },
        addresses: links::addresses(app, cluster),
    };
    let mut model = Model::new(release, session.cluster_name().as_deref(), target.namespace.as_deref());
    model.expect(&places.addresses);
    let mut panel = Panel { ui: &session.ui, kubectl, screen: Fullscreen::enter(&session.ui)?, model };
    let (outcome, _abandoned) = std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let feeds = Feeds::new(&places, sender);
        feeds.start(scope);
        let outcome = panel.go_on(&receiver, &feeds, |order| match order {
            Order::Log(pod, container) => feeds.follow(scope, pod, container),
            Order::Events(pod) => feeds.events(scope, pod),
            Order::Restart(pod) => feeds.restart(scope, pod),
            _ => drop(feeds.close()),
        });
        drop((panel, receiver)); // the terminal is the user's again, whoever still waits for an answer
        feeds.end();
        (outcome, interrupt::abandon())
    });
    outcome
}

struct Panel<'a> {
    ui: &'a Ui,
    kubectl: &'a Kubectl<'a>,
    screen: Fullscreen<'a>,
    model: Model,
}

impl Panel<'_> {
    /// Draws, waits for keys and news, and so on.
    fn go_on(&mut self, receiver: &Receiver<Msg>, feeds: &Feeds<'_>, mut order: impl FnMut(Order)) -> Result<()> {
        let theme = Theme { has_colors: self.ui.shows_colors() };
        loop {
            self.model.now = Timestamp::now();
            let subject = self.model.subject();
            // What a key does is not typed.
            let typed = subject.as_ref().and_then(|subject| subject.words.next.as_deref());
            let typed = typed.filter(|next| !next.starts_with("kubectl logs ") && !next.starts_with("kubectl describe pod "));
            self.model.next = typed.map(|next| self.ui.aimed(next));
            feeds.want(subject.and_then(|subject| subject.log));
            let model = &self.model;
            self.screen.draw(|frame| draw::all(model, theme, frame.area(), frame.buffer_mut()))?;
            let drawn = Instant::now();
            let mut is_news = false;
            while !is_news && drawn.elapsed() < TICK {
                interrupt::check()?;
                if let Some(event) = Fullscreen::event(GLANCE)? {
                    is_news = true;
                    match self.press(event)? {
                        Some(Order::Leave) => return Ok(()),
                        Some(other) => order(other),
                        None => {}
                    }
                }
                for msg in receiver.try_iter().take(AT_ONCE) {
                    self.model.hear(msg);
                    is_news = true;
                }
                is_news |= self.model.page.as_mut().is_some_and(|page| feeds.tell(page));
            }
        }
    }

    /// Does what a key asks for, as far as it is about the terminal; returns the rest.
    fn press(&mut self, event: Event) -> Result<Option<Order>> {
        let Event::Key(key) = event else { return Ok(None) };
        if key.kind == KeyEventKind::Release {
            return Ok(None);
        }
        match keys::press(&mut self.model, key) {
            Some(Order::Stop) => self.screen.away(interrupt::stop)?,
            Some(Order::Redraw) => self.screen.forget()?,
            Some(Order::Shell(pod, container)) => {
                let words = self.screen.away(|| shell(self.ui, self.kubectl, &pod, &container))??;
                self.model.now = Timestamp::now();
                words.into_iter().for_each(|words| self.model.say(words));
            }
            other => return Ok(other),
        }
        Ok(None)
    }
}

/// A shell in a container, as `lain x` starts it. Returns what is to be said of its end.
fn shell(ui: &Ui, kubectl: &Kubectl<'_>, pod: &str, container: &str) -> Result<Option<String>> {
    let begun = Instant::now();
    let words = match kubectl.shell(pod, container, true) {
        Ok(0) => return Ok(None),
        Ok(code) => format!("the shell ended with exit code {code}"),
        Err(error) => {
            interrupt::check()?;
            error.to_string()
        }
    };
    if begun.elapsed() < SOON {
        Fullscreen::wait_for_key(ui, &format!("{words}; any key goes back"), interrupt::received)?;
    }
    Ok(Some(words))
}
