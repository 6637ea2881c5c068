//! Roles of colours that follow the page's theme, so that one figure fits light and dark.

use crate::color::Rgb;

/// What a shape is painted with: a role that follows the theme, or a data colour that never changes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Text and marks of the first rank.
    Ink,
    /// Text of the second rank: tick labels, notes.
    Soft,
    /// Axis lines and outlines.
    Rule,
    /// Grid lines.
    Grid,
    /// Faint areas, such as cells without a value.
    Panel,
    /// The page itself.
    Paper,
    /// A data colour, the same in every theme.
    Rgb(Rgb),
}

impl From<Rgb> for Paint {
    fn from(color: Rgb) -> Paint {
        Paint::Rgb(color)
    }
}

impl Paint {
    /// The class that the report's style sheet colours; none for data colours.
    pub(crate) fn role(self) -> Option<&'static str> {
        Some(match self {
            Paint::Ink => "ink",
            Paint::Soft => "soft",
            Paint::Rule => "rule",
            Paint::Grid => "grid",
            Paint::Panel => "panel",
            Paint::Paper => "paper",
            Paint::Rgb(_) => return None,
        })
    }

    /// Every role, for the style sheet.
    pub(crate) const ROLES: [Paint; 6] =
        [Paint::Ink, Paint::Soft, Paint::Rule, Paint::Grid, Paint::Panel, Paint::Paper];
}

/// Light (for paper and README) or dark.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark marks on white.
    #[default]
    Light,
    /// Light marks on a dark page.
    Dark,
}

impl Theme {
    /// The colour of a role in this theme.
    #[must_use]
    pub fn resolve(self, paint: Paint) -> Rgb {
        match (self, paint) {
            (_, Paint::Rgb(color)) => color,
            (Theme::Light, Paint::Ink) => Rgb(0x1b, 0x23, 0x2e),
            (Theme::Light, Paint::Soft) => Rgb(0x56, 0x62, 0x70),
            (Theme::Light, Paint::Rule) => Rgb(0x93, 0x9d, 0xa8),
            (Theme::Light, Paint::Grid) => Rgb(0xe3, 0xe7, 0xeb),
            (Theme::Light, Paint::Panel) => Rgb(0xf2, 0xf4, 0xf7),
            (Theme::Light, Paint::Paper) => Rgb::WHITE,
            (Theme::Dark, Paint::Ink) => Rgb(0xe7, 0xeb, 0xf0),
            (Theme::Dark, Paint::Soft) => Rgb(0xa3, 0xae, 0xba),
            (Theme::Dark, Paint::Rule) => Rgb(0x6b, 0x77, 0x84),
            (Theme::Dark, Paint::Grid) => Rgb(0x2b, 0x33, 0x3d),
            (Theme::Dark, Paint::Panel) => Rgb(0x20, 0x27, 0x30),
            (Theme::Dark, Paint::Paper) => Rgb(0x15, 0x1a, 0x21),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_readable_on_page_and_panel_in_both_themes() {
        for theme in [Theme::Light, Theme::Dark] {
            for text in [Paint::Ink, Paint::Soft] {
                for ground in [Paint::Paper, Paint::Panel] {
                    let ratio = theme.resolve(text).contrast(theme.resolve(ground));
                    assert!(ratio >= 4.5, "{theme:?} {text:?} on {ground:?}: {ratio}");
                }
            }
        }
    }
}
