//! The study's figures beside ours.

use cutaway::report::Chapter;
use serde::Serialize;

/// One figure of the study.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Published {
    /// What was measured.
    pub(crate) experiment: String,
    /// What the study says.
    pub(crate) published: String,
    /// What this run says.
    pub(crate) measured: String,
    /// Why they differ, where they do.
    pub(crate) note: String,
}

impl Published {
    pub(crate) fn new(
        experiment: impl Into<String>,
        published: impl Into<String>,
        measured: impl Into<String>,
        note: impl Into<String>,
    ) -> Published {
        Published {
            experiment: experiment.into(),
            published: published.into(),
            measured: measured.into(),
            note: note.into(),
        }
    }
}

/// The table *published · measured · note*.
pub(crate) fn chapter(rows: &[Published]) -> Chapter {
    let cells = rows.iter().map(|row| {
        let Published { experiment, published, measured, note } = row.clone();
        vec![experiment, published, measured, note]
    });
    Chapter::new("Published and measured")
        .text(
            "The figures of the reference study beside those of this run; the numbers in front are \
             those of its problems. The study does not say \
             which test images it took, nor how long it trained: its network is another one, and \
             single images need not agree.",
        )
        .prose_table(&["experiment", "published", "measured", "note"], &cells.collect::<Vec<_>>())
}
