//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Mode, Model, Page};
use super::sheet::{LEAP, scroll_help, type_filter};

/// What somebody else is to do for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The panel ends.
    Leave,
    /// It stops, until the shell goes on with it.
    Stop,
    /// It is drawn anew.
    Redraw,
    /// The log of a container is followed.
    Log(String, String),
    /// The events of a pod are asked for.
    Events(String),
    /// Nobody reads that any more.
    Close,
    /// A shell in a container of a pod.
    Shell(String, String),
    /// A pod is deleted, so that another takes its place.
    Restart(String),
}

/// A key was pressed.
pub(super) fn press(model: &mut Model, key: KeyEvent) -> Option<Order> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Order::Leave),
            KeyCode::Char('z') => Some(Order::Stop),
            KeyCode::Char('l') => Some(Order::Redraw),
            _ => None,
        };
    }
    match model.mode.clone() {
        Mode::Pods => of_pods(model, key.code),
        Mode::Filter => {
            of_filter(model, key.code);
            None
        }
        Mode::Restart(pod) => {
            model.mode = Mode::Pods;
            if matches!(key.code, KeyCode::Char('y' | 'Y')) {
                model.say(format!("restarting {pod}..."));
                return Some(Order::Restart(pod));
            }
            model.say("nothing was restarted".to_owned());
            None
        }
        Mode::Help => {
            if !scroll_help(&model.help_from, key.code) {
                model.mode = Mode::Pods;
            }
            None
        }
        Mode::Page => of_page(model, key.code),
    }
}

fn of_pods(model: &mut Model, code: KeyCode) -> Option<Order> {
    model.said = None; // it was about what the key before was about
    match code {
        KeyCode::Char('q') => return Some(Order::Leave),
        // One step back; out where there is none.
        KeyCode::Esc if model.filter.is_empty() && model.selected.is_none() => return Some(Order::Leave),
        KeyCode::Esc if model.selected.is_some() => model.selected = None,
        KeyCode::Esc => model.filter.clear(),
        KeyCode::Char('?') | KeyCode::F(1) => model.mode = Mode::Help,
        KeyCode::Char('/') => model.mode = Mode::Filter,
        KeyCode::Down | KeyCode::Char('j') => select(model, |at, _| at.map_or(0, |at| at + 1)),
        KeyCode::Up | KeyCode::Char('k') => select(model, |at, _| at.unwrap_or(0).saturating_sub(1)),
        KeyCode::Home | KeyCode::Char('g') => select(model, |_, _| 0),
        KeyCode::End | KeyCode::Char('G') => select(model, |_, last| last),
        KeyCode::PageUp => model.above.set(model.above.get() + LEAP),
        KeyCode::PageDown => model.above.set(model.above.get().saturating_sub(LEAP)),
        _ => return of_one_pod(model, code),
    }
    None
}

fn of_one_pod(model: &mut Model, code: KeyCode) -> Option<Order> {
    if !matches!(code, KeyCode::Enter | KeyCode::Char('l' | 'e' | 'x' | 'r')) {
        return None;
    }
    let pod = match model.pod() {
        Ok(pod) => pod.clone(),
        Err(why) => {
            model.say(why);
            return None;
        }
    };
    let first = pod.containers.first();
    let container = pod.log.as_ref().map(|at| &at.container).or(first.map(|it| &it.name)).cloned();
    match (code, container) {
        (KeyCode::Char('r'), _) if pod.is_leaving => model.say(format!("pod {} is leaving already", pod.name)),
        (KeyCode::Char('r'), _) => match pod.is_last {
            Some(why) => model.say(format!("nothing to restart: {why} ({})", pod.name)),
            None => model.mode = Mode::Restart(pod.name),
        },
        (KeyCode::Char('e'), _) => {
            (model.mode, model.page) = (Mode::Page, Some(Page::new(&pod.name, None)));
            return Some(Order::Events(pod.name));
        }
        (KeyCode::Char('x'), Some(_)) => {
            let first = first.cloned()?;
            match &first.rests {
                None => return Some(Order::Shell(pod.name, first.name)),
                Some(why) => {
                    let log = if first.unbegun.is_none() { "; l: its log" } else { "" };
                    model.say(format!("container {} is not running: {why}{log}", first.name));
                }
            }
        }
        (_, Some(container)) => {
            (model.mode, model.page) = (Mode::Page, Some(Page::new(&pod.name, Some(&container))));
            return Some(Order::Log(pod.name, container));
        }
        (_, None) => model.say(format!("pod {} has no container", pod.name)),
    }
    None
}

fn select(model: &mut Model, to: impl Fn(Option<usize>, usize) -> usize) {
    let pods = model.pods();
    let Some(last) = pods.len().checked_sub(1) else { return };
    let name = pods[to(model.place_of(&pods), last).min(last)].name.clone();
    model.selected = Some(name);
    model.above.set(0);
}

fn of_filter(model: &mut Model, code: KeyCode) {
    if !type_filter(&mut model.filter, code) {
        model.mode = Mode::Pods;
    }
    // What is filtered away is not selected.
    let pods = model.pods();
    if model.selected.is_some() && model.place_of(&pods).is_none() {
        model.selected = None;
    }
}

fn of_page(model: &mut Model, code: KeyCode) -> Option<Order> {
    let page = model.page.as_mut()?;
    let below = page.below.get();
    match code {
        KeyCode::Char('q') | KeyCode::Esc => {
            (model.mode, model.page) = (Mode::Pods, None);
            return Some(Order::Close);
        }
        KeyCode::Up | KeyCode::Char('k') => page.below.set(below.saturating_add(1)),
        KeyCode::Down | KeyCode::Char('j') => page.below.set(below.saturating_sub(1)),
        KeyCode::PageUp => page.below.set(below.saturating_add(LEAP)),
        KeyCode::PageDown => page.below.set(below.saturating_sub(LEAP)),
        KeyCode::Home | KeyCode::Char('g') => page.below.set(usize::MAX / 2),
        KeyCode::End | KeyCode::Char('G') => page.below.set(0),
        _ => {}
    }
    None
}
