use std::{
    fs::File,
    io::Read as _,
    process::{Command, Stdio},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// A terminal of 80 columns that records its output.
pub struct Terminal {
    master: File,
    /// The program's end.
    end: File,
}

impl Terminal {
    /// Opens a terminal.
    pub fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal that can be used");
        unlockpt(&master).expect("a terminal that is not locked");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let path = name.to_str().expect("a path");
        let end = File::options().read(true).write(true).open(path);
        let end = end.expect("the other end");
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&end, size).expect("a size");
        Self {
            master: master.into(),
            end,
        }
    }

    /// Returns the program's end as standard output.
    pub fn stdio(&self) -> Stdio {
        self.end.try_clone().expect("a file").into()
    }

    /// Runs a program, and returns everything that it wrote to the terminal.
    pub fn shown(self, command: &mut Command) -> String {
        let Self { mut master, end } = self;
        let reader = std::thread::spawn(move || {
            let mut shown = Vec::new();
            let mut bytes = [0; 4096];
            // The system reports the closed other end as an error.
            while let Ok(read @ 1..) = master.read(&mut bytes) {
                shown.extend_from_slice(&bytes[..read]);
            }
            shown
        });
        let status = command.status();
        // The command holds the other end too.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        drop(end);
        status.expect("a program that runs");
        let shown = reader.join().expect("a reader");
        String::from_utf8_lossy(&shown).into_owned()
    }
}
