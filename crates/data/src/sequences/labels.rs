//! Where a FASTA header says the class of its sequence.

/// How the class is read out of a header (the line without `>`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LabelRule {
    /// `class=…` as by [`LabelRule::Key`], where there is none [`LabelRule::Bracket`].
    #[default]
    Auto,
    /// The first pair of brackets, up to a backslash: `>16125160 [Cytoplasmic\Flagellar] flagellar motor …` is of the
    /// class `Cytoplasmic`, as in PSORTb's sets. In NCBI's files brackets hold the organism.
    Bracket,
    /// The first `KEY=VALUE` with this key, at the header's start or after a blank or one of `|;[`. The value ends at a
    /// blank or one of `|;]`: `>P12345|class=Secreted|…`.
    Key(String),
}

impl LabelRule {
    /// The class that a header names; none where it names none.
    #[must_use]
    pub fn class<'h>(&self, header: &'h str) -> Option<&'h str> {
        match self {
            Self::Auto => value(header, "class").or_else(|| bracket(header)),
            Self::Bracket => bracket(header),
            Self::Key(key) => value(header, key),
        }
    }

    /// What a header must look like, for messages.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Auto => "'class=NAME' or '[NAME]'".to_owned(),
            Self::Bracket => "'[NAME]'".to_owned(),
            Self::Key(key) => format!("'{key}=NAME'"),
        }
    }
}

fn bracket(header: &str) -> Option<&str> {
    let (_, after) = header.split_once('[')?;
    let (inside, _) = after.split_once(']')?;
    named(inside.split('\\').next()?)
}

fn value<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '|' | ';' | '[' | ']');
    let of_field = |field: &'h str| named(field.strip_prefix(key)?.strip_prefix('=')?);
    header.split(ends).find_map(of_field)
}

fn named(name: &str) -> Option<&str> {
    Some(name.trim()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_read_where_the_rule_says() {
        let psortb = r"16125160 [Cytoplasmic\Flagellar] motor switch [Caulobacter crescentus CB15]";
        let fields = "P1|subclass=x|class=Secreted;taxon=9606 [Homo sapiens]";
        let location = LabelRule::Key("location".into());
        for (rule, header, class) in [
            (&LabelRule::Auto, psortb, Some("Cytoplasmic")),
            (&LabelRule::Bracket, psortb, Some("Cytoplasmic")),
            (&LabelRule::Auto, fields, Some("Secreted")),
            (&LabelRule::Bracket, fields, Some("Homo sapiens")),
            (&LabelRule::Key("taxon".into()), fields, Some("9606")),
            (&location, fields, None),
            (&location, "location=Nucleus", Some("Nucleus")),
            (&location, "location= |x", None),
            (&LabelRule::Auto, "P1 [] x", None),
            (&LabelRule::Auto, "P1 [open", None),
            (&LabelRule::Auto, "", None),
        ] {
            assert_eq!(rule.class(header), class, "{rule:?} of {header:?}");
        }
    }
}
