use crate::{Error, Requester, Result};

/// The version that a refusal recommends: what Microsoft's SDKs name by default.
const LATEST: &str = "2025-07-01";

impl Requester {
    /// A client names the version of the API that it was made for. Every version that is written like one is
    /// taken: what each of them has is served to all. The text for another one is Azure's
    /// (<https://github.com/Azure/azure-sdk-for-python/issues/28595>).
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups>
    pub(crate) fn api_version_is_named(&self) -> Result<()> {
        let named = self.client.api_version.as_deref();
        match named {
            _ if !self.is_client() => Ok(()),
            Some(version) if is_version(version) => Ok(()),
            Some(version) => Err(Error::BadParameter(format!(
                "The specified version ({version}) is not recognized. Consider using the latest supported version ({LATEST})."
            ))),
            None => Err(Error::BadParameter(format!(
                "The query parameter api-version is missing; name one such as 7.4 or {LATEST}."
            ))),
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
            LATEST,
            "2026-01-01-preview",
            "2026-04-01",
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
