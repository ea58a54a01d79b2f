//! The arguments by which commands name registries, vaults and identities.
//!
//! A command on a resource takes the resource's name as an argument or as an option. A command on something within the
//! resource takes the option only.

use std::{fmt::Display, str::FromStr};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use sealock_core::{IdentityName, InvalidName, RegistryName, VaultName};

/// The name of a resource of which the quickstart creates one.
pub(crate) trait ResourceName:
    FromStr<Err = InvalidName> + Display + Clone + Send + Sync + 'static
{
    /// The resource's noun, which is also the option's name.
    const NOUN: &'static str;
    /// The placeholder for the name in help.
    const PLACEHOLDER: &'static str;
    /// The option's short form.
    const SHORT: Option<char>;
    /// The name of the resource that the quickstart creates.
    const DEFAULT: &'static str;
}

impl ResourceName for RegistryName {
    const NOUN: &'static str = "registry";
    const PLACEHOLDER: &'static str = "REGISTRY";
    const SHORT: Option<char> = Some('r');
    const DEFAULT: &'static str = "sealock";
}

impl ResourceName for VaultName {
    const NOUN: &'static str = "vault";
    const PLACEHOLDER: &'static str = "VAULT";
    const SHORT: Option<char> = None;
    const DEFAULT: &'static str = "sealock";
}

impl ResourceName for IdentityName {
    const NOUN: &'static str = "identity";
    const PLACEHOLDER: &'static str = "IDENTITY";
    const SHORT: Option<char> = None;
    const DEFAULT: &'static str = "registry-identity";
}

/// The resource that a command acts on.
#[derive(Clone, Debug)]
pub(crate) struct TargetArgs<T> {
    pub(crate) name: T,
}

/// The resource that contains the command's target.
#[derive(Clone, Debug)]
pub(crate) struct ParentArgs<T> {
    pub(crate) name: T,
}

/// The id of the positional argument.
const ARGUMENT: &str = "name";

impl<T: ResourceName> TargetArgs<T> {
    fn argument() -> Arg {
        Arg::new(ARGUMENT)
            .value_name(T::PLACEHOLDER)
            .help(format!("Name of the {}", T::NOUN))
            .default_value(T::DEFAULT)
            .value_parser(parse::<T>)
    }

    fn option() -> Arg {
        option::<T>()
            .help(format!("Same as [{}]", T::PLACEHOLDER))
            .conflicts_with(ARGUMENT)
    }
}

impl<T: ResourceName> Args for TargetArgs<T> {
    fn augment_args(command: Command) -> Command {
        command.arg(Self::argument()).arg(Self::option())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: ResourceName> FromArgMatches for TargetArgs<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let name = value_of::<T>(matches, T::NOUN).or_else(|| value_of(matches, ARGUMENT));
        name.map(|name| Self { name }).ok_or_else(missing_argument)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<T: ResourceName> Args for ParentArgs<T> {
    fn augment_args(command: Command) -> Command {
        let option = option::<T>().help(format!("Name of the {}", T::NOUN));
        command.arg(option.default_value(T::DEFAULT))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: ResourceName> FromArgMatches for ParentArgs<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let name = value_of(matches, T::NOUN);
        name.map(|name| Self { name }).ok_or_else(missing_argument)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn option<T: ResourceName>() -> Arg {
    let option = Arg::new(T::NOUN)
        .long(T::NOUN)
        .value_name(T::PLACEHOLDER)
        .value_parser(parse::<T>);
    match T::SHORT {
        Some(short) => option.short(short),
        None => option,
    }
}

fn parse<T: ResourceName>(text: &str) -> Result<T, InvalidName> {
    text.parse()
}

fn value_of<T: ResourceName>(matches: &ArgMatches, id: &str) -> Option<T> {
    matches.get_one::<T>(id).cloned()
}

fn missing_argument() -> clap::Error {
    clap::Error::new(clap::error::ErrorKind::MissingRequiredArgument)
}
