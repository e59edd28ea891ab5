use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Port, Role};

/// Names that inputs and outputs have in place of the contract's, for a service that sends and reads
/// others.
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
    /// The names by the contract's.
    by_contract: BTreeMap<String, String>,
}

impl PortNames {
    /// Whether every port has the contract's name.
    pub fn is_empty(&self) -> bool {
        self.by_contract.is_empty()
    }

    /// The role of the port of this name, in a graph of ours that has these names.
    pub fn role(&self, name: &str) -> Role {
        let mut renamed = self.by_contract.iter();
        let contract = renamed.find(|(_, own)| *own == name);
        Role::from_name(contract.map_or(name, |(contract, _)| contract))
    }

    /// Whether one of these names is given to a port.
    pub fn gives(&self, name: &str) -> bool {
        self.by_contract.values().any(|own| own == name)
    }

    /// Gives ports that have the contract's names these.
    pub(crate) fn give_to(&self, ports: &mut [Port]) {
        for port in ports {
            if let Some(own) = self.by_contract.get(&port.name) {
                port.name.clone_from(own);
            }
        }
    }

    /// The first contract's name that none of `ports`, in the contract's names, has.
    pub(crate) fn unknown(&self, ports: &[Port]) -> Option<&str> {
        let is_known = |name: &String| ports.iter().any(|port| port.name == *name);
        let mut contract = self.by_contract.keys();
        contract.find(|it| !is_known(it)).map(String::as_str)
    }

    /// The first name that can't be one, and why: none at all, or one of two of `ports`.
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
    /// Pairs of the contract's name and the one in its place.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        Self {
            by_contract: pairs
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        }
    }
}
