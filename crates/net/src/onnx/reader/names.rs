//! Names of nodes.

use std::collections::HashMap;

/// Unique names for nodes and parameters.
#[derive(Default)]
pub(super) struct Names {
    /// Each name with the number that its next double gets.
    taken: HashMap<String, usize>,
}

impl Names {
    pub(super) fn is_taken(&self, name: &str) -> bool {
        self.taken.contains_key(name)
    }

    /// The wanted name, or with a number after it where it is taken.
    pub(super) fn choose(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "unnamed" } else { wanted };
        let mut name = wanted.to_owned();
        while self.taken.contains_key(&name) {
            let number = self.taken.get_mut(wanted).map_or(2, |next| {
                *next += 1;
                *next
            });
            name = format!("{wanted}_{number}");
        }
        self.taken.insert(name.clone(), 1);
        name
    }
}
