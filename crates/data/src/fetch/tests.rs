//! Downloads from a server on this machine.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::Progress;

/// How the server treats a request.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// As a good server does, `Range` included.
    Good,
    /// Breaks every transfer off after so many bytes.
    BreaksOffAfter(usize),
    /// Always sends the whole file.
    WithoutRange,
    /// Sends no length, just closes the connection at the end, one byte too late.
    EndlessByOne,
    /// Never answers.
    Silent,
}

/// Path and `Range` header of a request.
type Request = (String, Option<String>);

/// A small HTTP server; it lives as long as the test's process.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(files: HashMap<String, Vec<u8>>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let files = Arc::new(files);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, seen) = (Arc::clone(&files), Arc::clone(&seen));
                // A client that goes away is no failure of the server.
                thread::spawn(move || drop(answer(&stream, &files, manner, &seen)));
            }
        });
        Self { url, requests }
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.requests.lock().unwrap().iter().map(|(_, range)| range.clone()).collect()
    }
}

fn answer(
    stream: &TcpStream,
    files: &HashMap<String, Vec<u8>>,
    manner: Manner,
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((_, value)) =
            line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("range"))
        {
            range = Some(value.to_owned());
        }
    }
    seen.lock().unwrap().push((path.clone(), range.clone()));
    let mut stream = stream;
    if manner == Manner::Silent {
        thread::sleep(Duration::from_secs(60));
    }
    let Some(bytes) = files.get(&path) else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    if manner == Manner::EndlessByOne {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        stream.write_all(bytes)?;
        return stream.write_all(b"!");
    }
    let from = range.filter(|_| manner != Manner::WithoutRange).map(|range| {
        range.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>().unwrap()
    });
    let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
    let bytes = &bytes[from.unwrap_or(0)..];
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n", bytes.len())?;
    write!(stream, "Connection: close\r\n\r\n")?;
    match manner {
        Manner::BreaksOffAfter(len) => stream.write_all(&bytes[..len.min(bytes.len())]),
        _ => stream.write_all(bytes),
    }
}

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

/// Bytes that are not the same for two files or two places.
fn content(file: usize) -> Vec<u8> {
    (0..100_000_u32 + file as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A data set of four small files that only these tests know.
fn small_set() -> &'static Known {
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let file = |number: usize| {
        let bytes = content(number);
        KnownFile { name: NAMES[number], bytes: bytes.len() as u64, sha256: leak(sha256(&bytes)) }
    };
    Box::leak(Box::new(Known {
        name: "small",
        folders: &["small"],
        description: "four small files",
        classes: [""; 10],
        mirrors: &[],
        files: [0, 1, 2, 3].map(file),
    }))
}

fn served() -> HashMap<String, Vec<u8>> {
    (0..4).map(|number| (format!("/base/small/{}", NAMES[number]), content(number))).collect()
}

struct Place {
    cache: tempfile::TempDir,
    options: OpenOptions,
}

fn place(url: &str) -> Place {
    let cache = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        cache: Some(cache.path().to_owned()),
        mirror: Some(format!("{url}/base/")),
        ..OpenOptions::default()
    };
    Place { cache, options }
}

impl Place {
    fn file(&self, number: usize) -> PathBuf {
        self.cache.path().join("small").join(NAMES[number])
    }

    fn part(&self, number: usize) -> PathBuf {
        self.file(number).with_extension("gz.part")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.cache.path().join("small")).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn get(&self) -> Result<()> {
        ensure(small_set(), &self.options, Patience::Explicit)
    }

    #[track_caller]
    fn has_everything(&self) {
        for number in 0..4 {
            assert!(fs::read(self.file(number)).unwrap() == content(number), "file {number}");
        }
        assert_eq!(self.names().len(), 4, "only the four files: {:?}", self.names());
    }
}

