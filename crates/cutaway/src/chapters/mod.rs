//! Chapters of the report: each turns results into text, figures and tables.
