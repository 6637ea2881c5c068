//! Receiving one file over HTTP, continuing where an earlier transfer stopped.

use std::fs::{self, File, OpenOptions as FileOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::StatusCode;

use crate::catalog::KnownFile;
use crate::{Error, OpenOptions, Unit};

/// A transfer that has stood still for this long is broken off and continued.
const PATIENCE_PER_READ: Duration = Duration::from_secs(20);
/// Transfers that brought something but broke off, until a mirror is given up.
const MAX_INTERRUPTIONS: usize = 5;

/// Why a file could not be had.
pub(crate) enum Failure {
    /// The mirror's fault: another one may serve the file.
    Remote(String),
    /// Ours (no room on the disk ...): no other mirror can help.
    Local(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Local(error)
    }
}

/// One file to be received from one mirror.
pub(crate) struct Transfer<'a> {
    pub(crate) url: &'a str,
    pub(crate) file: &'a KnownFile,
    pub(crate) folder: &'a Path,
    pub(crate) options: &'a OpenOptions,
    /// How long the mirror has to answer.
    pub(crate) patience: Duration,
}

impl Transfer<'_> {
    /// The file that holds what has been received so far.
    pub(crate) fn part(&self) -> PathBuf {
        self.folder.join(format!("{}.part", self.file.name))
    }

    /// Receives until the part has the expected length. Says whether it started with something
    /// that was there before.
    pub(crate) fn receive(&self) -> Result<bool, Failure> {
        if !self.url.starts_with("http://") {
            let reason = "only plain http:// addresses can be used (the content is checked)";
            return Err(Failure::Remote(reason.into()));
        }
        let agent = self.agent();
        let resumed = self.received() > 0;
        let mut interruptions = 0;
        loop {
            let before = self.received();
            if before == self.file.bytes {
                return Ok(resumed);
            }
            match self.receive_some(&agent, before) {
                Ok(()) => {}
                Err(Failure::Remote(reason)) => {
                    interruptions += 1;
                    if self.received() <= before || interruptions > MAX_INTERRUPTIONS {
                        return Err(Failure::Remote(reason));
                    }
                }
                Err(local) => return Err(local),
            }
        }
    }

    fn agent(&self) -> Agent {
        let patience = Some(self.patience.max(Duration::from_millis(1)));
        let config = Agent::config_builder()
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(Some(PATIENCE_PER_READ))
            .user_agent(concat!("cutaway/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .http_status_as_error(false)
            .build();
        Agent::new_with_config(config)
    }

    /// Length of the part; a part that is longer than the file is no part of it, and removed.
    fn received(&self) -> u64 {
        let len = fs::metadata(self.part()).map_or(0, |metadata| metadata.len());
        if len > self.file.bytes {
            let _ = fs::remove_file(self.part());
            return 0;
        }
        len
    }

    /// One request: appends to the part until the transfer ends or breaks off.
    fn receive_some(&self, agent: &Agent, have: u64) -> Result<(), Failure> {
        let mut request = agent.get(self.url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = request.call().map_err(|error| Failure::Remote(explain(&error)))?;
        let have = match response.status() {
            StatusCode::PARTIAL_CONTENT if have > 0 => have,
            // Without `Range` support the whole file comes.
            StatusCode::OK => 0,
            status => return Err(Failure::Remote(format!("the server answers {status}"))),
        };
        let expected = self.file.bytes - have;
        let mut body = response.into_body();
        if let Some(len) = body.content_length().filter(|&len| len != expected) {
            let total = have + len;
            let reason = format!("the file there has {total} bytes, expected {}", self.file.bytes);
            return Err(Failure::Remote(reason));
        }
        let mut part = self.open_part(have)?;
        // One byte more than expected, so as to notice that there is more.
        let mut reader = body.as_reader().take(expected + 1);
        self.copy(&mut reader, &mut part, have)
    }

    fn open_part(&self, have: u64) -> Result<File, Error> {
        let path = self.part();
        let open = FileOptions::new().write(true).create(true).truncate(false).open(&path);
        let cut = open.and_then(|file| {
            file.set_len(have)?;
            FileOptions::new().append(true).open(&path)
        });
        cut.map_err(|error| Error::io(&path, "write", error))
    }

    fn copy(&self, from: &mut impl Read, to: &mut File, have: u64) -> Result<(), Failure> {
        let task = format!("downloading {}", self.file.name);
        let mut buffer = vec![0; 1 << 16];
        let mut have = have;
        loop {
            self.options.report(&task, have, Some(self.file.bytes), Unit::Bytes);
            let got = match from.read(&mut buffer) {
                Ok(0) if have < self.file.bytes => {
                    return Err(Failure::Remote(format!(
                        "the transfer ended after {have} of {} bytes",
                        self.file.bytes
                    )));
                }
                Ok(0) => return Ok(()),
                Ok(got) => got,
                Err(error) => {
                    return Err(Failure::Remote(format!(
                        "the transfer broke off after {have} of {} bytes ({error})",
                        self.file.bytes
                    )));
                }
            };
            to.write_all(&buffer[..got])
                .map_err(|error| Error::io(&self.part(), "write", error))?;
            have += got as u64;
            if have > self.file.bytes {
                let reason = format!("the file there has more than {} bytes", self.file.bytes);
                return Err(Failure::Remote(reason));
            }
        }
    }
}

fn explain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::HostNotFound => "the server's name cannot be resolved".into(),
        ureq::Error::Tls(_) | ureq::Error::TlsRequired => {
            "the server insists on https, which is not used here".into()
        }
        other => other.to_string(),
    }
}
