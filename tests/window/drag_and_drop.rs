//! A file manager drags a clip onto the window of the real program, on an X server without a
//! screen. (XDND, version 5: <https://freedesktop.org/wiki/Specifications/XDND/>.)

use std::{
    error::Error,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{
            AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, ImageFormat,
            MapState, PropMode, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window,
            WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::{needs, workbench::alone};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(120);
/// Nothing of the window has it.
const MAGENTA: [u8; 3] = [250, 20, 230];

/// Ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An X server and its display's name, or `None` where there is no Xvfb.
fn server() -> Option<(Process, String)> {
    let mut command = Command::new("Xvfb");
    command.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
    let mut server = Process(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?);
    let mut number = String::new();
    BufReader::new(server.0.stdout.take()?).read_line(&mut number).ok()?;
    Some((server, format!(":{}", number.trim())))
}

/// The side that drags.
struct Source {
    server: RustConnection,
    root: Window,
    window: Window,
    uris: String,
}

impl Source {
    fn new(display: &str, path: &Path) -> Result<Self> {
        let (server, screen) = RustConnection::connect(Some(display))?;
        let (root, window) = (server.setup().roots[screen].root, server.generate_id()?);
        let (class, values) = (WindowClass::INPUT_OUTPUT, CreateWindowAux::new());
        server.create_window(0, window, root, 0, 0, 1, 1, 0, class, 0, &values)?;
        let uris = format!("file://{}\r\n", path.display().to_string().replace(' ', "%20"));
        let source = Self { server, root, window, uris };
        source.server.set_selection_owner(window, source.atom("XdndSelection")?, x11rb::CURRENT_TIME)?;
        Ok(source)
    }

    fn atom(&self, name: &str) -> Result<u32> {
        Ok(self.server.intern_atom(false, name.as_bytes())?.reply()?.atom)
    }

    /// The visible window that takes drops.
    fn target(&self) -> Result<Option<Window>> {
        let aware = self.atom("XdndAware")?;
        for window in self.server.query_tree(self.root)?.reply()?.children {
            let property = self.server.get_property(false, window, aware, AtomEnum::ANY, 0, 1)?.reply()?;
            let shown = self.server.get_window_attributes(window)?.reply()?.map_state;
            if property.value_len > 0 && shown == MapState::VIEWABLE {
                return Ok(Some(window));
            }
        }
        Ok(None)
    }

    fn send(&self, target: Window, message: &str, data: [u32; 5]) -> Result<()> {
        let event = ClientMessageEvent::new(32, target, self.atom(message)?, data);
        self.server.send_event(false, target, EventMask::NO_EVENT, event)?;
        Ok(self.server.flush()?)
    }

    /// The data of this message when it comes; what is dragged is handed out meanwhile.
    fn answer(&self, message: &str) -> Result<[u32; 5]> {
        let (wanted, since) = (self.atom(message)?, Instant::now());
        while since.elapsed() < PATIENCE {
            match self.server.poll_for_event()? {
                Some(Event::ClientMessage(event)) if event.type_ == wanted => {
                    return Ok(event.data.as_data32());
                }
                Some(Event::SelectionRequest(request)) => self.hand_out(&request)?,
                Some(_) => {}
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
        Err(format!("no {message}").into())
    }

    fn hand_out(&self, request: &SelectionRequestEvent) -> Result<()> {
        let SelectionRequestEvent { time, requestor, selection, target, property, .. } = *request;
        assert_eq!(target, self.atom("text/uri-list")?);
        self.server.change_property8(PropMode::REPLACE, requestor, property, target, self.uris.as_bytes())?;
        let (response_type, sequence) = (SELECTION_NOTIFY_EVENT, 0);
        let event =
            SelectionNotifyEvent { response_type, sequence, time, requestor, selection, target, property };
        self.server.send_event(false, requestor, EventMask::NO_EVENT, event)?;
        Ok(self.server.flush()?)
    }

    /// Over the middle of the window, then lets go.
    fn drag_onto(&self, target: Window) -> Result<()> {
        let (types, copy) = (self.atom("text/uri-list")?, self.atom("XdndActionCopy")?);
        self.send(target, "XdndEnter", [self.window, 5 << 24, types, 0, 0])?;
        let place = 640 << 16 | 400;
        self.send(target, "XdndPosition", [self.window, 0, place, x11rb::CURRENT_TIME, copy])?;
        let [_, accepted, ..] = self.answer("XdndStatus")?;
        assert_eq!(accepted & 1, 1, "the window takes the drop");
        self.send(target, "XdndDrop", [self.window, 0, x11rb::CURRENT_TIME, 0, 0])?;
        let [_, finished, ..] = self.answer("XdndFinished")?;
        assert_eq!(finished & 1, 1, "the window has taken the drop");
        Ok(())
    }

    /// How many pixels of the window are magenta.
    fn magenta(&self, target: Window) -> Result<usize> {
        let place = self.server.get_geometry(target)?.reply()?;
        let (format, width, height) = (ImageFormat::Z_PIXMAP, place.width, place.height);
        let image = self.server.get_image(format, target, 0, 0, width, height, u32::MAX)?.reply()?;
        let is_magenta = |pixel: &[u8]| {
            pixel.iter().zip(MAGENTA.iter().rev()).all(|(found, wanted)| found.abs_diff(*wanted) < 12)
        };
        Ok(image.data.chunks_exact(4).filter(|pixel| is_magenta(&pixel[..3])).count())
    }
}

fn until<T>(what: &str, mut find: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        if let Some(found) = find()? {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("waited in vain: {what}").into())
}

#[test]
fn a_clip_is_dragged_onto_the_window() -> Result<()> {
    let _alone = alone();
    let Some((_server, display)) = server() else {
        needs::check(false, "the program Xvfb", "apt-get install xvfb");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("two words");
    std::fs::create_dir(&clip)?;
    for frame in 0..5 {
        image::RgbImage::from_pixel(320, 240, image::Rgb(MAGENTA)).save(clip.join(format!("{frame}.png")))?;
    }
    let program = Command::new(env!("CARGO_BIN_EXE_steadymask"))
        .env("DISPLAY", &display)
        .env_remove("WAYLAND_DISPLAY")
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .envs(["CACHE", "CONFIG", "DATA"].map(|kind| (format!("XDG_{kind}_HOME"), folder.path().join(kind))))
        .spawn()?;
    let mut program = Process(program);
    let source = Source::new(&display, &clip)?;
    let target = until("a window", || match program.0.try_wait()? {
        Some(status) => Err(format!("the program ended: {status}").into()),
        None => source.target(),
    })?;
    until("a first picture of the window", || Ok(source.magenta(target).is_ok().then_some(())))?;
    assert_eq!(source.magenta(target)?, 0);
    source.drag_onto(target)?;
    // At least an eighth of the window.
    until("the clip's picture", || Ok((source.magenta(target)? > 1280 * 800 / 8).then_some(())))?;
    assert!(program.0.try_wait()?.is_none(), "the program goes on");
    Ok(())
}
