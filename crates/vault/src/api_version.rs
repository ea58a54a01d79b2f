use crate::{Error, Requester, Result};

impl Requester {
    /// A client names the version of the API that it was made for. Every version that is written like one is
    /// taken: what each of them has is served to all.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups>
    pub(crate) fn api_version_is_named(&self) -> Result<()> {
        let named = self.client.api_version.as_deref();
        match named {
            _ if !self.is_client() => Ok(()),
            Some(version) if is_version(version) => Ok(()),
            Some(version) => Err(Error::BadParameter(format!(
                "'{version}' is not a version of the API; name one such as 7.4 or 2025-07-01."
            ))),
            None => Err(Error::BadParameter(
                "The query parameter api-version is missing; name one such as 7.4 or 2025-07-01."
                    .to_owned(),
            )),
        }
    }
}

fn is_version(text: &str) -> bool {
    let is_number = |text: &str| {
        (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (version, preview) = match text.split_once("-preview") {
        Some((version, preview)) => (version, preview),
        None => (text, ""),
    };
    let is_date = || version.len() == 10 && version.parse::<jiff::civil::Date>().is_ok();
    let is_of_seven = || version.strip_prefix("7.").is_some_and(is_number);
    let is_preview = preview.is_empty() || preview.strip_prefix('.').is_some_and(is_number);
    is_preview && (is_date() || is_of_seven())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_the_api_is_written_like_one() {
        for good in [
            "7.0",
            "7.4",
            "7.5-preview.1",
            "7.6-preview.2",
            "7.10",
            "2016-10-01",
            "2025-07-01",
            "2026-01-01-preview",
        ] {
            assert!(is_version(good), "{good}");
        }
        for bad in [
            "",
            "7",
            "7.",
            "8.0",
            "7.x",
            "7.+4",
            "v7.4",
            "20250701",
            "2025-13-01",
            "7.4-previewer",
            "7.4-preview.",
            "7.4-preview.+1",
            "7.4-preview.1-preview",
            "-preview",
            "2025-7-01",
            "+2025-07-0",
            "2025-W27-2",
            "latest",
        ] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