#[test]
fn the_four_files_are_fetched_and_progress_is_reported() {
    let server = Server::start(served(), Manner::Good);
    let mut place = place(&server.url);
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let sink = Arc::clone(&seen);
    place.options.progress =
        Some(Arc::new(move |progress: &Progress| sink.lock().unwrap().push(progress.clone())));
    place.get().unwrap();
    place.has_everything();
    let seen = seen.lock().unwrap();
    let last = seen.iter().rfind(|p| p.task.contains(NAMES[0])).unwrap();
    assert_eq!((last.done, last.total), (100_000, Some(100_000)));
    // And a second time nothing is asked for.
    place.get().unwrap();
    assert_eq!(server.requests.lock().unwrap().len(), 4);
}

#[test]
fn a_part_is_continued_not_fetched_again() {
    let server = Server::start(served(), Manner::Good);
    let place = place(&server.url);
    fs::create_dir(place.cache.path().join("small")).unwrap();
    fs::write(place.part(0), &content(0)[..70_000]).unwrap();
    place.get().unwrap();
    place.has_everything();
    assert_eq!(server.ranges()[0].as_deref(), Some("bytes=70000-"));
}

#[test]
fn a_transfer_that_breaks_off_is_continued_by_itself() {
    let server = Server::start(served(), Manner::BreaksOffAfter(40_000));
    let place = place(&server.url);
    place.get().unwrap();
    place.has_everything();
    let ranges = server.ranges();
    assert_eq!(ranges[0], None);
    assert!(ranges[1..3].iter().all(Option::is_some), "{ranges:?}");
}

#[test]
fn a_truncated_transfer_keeps_the_part_for_the_next_call() {
    let server = Server::start(served(), Manner::BreaksOffAfter(10_000));
    let broken = place(&server.url);
    let message = broken.get().unwrap_err().to_string();
    assert!(message.contains("60000 of 100000 bytes"), "{message}");
    assert_eq!(broken.names(), ["train-images-idx3-ubyte.gz.part"]);
    // Another server finishes it.
    let good = Server::start(served(), Manner::Good);
    let options = OpenOptions { mirror: Some(format!("{}/base", good.url)), ..broken.options };
    let place = Place { options, cache: broken.cache };
    place.get().unwrap();
    place.has_everything();
    assert_eq!(good.ranges()[0].as_deref(), Some("bytes=60000-"));
}

#[test]
fn a_server_without_ranges_sends_the_whole_again() {
    let server = Server::start(served(), Manner::WithoutRange);
    let place = place(&server.url);
    fs::create_dir(place.cache.path().join("small")).unwrap();
    fs::write(place.part(0), b"the start of something else").unwrap();
    place.get().unwrap();
    place.has_everything();
}

#[test]
fn a_damaged_part_is_thrown_away_and_fetched_again() {
    let server = Server::start(served(), Manner::Good);
    let place = place(&server.url);
    fs::create_dir(place.cache.path().join("small")).unwrap();
    fs::write(place.part(0), vec![7; 70_000]).unwrap();
    place.get().unwrap();
    place.has_everything();
    assert_eq!(server.ranges()[..2], [Some("bytes=70000-".to_owned()), None]);
}

#[test]
fn a_file_with_the_wrong_hash_is_refused_and_removed() {
    let mut files = served();
    files.get_mut(&format!("/base/small/{}", NAMES[1])).unwrap()[500] ^= 1;
    let server = Server::start(files, Manner::Good);
    let place = place(&server.url);
    let message = place.get().unwrap_err().to_string();
    for part in ["small is not in", NAMES[1], "SHA-256", "expected", "CUTAWAY_MIRROR"] {
        assert!(message.contains(part), "'{message}' does not say '{part}'");
    }
    assert_eq!(place.names(), [NAMES[0]]);
}

#[test]
fn a_file_of_another_size_is_refused_before_it_is_received() {
    let mut files = served();
    files.get_mut(&format!("/base/small/{}", NAMES[0])).unwrap().push(0);
    let server = Server::start(files, Manner::Good);
    let place = place(&server.url);
    let message = place.get().unwrap_err().to_string();
    assert!(message.contains("100001 bytes, expected 100000"), "{message}");
    assert!(place.names().is_empty());
}

