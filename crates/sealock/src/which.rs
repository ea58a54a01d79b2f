//! The one way in which commands name things.
//!
//! A command that is about one thing takes its name as an argument, or by the option of the thing's noun. A command that
//! is about something within it takes the option alone.

use std::{fmt::Display, str::FromStr};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use sealock_core::{IdentityName, InvalidName, RegistryName, VaultName};

/// The name of a kind of thing that the quickstart makes one of.
pub(crate) trait Named:
    FromStr<Err = InvalidName> + Display + Clone + Send + Sync + 'static
{
    /// The noun, which is the option's name, too.
    const NOUN: &'static str;
    /// The placeholder for its name in help.
    const PLACEHOLDER: &'static str;
    /// The option's short form.
    const SHORT: Option<char>;
    /// The name of the one that the quickstart makes.
    const DEFAULT: &'static str;
}

impl Named for RegistryName {
    const NOUN: &'static str = "registry";
    const PLACEHOLDER: &'static str = "REGISTRY";
    const SHORT: Option<char> = Some('r');
    const DEFAULT: &'static str = "sealock";
}

impl Named for VaultName {
    const NOUN: &'static str = "vault";
    const PLACEHOLDER: &'static str = "VAULT";
    const SHORT: Option<char> = None;
    const DEFAULT: &'static str = "sealock";
}

impl Named for IdentityName {
    const NOUN: &'static str = "identity";
    const PLACEHOLDER: &'static str = "IDENTITY";
    const SHORT: Option<char> = None;
    const DEFAULT: &'static str = "registry-identity";
}

/// The thing that a command is about.
#[derive(Clone, Debug)]
pub(crate) struct Which<T> {
    /// Its name.
    pub(crate) name: T,
}

/// The thing within which the command's own thing is.
#[derive(Clone, Debug)]
pub(crate) struct Within<T> {
    /// Its name.
    pub(crate) name: T,
}

/// The id of the argument beside the option of the same thing.
const ARGUMENT: &str = "name";

impl<T: Named> Which<T> {
    fn argument() -> Arg {
        Arg::new(ARGUMENT)
            .value_name(T::PLACEHOLDER)
            .help(format!("The {}", T::NOUN))
            .default_value(T::DEFAULT)
            .value_parser(parse::<T>)
    }

    fn option() -> Arg {
        option::<T>()
            .help(format!("The {}, as other commands name it", T::NOUN))
            .conflicts_with(ARGUMENT)
    }
}

impl<T: Named> Args for Which<T> {
    fn augment_args(command: Command) -> Command {
        command.arg(Self::argument()).arg(Self::option())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: Named> FromArgMatches for Which<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let name = given::<T>(matches, T::NOUN).or_else(|| given(matches, ARGUMENT));
        name.map(|name| Self { name }).ok_or_else(missing)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<T: Named> Args for Within<T> {
    fn augment_args(command: Command) -> Command {
        let option = option::<T>().help(format!("The {}", T::NOUN));
        command.arg(option.default_value(T::DEFAULT))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: Named> FromArgMatches for Within<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let name = given(matches, T::NOUN);
        name.map(|name| Self { name }).ok_or_else(missing)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn option<T: Named>() -> Arg {
    let option = Arg::new(T::NOUN)
        .long(T::NOUN)
        .value_name(T::PLACEHOLDER)
        .value_parser(parse::<T>);
    match T::SHORT {
        Some(short) => option.short(short),
        None => option,
    }
}

fn parse<T: Named>(text: &str) -> Result<T, InvalidName> {
    text.parse()
}

fn given<T: Named>(matches: &ArgMatches, id: &str) -> Option<T> {
    matches.get_one::<T>(id).cloned()
}

fn missing() -> clap::Error {
    clap::Error::new(clap::error::ErrorKind::MissingRequiredArgument)
}
