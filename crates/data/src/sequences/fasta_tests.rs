use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::sequences::PROTEIN;

fn read(text: impl AsRef<[u8]>) -> Result<Vec<Record>> {
    from_bytes(Path::new("some.fasta"), text.as_ref(), &Limits::default())
}

fn letters(record: &Record) -> String {
    record.residues.iter().map(|&symbol| PROTEIN[symbol as usize]).collect()
}

fn message(text: impl AsRef<[u8]>) -> String {
    read(text).expect_err("this should have been refused").to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_plain_file_is_read() {
    let records = read(">one first protein\nMKV\nLLA\n>two\nACD").unwrap();
    assert_eq!(records[0].header, "one first protein");
    assert_eq!((records[0].id().as_str(), letters(&records[0]).as_str()), ("one", "MKVLLA"));
    assert_eq!((records[1].id().as_str(), letters(&records[1]).as_str()), ("two", "ACD"));
    assert_eq!((records[0].line, records[1].line, records.len()), (1, 4, 2));
}

#[test]
fn line_ends_blank_lines_comments_blanks_and_case_do_not_matter() {
    let plain: Vec<String> = read(">a\nMKVLLA\n>b\nACD\n").unwrap().iter().map(letters).collect();
    for text in [
        ">a\r\nMKV\r\nLLA\r\n>b\r\nACD\r\n",
        ">a\rMKV\rLLA\r>b\rACD",
        "\u{feff}\n\n; a comment\n>a\n\nMKV\n;another > one\nLLA\n\n>b\nACD\n\n\n",
        ">a\nmkv LLA\t\n>b\n  aCd ",
        ">a\nMK--V..LLA*\n>b\nACD\n*\n",
    ] {
        let found: Vec<String> = read(text).unwrap().iter().map(letters).collect();
        assert_eq!(found, plain, "{text:?}");
    }
}

#[test]
fn what_is_changed_or_removed_is_counted() {
    let records = read(">a\nMBZJ-XUO.*\n").unwrap();
    assert_eq!(letters(&records[0]), "MXXXXXX");
    assert_eq!((records[0].others, records[0].gaps, records[0].stop), (6, 2, true));
    assert!(!read(">a\nM").unwrap()[0].stop);
}

#[test]
fn gzip_is_told_by_its_content_and_may_come_in_several_members() {
    let text = b">a\nMKV\n>b\nACD\n";
    let packed = [gzip(&text[..4]), gzip(&text[4..])].concat();
    assert_eq!(read(packed).unwrap(), read(text).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packed.fasta");
    std::fs::write(&path, gzip(text)).unwrap();
    let records: Vec<Record> =
        open(&path, &Limits::default()).unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(records, read(text).unwrap());
}

#[test]
fn a_damaged_gzip_file_is_refused() {
    let mut packed = gzip(&b">a\nMKVACDEFGHIKLMN\n".repeat(50));
    packed.truncate(packed.len() - 9);
    let cut = message(&packed);
    assert!(cut.contains("gzip stream is damaged or cut off"), "{cut}");
    let mut packed = gzip(b">a\nMKVACDEFGHIKLMN\n");
    packed[12] ^= 0xff;
    read(packed).unwrap_err();
}

#[test]
fn residues_without_a_header_are_refused_with_their_place() {
    let found = message("\n MKVLLA\n>a\nMKV\n");
    assert!(
        found.starts_with(
            "some.fasta: line 2, column 2: expected '>' and a name, found 'M'; give proteins in FASTA"
        ),
        "{found}"
    );
}

#[test]
fn a_file_without_any_record_is_refused() {
    for empty in ["", "\n\n", "; only a comment\n", "\u{feff}"] {
        let found = message(empty);
        assert!(found.contains("the file has no sequence; give proteins in FASTA"), "{found}");
    }
}

#[test]
fn a_header_without_residues_is_refused_with_its_line() {
    let found = message(">a\nMKV\n>b\n\n>c\nMKV\n");
    assert!(
        found.contains("line 3, column 1: expected residues after the header 'b', found another"),
        "{found}"
    );
    let found = message(">a\n--*\n");
    assert!(found.contains("line 1, column 1") && found.contains("the file ends"), "{found}");
}

#[test]
fn what_is_no_residue_is_refused_with_line_and_column() {
    for (text, place, what) in [
        (">a\nMKV\nLL1A\n", "line 3, column 3", "found '1'"),
        (">a\r\nMK@V\r\n", "line 2, column 3", "found '@'"),
        (">a\nMKV>b\n", "line 2, column 4", "found '>'"),
        (">a\nMK\u{e9}\n", "line 2, column 3", "the byte 0xc3: the file is no text"),
    ] {
        let found = message(text);
        assert!(found.contains(place) && found.contains(what), "{found}");
    }
}

#[test]
fn a_binary_file_is_refused() {
    for bytes in [&b"\x7fELF\x02\x01"[..], b"\x89PNG\r\n", b">a\nMK\0V", b">a\0b\nMKV"] {
        let found = message(bytes);
        assert!(found.contains("the byte 0x") || found.contains("the file is no text"), "{found}");
    }
}

#[test]
fn a_stop_inside_a_sequence_is_refused_where_it_stands() {
    for text in [">a\nMK*V\n", ">a\nMK*\nV\n", ">a\nMK**\n"] {
        let found = message(text);
        assert!(found.contains("line 2, column 3: a stop '*' inside a sequence"), "{found}");
    }
}

#[test]
fn a_sequence_beyond_the_limit_is_refused_before_it_is_held() {
    /// Endless residues without a line break.
    struct Genome(u64);
    impl Read for Genome {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'A');
            self.0 += buffer.len() as u64;
            assert!(self.0 < 1 << 20, "read on after the limit");
            Ok(buffer.len())
        }
    }
    let endless = BufReader::new((&b">chr1\n"[..]).chain(Genome(0)));
    let limits = Limits { length: 1000, ..Limits::default() };
    let mut reader = Reader::new(Path::new("genome.fa"), endless, &limits);
    let found = reader.next().unwrap().unwrap_err().to_string();
    assert!(
        found.contains("line 2, column 1001: a sequence of more than 1000 residues"),
        "{found}"
    );
    assert!(reader.next().is_none());

    let header = [b">".to_vec(), vec![b'h'; MAX_HEADER + 1]].concat();
    assert!(message(header).contains("a header of more than 65536 bytes"));
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = open(&folder.path().join("no.fasta"), &Limits::default());
    let found = missing.err().unwrap().to_string();
    assert!(found.starts_with("cannot read") && found.contains("no.fasta"), "{found}");
    let found = open(folder.path(), &Limits::default()).err().unwrap().to_string();
    assert!(found.contains("a folder, not a file"), "{found}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        let _ = read(&bytes);
        let _ = read([b">a\n".to_vec(), bytes].concat());
    }

    #[test]
    fn what_is_written_is_read_back(
        proteins in prop::collection::vec("[ACDEFGHIKLMNPQRSTVWY]{1,200}", 1..8),
        width in 1_usize..90,
    ) {
        let mut text = String::new();
        for (number, protein) in proteins.iter().enumerate() {
            text += &format!(">p{number}\n");
            for line in protein.as_bytes().chunks(width) {
                text += std::str::from_utf8(line).unwrap();
                text.push('\n');
            }
        }
        let records = read(&text).unwrap();
        prop_assert_eq!(records.iter().map(letters).collect::<Vec<_>>(), proteins);
    }
}
