use std::{fs, ops::Sub};

/// The unit of `/proc/PID/stat`: Linux shows programs hundredths of a second, on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// The columns of `/proc/PID/stat` after the name, which may itself hold spaces.
const USER: usize = 11;
const USER_OF_CHILDREN: usize = 13;

/// Processor time, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Cpu {
    /// Returns the time that a process has taken, with all its threads.
    pub(crate) fn of_process(pid: u32) -> Self {
        Self::read(&format!("/proc/{pid}/stat"), USER)
    }

    /// Returns the time that the calling thread has taken.
    pub(crate) fn of_thread() -> Self {
        Self::read("/proc/thread-self/stat", USER)
    }

    /// Returns the time that this process's children had taken when they ended.
    pub(crate) fn of_ended_children() -> Self {
        Self::read("/proc/self/stat", USER_OF_CHILDREN)
    }

    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }

    fn read(path: &str, user: usize) -> Self {
        let stat = fs::read_to_string(path).unwrap();
        let (.., columns) = stat.rsplit_once(") ").unwrap();
        let mut columns = columns.split(' ').skip(user);
        let mut seconds = || columns.next().unwrap().parse::<f64>().unwrap() / TICKS_PER_SECOND;
        Self {
            user: seconds(),
            system: seconds(),
        }
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }
}
