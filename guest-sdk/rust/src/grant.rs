//! What to do where something is not granted.

use std::fmt::Display;

/// One line for the author: `it is not granted to this node: grants = ["kv:node"] in node.toml, or --grant kv:node`.
pub(crate) fn missing(grant: impl Display) -> String {
    format!("it is not granted to this node: grants = [\"{grant}\"] in node.toml, or --grant {grant}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mend_is_what_is_typed() {
        let mend = "it is not granted to this node: grants = [\"kv:node\"] in node.toml, or --grant kv:node";
        assert_eq!(missing("kv:node"), mend);
    }
}
