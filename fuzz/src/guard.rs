//! Watches memory and time while an input runs, and saves the input before it ends the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// An input of a few kilobytes has no business holding more than this, where its target does not [`allow`] more.
static MEMORY_LIMIT: AtomicUsize = AtomicUsize::new(256 << 20);

/// Lets inputs hold this many bytes.
pub fn allow(bytes: usize) {
    MEMORY_LIMIT.store(bytes, Relaxed);
}
/// Reading such an input takes microseconds.
const TIME_LIMIT: Duration = Duration::from_secs(10);

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static ENDING: AtomicBool = AtomicBool::new(false);
static RUNNING: Mutex<Option<Run>> = Mutex::new(None);

struct Run {
    input: Vec<u8>,
    start: Instant,
    folder: PathBuf,
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; the counting beside it touches no memory of it.
// `exceeded` allocates again, which is sound since the system's allocator holds no lock then, and ends the process.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if HELD.fetch_add(layout.size(), Relaxed).saturating_add(layout.size()) > MEMORY_LIMIT.load(Relaxed) {
            exceeded(layout.size());
        }
        // SAFETY: the caller keeps `GlobalAlloc`'s contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// One allocation too many: tell, once, and end. Outside a run (start-up, reading the seeds) there is no limit.
fn exceeded(request: usize) {
    if ENDING.swap(true, Relaxed) {
        return;
    }
    if RUNNING.try_lock().is_ok_and(|run| run.is_none()) {
        ENDING.store(false, Relaxed);
        return;
    }
    let limit = MEMORY_LIMIT.load(Relaxed);
    end(&format!("a request for {request} bytes passed the limit of {limit} bytes"));
}

/// Says what happened, saves the input that ran, ends the process with exit code 1.
pub fn end(what: &str) -> ! {
    ENDING.store(true, Relaxed);
    if let Ok(run) = RUNNING.try_lock()
        && let Some(run) = run.as_ref()
    {
        let file = run.folder.join(format!("failure-{:016x}", fingerprint(&run.input)));
        let saved = std::fs::create_dir_all(&run.folder).and_then(|()| std::fs::write(&file, &run.input));
        match saved {
            Ok(()) => eprintln!("failed: {what}; the input is in {}", file.display()),
            Err(error) => eprintln!("failed: {what}; the input could not be saved: {error}; it was {:02x?}", run.input),
        }
    } else {
        eprintln!("failed: {what}");
    }
    std::process::exit(1)
}

/// FNV-1a: a short name for an input.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Starts the thread that ends the process when an input takes too long.
pub fn watch_the_clock() {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(TIME_LIMIT / 10);
            let late = RUNNING.lock().is_ok_and(|run| run.as_ref().is_some_and(|run| run.start.elapsed() > TIME_LIMIT));
            if late {
                end(&format!("no answer within {TIME_LIMIT:?}"));
            }
        }
    });
}

/// Runs `target` on `input` under guard.
pub fn run(input: &[u8], folder: &std::path::Path, target: &dyn Fn(&[u8])) {
    let run = Run { input: input.to_vec(), start: Instant::now(), folder: folder.to_owned() };
    *RUNNING.lock().expect("nothing panics while it holds this lock") = Some(run);
    // The panic's own message has been printed by the time it arrives here.
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(input))).is_err() {
        end("a panic");
    }
    *RUNNING.lock().expect("nothing panics while it holds this lock") = None;
}
