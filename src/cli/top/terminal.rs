//! The terminal while `top` has it: its own screen, no cursor, keys as they are pressed; given back whatever happens.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use tokio::sync::mpsc;

/// Where a terminal does not say how large it is.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Keys that were pressed and not looked at; more of them wait in the terminal.
const MAX_KEYS: usize = 16;

/// How often the thread that reads keys looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    NextOrder,
    PreviousOrder,
    Up,
    Down,
    /// The window has another size.
    Redraw,
}

/// Dropping it gives the terminal back.
#[derive(Debug)]
pub(super) struct Terminal(());

impl Terminal {
    /// Takes the terminal of this process, and the keys that are pressed on it. The channel ends with the terminal.
    ///
    /// # Errors
    /// It is none that can be drawn on.
    pub(super) fn take() -> io::Result<(Self, mpsc::Receiver<Key>)> {
        enable_raw_mode()?;
        let terminal = Self(());
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        let (pressed, keys) = mpsc::channel(MAX_KEYS);
        thread::Builder::new().name("keys".to_owned()).spawn(move || read_keys(&pressed))?;
        Ok((terminal, keys))
    }

    /// Width and height in characters.
    pub(super) fn size(&self) -> (usize, usize) {
        let (width, height) = crossterm::terminal::size().unwrap_or(USUAL_SIZE);
        (width.into(), height.into())
    }

    /// Shows these lines and nothing else. Written in one go and over what was there, so that nothing flickers.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut frame = String::from("\u{1b}[H");
        for (place, line) in lines.iter().enumerate() {
            let line_break = if place == 0 { "" } else { "\r\n" };
            // Writing into a String cannot fail.
            let _ = write!(frame, "{line_break}{line}\u{1b}[K");
        }
        frame.push_str("\u{1b}[J");
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

fn read_keys(pressed: &mpsc::Sender<Key>) {
    while !pressed.is_closed() {
        match event::poll(LOOK_EVERY) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(_gone) => return,
        }
        let Ok(event) = event::read() else { return };
        if let Some(key) = key_of(&event)
            && pressed.blocking_send(key).is_err()
        {
            return;
        }
    }
}

fn key_of(event: &Event) -> Option<Key> {
    let key = match event {
        Event::Resize(..) => return Some(Key::Redraw),
        Event::Key(key) if key.kind != KeyEventKind::Release => key,
        _ => return None,
    };
    // A terminal in raw mode sends no signals: Ctrl-C is a key.
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c' | 'd') if is_control => Some(Key::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char('s') | KeyCode::Right | KeyCode::Tab => Some(Key::NextOrder),
        KeyCode::Left | KeyCode::BackTab => Some(Key::PreviousOrder),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        _ => None,
    }
}
