//! FASTA, the file format of sequences: proteins read one at a time, plain or gzip.
//!
//! A record is a line that begins with `>`, the header, and lines of residues up to the next header
//! (Pearson and Lipman 1988). Taken as they come: lines ended by LF, CR LF or CR, a byte order mark,
//! blank lines, comments (lines that begin with `;`), blanks between residues, lower case. Removed and
//! counted: gaps (`-`, `.`) and a stop (`*`) at the end of a sequence. A stop inside one is refused:
//! such a record is the translation of a reading frame and no protein. Letters: see [`PROTEIN`](super::PROTEIN).
//!
//! No more than one record is held, and none longer than [`Limits`] say, however large the file.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::alphabet::{Letter, OTHER, letter};
use crate::{Error, Result};

/// The longest header, in bytes.
const MAX_HEADER: usize = 1 << 16;
const ADVICE: &str = "give proteins in FASTA format: a line '>name', then lines of letters";

/// How much is read before a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Residues of one sequence; 100,000 by default, three times titin.
    pub length: usize,
    /// Records kept of all files together; a million by default.
    pub records: usize,
    /// Residues kept of all files together, a byte each; 500 million by default, which a machine
    /// of a few gigabytes holds.
    pub residues: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { length: 100_000, records: 1_000_000, residues: 500_000_000 }
    }
}

/// A protein as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The line after `>`, without blanks around it. Bytes that are no UTF-8 are replaced by `�`.
    pub header: String,
    /// The line of the header in the file, from 1.
    pub line: u64,
    /// Numbers of residues in [`PROTEIN`](super::PROTEIN).
    pub residues: Vec<u8>,
    /// Letters that became `X`: `B`, `J`, `O`, `U`, `Z` and `X` itself.
    pub others: usize,
    /// Gaps that were removed.
    pub gaps: usize,
    /// Whether a stop at the end was removed.
    pub stop: bool,
}

impl Record {
    /// The header's first word; `line N` where the header is empty.
    #[must_use]
    pub fn id(&self) -> String {
        let word = self.header.split_whitespace().next();
        word.map_or_else(|| format!("line {}", self.line), str::to_owned)
    }
}

/// Reads records one after the other; ends after the first error.
pub struct Reader<R> {
    path: PathBuf,
    bytes: R,
    max_length: usize,
    /// Line and column, from 1, of the byte that comes next.
    line: u64,
    column: u64,
    /// The header that was met at the end of the record before, with its line.
    header: Option<(String, u64)>,
    begun: bool,
    done: bool,
}

/// A plain or unpacked file.
pub type AnyReader = Reader<Box<dyn BufRead + Send>>;

/// Opens a FASTA file, plain or gzip (told apart by the first bytes, not by the name).
///
/// # Errors
/// [`Error::Io`] where the file is not there or cannot be read, [`Error::Format`] for a folder.
pub fn open(path: &Path, limits: &Limits) -> Result<AnyReader> {
    let file = File::open(path).map_err(|error| Error::io(path, "read", error))?;
    let metadata = file.metadata().map_err(|error| Error::io(path, "read", error))?;
    if metadata.is_dir() {
        return Err(Error::format(path, "path", "a folder, not a file", "give a FASTA file"));
    }
    unpacked(path, BufReader::with_capacity(1 << 16, file), limits)
}

/// Reads FASTA, plain or gzip, from memory; `name` stands for the file in messages.
///
/// # Errors
/// None before the first record is asked for, unless a gzip stream's first bytes are damaged.
pub fn from_bytes(name: &Path, bytes: &[u8], limits: &Limits) -> Result<Vec<Record>> {
    let mut magic = [0; 2];
    let packed = bytes.len() >= 2 && {
        magic.copy_from_slice(&bytes[..2]);
        magic == GZIP
    };
    if packed {
        let unpacked = BufReader::new(MultiGzDecoder::new(bytes));
        Reader::new(name, unpacked, limits).collect()
    } else {
        Reader::new(name, bytes, limits).collect()
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];

fn unpacked(path: &Path, mut file: BufReader<File>, limits: &Limits) -> Result<AnyReader> {
    let mut magic = [0; 2];
    let mut got = 0;
    while got < 2 {
        match file.read(&mut magic[got..]) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(path, "read", error)),
        }
    }
    let whole = std::io::Cursor::new(magic[..got].to_vec()).chain(file);
    let bytes: Box<dyn BufRead + Send> = if magic[..got] == GZIP {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(whole)))
    } else {
        Box::new(whole)
    };
    Ok(Reader::new(path, bytes, limits))
}

/// How a record's residues ended.
enum End {
    Header,
    File,
}

impl<R: BufRead> Reader<R> {
    /// Reads plain FASTA; `name` stands for the file in messages.
    pub fn new(name: &Path, bytes: R, limits: &Limits) -> Self {
        Self {
            path: name.to_owned(),
            bytes,
            max_length: limits.length,
            line: 1,
            column: 1,
            header: None,
            begun: false,
            done: false,
        }
    }

