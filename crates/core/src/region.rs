//! Azure's public regions, with their geographies and pairs.

use crate::Location;

/// A region of Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name, such as `eastus`.
    pub name: &'static str,
    /// Its name for people.
    pub display_name: &'static str,
    /// Its geography: the boundary of data residency.
    pub geography: &'static str,
    /// The part of the world to which Azure counts it.
    pub geography_group: &'static str,
    /// The region that it is paired with, whose own pair may be a third one.
    pub pair: Option<&'static str>,
    /// True if Azure recommends it for every workload.
    pub is_recommended: bool,
}

/// All regions, in the order of `az account list-locations`: name, display name, geography, geography group, and pair.
///
/// <https://learn.microsoft.com/azure/reliability/regions-list>,
/// <https://learn.microsoft.com/azure/reliability/regions-paired>
#[rustfmt::skip]
const REGIONS: [Region; 60] = [
    recommended("eastus", "East US", "United States", "US", "westus"),
    recommended("eastus2", "East US 2", "United States", "US", "centralus"),
    recommended("southcentralus", "South Central US", "United States", "US", "northcentralus"),
    recommended("westus2", "West US 2", "United States", "US", "westcentralus"),
    recommended("westus3", "West US 3", "United States", "US", "eastus"),
    recommended("australiaeast", "Australia East", "Australia", "Asia Pacific", "australiasoutheast"),
    recommended("southeastasia", "Southeast Asia", "Asia Pacific", "Asia Pacific", "eastasia"),
    recommended("northeurope", "North Europe", "Europe", "Europe", "westeurope"),
    recommended("swedencentral", "Sweden Central", "Sweden", "Europe", "swedensouth"),
    recommended("uksouth", "UK South", "United Kingdom", "UK", "ukwest"),
    recommended("westeurope", "West Europe", "Europe", "Europe", "northeurope"),
    recommended("centralus", "Central US", "United States", "US", "eastus2"),
    recommended("southafricanorth", "South Africa North", "South Africa", "Africa", "southafricawest"),
    recommended("centralindia", "Central India", "India", "Asia Pacific", "southindia"),
    recommended("indiasouthcentral", "India South Central", "India", "Asia Pacific", "centralindia"),
    recommended("eastasia", "East Asia", "Asia Pacific", "Asia Pacific", "southeastasia"),
    recommended("indonesiacentral", "Indonesia Central", "Indonesia", "Asia Pacific", ""),
    recommended("japaneast", "Japan East", "Japan", "Asia Pacific", "japanwest"),
    recommended("japanwest", "Japan West", "Japan", "Asia Pacific", "japaneast"),
    recommended("koreacentral", "Korea Central", "Korea", "Asia Pacific", "koreasouth"),
    recommended("malaysiawest", "Malaysia West", "Malaysia", "Asia Pacific", ""),
    recommended("newzealandnorth", "New Zealand North", "New Zealand", "Asia Pacific", ""),
    recommended("canadacentral", "Canada Central", "Canada", "Canada", "canadaeast"),
    recommended("austriaeast", "Austria East", "Austria", "Europe", ""),
    recommended("belgiumcentral", "Belgium Central", "Belgium", "Europe", ""),
    recommended("denmarkeast", "Denmark East", "Denmark", "Europe", ""),
    recommended("francecentral", "France Central", "France", "Europe", "francesouth"),
    recommended("germanywestcentral", "Germany West Central", "Germany", "Europe", "germanynorth"),
    recommended("italynorth", "Italy North", "Italy", "Europe", ""),
    recommended("norwayeast", "Norway East", "Norway", "Europe", "norwaywest"),
    recommended("polandcentral", "Poland Central", "Poland", "Europe", ""),
    recommended("spaincentral", "Spain Central", "Spain", "Europe", ""),
    recommended("switzerlandnorth", "Switzerland North", "Switzerland", "Europe", "switzerlandwest"),
    recommended("mexicocentral", "Mexico Central", "Mexico", "Mexico", ""),
    recommended("uaenorth", "UAE North", "UAE", "Middle East", "uaecentral"),
    recommended("brazilsouth", "Brazil South", "Brazil", "South America", "southcentralus"),
    recommended("chilecentral", "Chile Central", "Chile", "South America", ""),
    recommended("israelcentral", "Israel Central", "Israel", "Middle East", ""),
    recommended("qatarcentral", "Qatar Central", "Qatar", "Middle East", ""),
    other("northcentralus", "North Central US", "United States", "US", "southcentralus"),
    other("westus", "West US", "United States", "US", "eastus"),
    other("jioindiawest", "Jio India West", "India", "Asia Pacific", "jioindiacentral"),
    other("westcentralus", "West Central US", "United States", "US", "westus2"),
    other("southafricawest", "South Africa West", "South Africa", "Africa", "southafricanorth"),
    other("australiacentral", "Australia Central", "Australia", "Asia Pacific", "australiacentral2"),
    other("australiacentral2", "Australia Central 2", "Australia", "Asia Pacific", "australiacentral"),
    other("australiasoutheast", "Australia Southeast", "Australia", "Asia Pacific", "australiaeast"),
    other("jioindiacentral", "Jio India Central", "India", "Asia Pacific", "jioindiawest"),
    other("koreasouth", "Korea South", "Korea", "Asia Pacific", "koreacentral"),
    other("southindia", "South India", "India", "Asia Pacific", "centralindia"),
    other("westindia", "West India", "India", "Asia Pacific", "southindia"),
    other("canadaeast", "Canada East", "Canada", "Canada", "canadacentral"),
    other("francesouth", "France South", "France", "Europe", "francecentral"),
    other("germanynorth", "Germany North", "Germany", "Europe", "germanywestcentral"),
    other("norwaywest", "Norway West", "Norway", "Europe", "norwayeast"),
    other("swedensouth", "Sweden South", "Sweden", "Europe", "swedencentral"),
    other("switzerlandwest", "Switzerland West", "Switzerland", "Europe", "switzerlandnorth"),
    other("ukwest", "UK West", "United Kingdom", "UK", "uksouth"),
    other("uaecentral", "UAE Central", "UAE", "Middle East", "uaenorth"),
    other("brazilsoutheast", "Brazil Southeast", "Brazil", "South America", "brazilsouth"),
];