#[test]
fn a_server_that_sends_more_than_the_file_is_stopped() {
    let server = Server::start(served(), Manner::EndlessByOne);
    let place = place(&server.url);
    let message = place.get().unwrap_err().to_string();
    assert!(message.contains("more than 100000 bytes"), "{message}");
}

#[test]
fn a_file_that_is_not_there_says_the_status() {
    let server = Server::start(HashMap::new(), Manner::Good);
    let message = place(&server.url).get().unwrap_err().to_string();
    assert!(message.contains("404"), "{message}");
}

#[test]
fn offline_nothing_is_asked_for() {
    let server = Server::start(served(), Manner::Good);
    let mut place = place(&server.url);
    place.options.offline = true;
    let message = place.get().unwrap_err().to_string();
    assert!(message.contains("offline"), "{message}");
    assert!(server.requests.lock().unwrap().is_empty());
}

/// The address of a port at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn an_unreachable_server_and_one_that_wants_tls_are_errors() {
    let message = place(&nobody()).get().unwrap_err().to_string();
    assert!(message.contains("refused"), "{message}");
    let message = place("https://127.0.0.1").get().unwrap_err().to_string();
    assert!(message.contains("http://"), "{message}");
}

#[test]
fn a_server_that_never_answers_is_given_up_after_a_short_while() {
    let server = Server::start(served(), Manner::Silent);
    let place = place(&server.url);
    let started = Instant::now();
    let failed = ensure(small_set(), &place.options, Patience::Auto);
    assert!(failed.unwrap_err().to_string().contains("no answer in time"));
    // Generous, for a busy machine; without the limit it would be the server's minute.
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn another_mirror_serves_what_the_first_does_not() {
    let (bad, good) =
        (Server::start(HashMap::new(), Manner::Good), Server::start(served(), Manner::Good));
    let place = place("");
    let folder = place.cache.path();
    let mirrors = [&bad, &good].map(|server| format!("{}/base/small/", server.url));
    let file = &small_set().files[0];
    let used = get_file(file, &mirrors, folder, &place.options, None).unwrap();
    assert_eq!(used, Ok(1));
    assert!(fs::read(folder.join(NAMES[0])).unwrap() == content(0));
}

#[test]
fn auto_falls_back_to_strokes_and_says_so() {
    let mut place = place(&nobody());
    place.options.strokes_train = 20;
    place.options.strokes_test = 10;
    let dataset = crate::open("auto", &place.options).unwrap();
    assert_eq!(dataset.name, "strokes");
    let notice = dataset.notice.unwrap();
    assert!(notice.contains("instead of MNIST") && notice.contains("refused"), "{notice}");
    place.options.offline = true;
    let notice = crate::open("auto", &place.options).unwrap().notice.unwrap();
    assert!(notice.contains("offline"), "{notice}");
    // Asked for by name there is nothing to stand in.
    assert!(matches!(crate::open("mnist", &place.options), Err(Error::Unavailable { .. })));
}

#[test]
fn fetch_replaces_a_damaged_original_and_leaves_whole_ones() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("mnist");
    fs::create_dir(&folder).unwrap();
    for name in NAMES {
        fs::write(folder.join(name), b"not the original").unwrap();
    }
    let server = Server::start(HashMap::new(), Manner::Good);
    let options = OpenOptions {
        cache: Some(cache.path().into()),
        mirror: Some(server.url.clone()),
        ..OpenOptions::default()
    };
    assert!(matches!(fetch("mnist", &options), Err(Error::Unavailable { .. })));
    assert_eq!(server.requests.lock().unwrap()[0].0, format!("/mnist/{}", NAMES[0]));
    // Unpacked files have no pinned hash: they are taken as they are.
    for name in NAMES {
        fs::remove_file(folder.join(name)).unwrap();
        fs::write(folder.join(name.trim_end_matches(".gz")), b"unpacked").unwrap();
    }
    assert_eq!(fetch("mnist", &options).unwrap(), Some(folder));
    assert_eq!(fetch("strokes", &options).unwrap(), None);
    assert!(matches!(fetch("nonsense", &options), Err(Error::Invalid(_))));
}
