use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::Client;

/// The deadline of every condition that is polled.
const DEADLINE: Duration = Duration::from_secs(30);

/// An emulator of a single test, with its own process, port and data directory.
pub struct Emulator {
    process: Option<Child>,
    options: Options,
    /// The directory of everything that the emulator writes.
    dir: TempDir,
    address: String,
    ready: Value,
}

/// The options of an emulator's start.
#[derive(Clone, Default)]
pub struct Options {
    /// The address to listen on, instead of a free port of 127.0.0.1.
    pub listen: Option<String>,
    /// The data directory, instead of a new one.
    pub data_dir: Option<PathBuf>,
    /// True to keep everything in memory.
    pub ephemeral: bool,
    /// The text of a configuration file, instead of the quickstart.
    pub config: Option<String>,
    /// Additional arguments.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

/// The output of a command.
#[derive(Debug)]
pub struct Output {
    /// The exit code.
    pub code: i32,
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
}

impl Emulator {
    /// Starts an emulator on a free port, with the quickstart in a new data directory.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// Starts an emulator.
    pub fn start_with(options: Options) -> Self {
        let mut emulator = Self {
            process: None,
            options,
            dir: TempDir::new().expect("a temporary directory"),
            address: String::new(),
            ready: Value::Null,
        };
        emulator.spawn();
        emulator
    }

    /// Returns the path of the binary, which is built beside this test.
    pub fn binary() -> PathBuf {
        let test = std::env::current_exe().expect("this test's path");
        let binary = test
            .ancestors()
            .nth(2)
            .expect("a target directory")
            .join("sealock");
        assert!(
            binary.exists(),
            "{} is missing; build it with: cargo build",
            binary.display()
        );
        binary
    }

    fn spawn(&mut self) {
        let ready = self.dir.path().join("ready.json");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = Command::new(Self::binary());
        command
            .args(["serve", "--listen"])
            .arg(self.options.listen.as_deref().unwrap_or("127.0.0.1:0"))
            .arg("--ready-file")
            .arg(&ready)
            .args(&self.options.arguments)
            .envs(self.options.environment.iter().cloned())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(config) = &self.options.config {
            let file = self.dir.path().join("config.toml");
            fs::write(&file, config).unwrap();
            command.arg("--config").arg(file);
        }
        if self.options.ephemeral {
            command.arg("--ephemeral");
        } else {
            command.arg("--data-dir").arg(self.data_dir());
        }
        self.process = Some(command.spawn().expect("the emulator starts"));
        eventually("the emulator to be ready", || {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                panic!(
                    "the emulator ended with {status}:\n{}",
                    fs::read_to_string(self.log()).unwrap()
                );
            }
            ready.exists()
        });
        let ready: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        let address = ready["address"].as_str().unwrap();
        address.clone_into(&mut self.address);
        self.ready = ready;
    }

    /// Returns the data directory.
    pub fn data_dir(&self) -> PathBuf {
        let data_dir = self.options.data_dir.clone();
        data_dir.unwrap_or_else(|| self.dir.path().join("data"))
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Returns the log.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    /// Returns the address, such as `127.0.0.1:5000`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the CA's file, or `None` if everything is in memory.
    pub fn ca(&self) -> Option<&Path> {
        self.ready["ca"].as_str().map(Path::new)
    }

    /// Returns the content of the ready file.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// Returns a client of the registry.
    pub fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address))
    }

    /// Runs a command on the emulator.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let url = format!("http://{}", self.address);
        let token = self.data_dir().join("control.token");
        let token = token.exists().then(|| token.display().to_string());
        let token = token
            .as_deref()
            .map(|path| ("SEALOCK_CONTROL_TOKEN_FILE", path));
        let environment: Vec<_> = [("SEALOCK_EMULATOR", &*url)]
            .into_iter()
            .chain(token)
            .collect();
        run(arguments, self.dir.path(), &environment)
    }

    /// Runs a command that must succeed, and returns its output. `status` may also report a revoked registry.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let succeeds = output.code == 0 || arguments[0] == "status" && output.code == 3;
        assert!(succeeds, "sealock {arguments:?}: {output:?}");
        output.stdout
    }

    /// Verifies that everything is intact, and that no manifest refers to missing content.
    ///
    /// # Panics
    /// If there is a problem.
    pub fn verify(&self) {
        let verified = self.json(&["verify"]);
        let registries = verified["registries"].as_array().expect("registries");
        for registry in registries {
            let deleted = registry["deleted_references"].as_array();
            assert_eq!(deleted, Some(&Vec::new()), "{registry}");
        }
    }

    /// Runs a command with `--json`, which must succeed, and returns its output.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.cli(&[arguments, &["--json"]].concat())).expect("JSON")
    }

    /// Returns the id of the emulator's process.
    ///
    /// # Panics
    /// If it is not running.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running emulator").id()
    }

    /// Stops the emulator as a service manager would, and waits.
    pub fn stop(&mut self) {
        let process = self.process.take().expect("a running emulator");
        let stopped = Command::new("kill")
            .arg(process.id().to_string())
            .status()
            .unwrap();
        assert!(stopped.success());
        let code = wait(process);
        assert_eq!(
            code,
            Some(0),
            "SIGTERM ends it in order:\n{}",
            self.logged()
        );
    }

    /// Kills the emulator with SIGKILL, so that it writes nothing more.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("a running emulator");
        process.kill().unwrap();
        process.wait().unwrap();
        let _ = fs::remove_file(self.dir.path().join("ready.json"));
    }

    /// Starts the emulator again with the same data directory.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        self.spawn();
    }

    /// Changes the environment variables of the next start.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.options.environment = environment;
    }

    /// Stops the emulator, and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Returns every file of the data directory with its content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.data_dir(), &mut files);
        files
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if thread::panicking() {
            let log = self.logged();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            #[expect(clippy::print_stderr, reason = "for whoever reads why the test failed")]
            {
                eprintln!("the emulator's log:\n{}", tail.join("\n"));
            }
        }
    }
}

/// Runs the binary with these arguments in `dir`.
pub fn run(arguments: &[&str], dir: &Path, environment: &[(&str, &str)]) -> Output {
    let output = Command::new(Emulator::binary())
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("the command line starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Polls for `condition` until the deadline.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} for {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

fn wait(mut process: Child) -> Option<i32> {
    let mut status = None;
    eventually("the emulator to stop", || {
        status = process.try_wait().unwrap();
        status.is_some()
    });
    status.and_then(|status| status.code())
}

fn collect(dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let content = fs::read(&path).unwrap();
            files.push((path, content));
        }
    }
}
