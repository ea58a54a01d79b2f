//! A configuration file, and a variable that overrides a setting.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_emulator::Config;

const VARIABLES: [&str; 4] = [
    "SEALOCK_SERVER__LISTEN",
    "SEALOCK_SERVER__ALIASES",
    "SEALOCK_REGISTRY__DEFAULT",
    "SEALOCK_STORE__ENGINE",
];

fuzz_target!(|text: &str| {
    let _ = toml::from_str::<Config>(text);
    for name in VARIABLES {
        let _ = Config::load(None, [(name.to_owned(), text.to_owned())]);
    }
});