    /// The next byte, left where it is.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.bytes.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error)),
            }
        }
    }

    /// Takes the next byte; every kind of line end is given as `\n`.
    fn take(&mut self) -> Result<Option<u8>> {
        let Some(byte) = self.peek()? else { return Ok(None) };
        self.bytes.consume(1);
        if byte == b'\r' && self.peek()? == Some(b'\n') {
            self.bytes.consume(1);
        }
        if matches!(byte, b'\n' | b'\r') {
            (self.line, self.column) = (self.line + 1, 1);
            return Ok(Some(b'\n'));
        }
        self.column += 1;
        Ok(Some(byte))
    }

    fn skip_line(&mut self) -> Result<()> {
        while !matches!(self.take()?, None | Some(b'\n')) {}
        Ok(())
    }

    /// Goes to the first header.
    fn begin(&mut self) -> Result<()> {
        // A byte order mark, which editors put before text.
        for mark in [0xef, 0xbb, 0xbf] {
            if self.peek()? == Some(mark) {
                self.bytes.consume(1);
            }
        }
        loop {
            match self.peek()? {
                None => return Err(self.no_record()),
                Some(b'>') => return self.read_header(),
                Some(b';') => self.skip_line()?,
                Some(b'\n' | b'\r' | b' ' | b'\t') => _ = self.take()?,
                Some(byte) => {
                    let problem = format!("expected '>' and a name, found {}", shown(byte));
                    return Err(self.format(self.line, self.column, problem, ADVICE));
                }
            }
        }
    }

    fn read_header(&mut self) -> Result<()> {
        let line = self.line;
        self.take()?;
        let mut header = Vec::new();
        while let Some(byte) = self.take()?
            && byte != b'\n'
        {
            if byte == 0 || header.len() == MAX_HEADER {
                let problem = match byte {
                    0 => "found a byte 0 in a header: the file is no text".to_owned(),
                    _ => format!("a header of more than {MAX_HEADER} bytes"),
                };
                return Err(self.format(line, self.column - 1, problem, ADVICE));
            }
            header.push(byte);
        }
        let header = String::from_utf8_lossy(&header).trim().to_owned();
        self.header = Some((header, line));
        Ok(())
    }

    fn record(&mut self) -> Result<Option<Record>> {
        if !self.begun {
            self.begin()?;
            self.begun = true;
        }
        let Some((header, line)) = self.header.take() else { return Ok(None) };
        let mut record =
            Record { header, line, residues: Vec::new(), others: 0, gaps: 0, stop: false };
        let end = self.read_residues(&mut record)?;
        if record.residues.is_empty() {
            let found = match end {
                End::Header => "found another header",
                End::File => "the file ends",
            };
            let problem = format!("expected residues after the header '{}', {found}", record.id());
            let advice = "remove the header or add its sequence; the file may be cut off";
            return Err(self.format(line, 1, problem, advice));
        }
        Ok(Some(record))
    }

    /// Reads up to the next header, which it reads too, or to the end of the file.
    fn read_residues(&mut self, record: &mut Record) -> Result<End> {
        let mut stop = None;
        loop {
            let at_start = self.column == 1;
            match self.peek()? {
                None => return Ok(End::File),
                Some(b'>') if at_start => {
                    self.read_header()?;
                    return Ok(End::Header);
                }
                Some(b';') if at_start => self.skip_line()?,
                Some(_) => {
                    let place = (self.line, self.column);
                    let Some(byte) = self.take()? else { continue };
                    if byte != b'\n' {
                        self.put(byte, place, record, &mut stop)?;
                    }
                }
            }
        }
    }

    fn put(
        &self,
        byte: u8,
        (line, column): (u64, u64),
        record: &mut Record,
        stop: &mut Option<(u64, u64)>,
    ) -> Result<()> {
        let symbol = match letter(byte) {
            Letter::Residue(symbol) => symbol,
            Letter::Other => {
                record.others += 1;
                OTHER
            }
            Letter::Gap => {
                record.gaps += 1;
                return Ok(());
            }
            Letter::Space => return Ok(()),
            Letter::Stop if stop.is_none() => {
                (*stop, record.stop) = (Some((line, column)), true);
                return Ok(());
            }
            Letter::Stop => return Err(self.stop_inside(*stop)),
            Letter::Foreign => return Err(self.foreign(byte, line, column)),
        };
        if stop.is_some() {
            return Err(self.stop_inside(*stop));
        }
        if record.residues.len() == self.max_length {
            let problem = format!("a sequence of more than {} residues", self.max_length);
            let advice = "proteins are shorter: is it a genome? Else raise the limit of the length";
            return Err(self.format(line, column, problem, advice));
        }
        record.residues.push(symbol);
        Ok(())
    }

    fn foreign(&self, byte: u8, line: u64, column: u64) -> Error {
        if byte.is_ascii_graphic() {
            let problem = format!("expected a residue (A to Z, '-', '*'), found {}", shown(byte));
            self.format(line, column, problem, "remove it or mend the file")
        } else {
            let problem = format!("expected a residue, found {}: the file is no text", shown(byte));
            self.format(line, column, problem, ADVICE)
        }
    }

    fn stop_inside(&self, stop: Option<(u64, u64)>) -> Error {
        let (line, column) = stop.unwrap_or((self.line, self.column));
        let problem = "a stop '*' inside a sequence, expected at its end only";
        let advice = "cut the sequence there, or leave it out: it is the translation of a reading \
                      frame and no protein";
        self.format(line, column, problem, advice)
    }

    fn no_record(&self) -> Error {
        let problem = "expected '>' and a name, the file has no sequence";
        self.format(self.line, self.column, problem, ADVICE)
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        use ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match error.kind() {
            InvalidData | InvalidInput | UnexpectedEof => {
                let problem = format!("the gzip stream is damaged or cut off ({error})");
                self.format(self.line, self.column, problem, "copy or download the file again")
            }
            _ => Error::io(&self.path, "read", error),
        }
    }

    fn format(&self, line: u64, column: u64, problem: impl Into<String>, advice: &str) -> Error {
        Error::format(&self.path, format!("line {line}, column {column}"), problem, advice)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let record = self.record().transpose();
        self.done = !matches!(record, Some(Ok(_)));
        record
    }
}

/// A byte as a message shows it.
fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() {
        format!("'{}'", byte as char)
    } else {
        format!("the byte {byte:#04x}")
    }
}

#[cfg(test)]
#[path = "fasta_tests.rs"]
mod tests;