const fn recommended(
    name: &'static str,
    display_name: &'static str,
    geography: &'static str,
    geography_group: &'static str,
    pair: &'static str,
) -> Region {
    Region {
        name,
        display_name,
        geography,
        geography_group,
        pair: if pair.is_empty() { None } else { Some(pair) },
        is_recommended: true,
    }
}

const fn other(
    name: &'static str,
    display_name: &'static str,
    geography: &'static str,
    geography_group: &'static str,
    pair: &'static str,
) -> Region {
    Region {
        is_recommended: false,
        ..recommended(name, display_name, geography, geography_group, pair)
    }
}

impl Region {
    /// Returns all regions, in the order of `az account list-locations`.
    pub fn all() -> &'static [Self] {
        &REGIONS
    }
}

impl Location {
    /// Returns the geography. A location that is none of Azure's regions is a geography of its own.
    pub fn geography(&self) -> &str {
        self.region()
            .map_or_else(|| self.as_str(), |region| region.geography)
    }

    /// Returns the paired region. A location that is none of Azure's regions has none.
    pub fn pair(&self) -> Option<Self> {
        self.region()?.pair?.parse().ok()
    }

    fn region(&self) -> Option<&'static Region> {
        REGIONS.iter().find(|region| region.name == self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(name: &str) -> Location {
        name.parse().unwrap()
    }

    #[test]
    fn regions_have_their_geographies_and_pairs() {
        for (name, geography, pair) in [
            ("eastus", "United States", Some("westus")),
            ("westeurope", "Europe", Some("northeurope")),
            ("brazilsouth", "Brazil", Some("southcentralus")),
            ("westus3", "United States", Some("eastus")),
            ("qatarcentral", "Qatar", None),
            ("italynorth", "Italy", None),
            ("moonbase1", "moonbase1", None),
        ] {
            let found = location(name);
            assert_eq!(found.geography(), geography);
            assert_eq!(found.pair(), pair.map(location));
        }
    }

    #[test]
    fn each_name_occurs_once_and_each_pair_is_a_region() {
        for region in Region::all() {
            let named = Region::all().iter().filter(|it| it.name == region.name);
            assert_eq!(named.count(), 1, "{}", region.name);
            assert_eq!(location(region.display_name).as_str(), region.name);
            if let Some(pair) = region.pair {
                assert!(location(pair).region().is_some(), "{pair}");
            }
        }
    }
}
