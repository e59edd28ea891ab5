use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Port, Role};

/// Names of inputs and outputs that replace the contract's, for a service that uses other names.
///
/// ```
/// use nezha_graphs::{PortNames, Role};
///
/// let names = PortNames::from_iter([("input_ids", "ids"), ("token_type_ids", "segment_ids")]);
/// assert_eq!(names.role("segment_ids"), Role::TokenTypes);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortNames {
    /// The new names, by the contract's names.
    by_contract: BTreeMap<String, String>,
}

impl PortNames {
    /// Whether every port has the contract's name.
    pub fn is_empty(&self) -> bool {
        self.by_contract.is_empty()
    }

    /// The role of the port of this name, in one of our graphs with these names.
    pub fn role(&self, name: &str) -> Role {
        let mut renamed = self.by_contract.iter();
        let contract = renamed.find(|(_, own)| *own == name);
        Role::from_name(contract.map_or(name, |(contract, _)| contract))
    }

    /// Whether one of the new names is this name.
    pub fn gives(&self, name: &str) -> bool {
        self.by_contract.values().any(|own| own == name)
    }

    /// Renames ports that have the contract's names.
    pub(crate) fn give_to(&self, ports: &mut [Port]) {
        for port in ports {
            if let Some(own) = self.by_contract.get(&port.name) {
                port.name.clone_from(own);
            }
        }
    }

    /// The first of the contract's names here that none of `ports` has; `ports` have the contract's
    /// names.
    pub(crate) fn unknown(&self, ports: &[Port]) -> Option<&str> {
        let is_known = |name: &String| ports.iter().any(|port| port.name == *name);
        let mut contract = self.by_contract.keys();
        contract.find(|it| !is_known(it)).map(String::as_str)
    }

    /// The first new name that can't be used, and why: it is empty, or two of `ports` would have
    /// it.
    pub(crate) fn unusable(&self, mut ports: Vec<Port>) -> Option<(String, &'static str)> {
        self.give_to(&mut ports);
        if ports.iter().any(|port| port.name.is_empty()) {
            return Some((String::new(), "it is empty"));
        }
        let mut seen = BTreeSet::new();
        let twice = ports.into_iter().find(|it| !seen.insert(it.name.clone()));
        twice.map(|port| (port.name, "two ports would have it"))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for PortNames {
    /// Pairs of the contract's name and the new name.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        Self {
            by_contract: pairs
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        }
    }
}
